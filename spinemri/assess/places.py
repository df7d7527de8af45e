"""Where findings lie, how a statement names a place and what it was compared with, and why there is no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spinemri.language import Phrases
from spinemri.measurement import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spinemri.anatomy import Level
    from spinemri.measurement import Measurement

phrases = Phrases("assess.places")


def located(measurement: Measurement, kind: str) -> dict[str, Any]:
    """Identity and place of the finding of a kind that rests on a measurement: id, kind, levels, at_disc."""
    return {
        "id": f"{measurement.place}.{kind}",
        "kind": kind,
        "levels": measurement.levels,
        "at_disc": measurement.lower is not None,
    }


def head_to_foot(levels: Iterable[Level]) -> tuple[Level, ...]:
    """Each level once, head to foot, true ones before relative ones."""
    return tuple(sorted({*levels}, key=lambda level: (level.is_relative, level.rank)))


def where(measurement: Measurement) -> str:
    """'L4-L5' at a disc, 'L4 mid-body' beside a body."""
    return measurement.place if measurement.lower is not None else phrases.MID_BODY.format(place=measurement.place)


def references(measurement: Measurement) -> str:
    """Reference places; at a disc the levels come in pairs, upper and lower of each reference disc."""
    names = [str(v) for v in measurement.reference_levels]
    if measurement.lower is None:
        return ", ".join(names)
    return ", ".join(f"{upper}-{lower}" for upper, lower in zip(names[::2], names[1::2], strict=True))


def why_missing(measurement: Measurement) -> str:
    """'out of the field of view' or 'not assessable'."""
    return phrases.OUT_FIELD_VIEW if measurement.status is Status.OUT_OF_FIELD else phrases.NOT_ASSESSABLE
