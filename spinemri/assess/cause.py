"""What narrows the canal or a foramen at a place: named from what else was measured there, most dangerous first.

Nothing is concluded from the narrowing's shape alone, except from which side it comes: what pushes from behind, where
nothing else was measured, is ligament or joint. Several causes may be named; none is named when nothing speaks for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.alignment import slip_limit_mm
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spinemri.anatomy import Level
    from spinemri.measurement import Measurement

EPIDURAL_TUMOUR, EXPANSION = "epidural tumour", "bone expansion"
FORAMINAL_TUMOUR, LOW_DISC = "tumour in the foramen", "loss of disc height"
RETROPULSION, SLIP, DISC, LIGAMENT = "retropulsion", "slip", "disc", "ligament or joints"

_OF_LESIONS = (
    (EPIDURAL_TUMOUR, "lesion_epidural_volume", threshold("cause.epidural_volume")),
    (EXPANSION, "lesion_convex_posterior_border", threshold("cause.expansion")),
)
_RETROPULSION_MM = threshold("cause.retropulsion")
_BULGE_MM, _FROM_BEHIND = threshold("cause.disc_bulge"), threshold("cause.from_behind")
_IN_FORAMEN_MM3, _LOW_DISC_MM = threshold("cause.foraminal_volume"), threshold("cause.disc_height")


def narrowing_causes(measurements: Mapping[str, Measurement], narrowed: Measurement) -> tuple[tuple[str, str], ...]:
    """Causes of narrowing at a place, each with the id of the measurement that speaks for it.

    Parameters
    ----------
    measurements : id -> measurement, those of lesions among them
    narrowed : any measurement at the place; ``lower`` is its lower level at a disc
    """
    return tuple(_causes(measurements, narrowed))


def foraminal_causes(
    measurements: Mapping[str, Measurement], narrowed: Measurement, side: str
) -> tuple[tuple[str, str], ...]:
    """Causes of narrowing of one foramen, each with the id of the measurement that speaks for it.

    Tumour, and bone that it expands, are named on the side of the foramen or pedicle that they reach; what else was
    measured, was measured in the middle and counts for both sides.

    Parameters
    ----------
    measurements : id -> measurement, those of lesions among them
    narrowed : any measurement of the foramen, with the levels above and below it
    side : 'left' or 'right'
    """
    return tuple(_foraminal(measurements, narrowed, side))


def _foraminal(measurements: Mapping[str, Measurement], narrowed: Measurement, side: str) -> Iterator[tuple[str, str]]:
    levels = [level for level in (narrowed.level, narrowed.lower) if level is not None]
    for lesion in _of_lesions(measurements, "lesion_foraminal_volume", levels):
        if _value(lesion) >= _IN_FORAMEN_MM3 and {f"side:{side}", "side:both"} & {*lesion.flags}:
            yield FORAMINAL_TUMOUR, lesion.id
    for lesion in _of_lesions(measurements, "lesion_expansion", levels):
        pedicle = measurements.get(f"{lesion.id.partition('.')[0]}.lesion_pedicle_{side}")
        if _value(lesion) >= _OF_LESIONS[1][2] and pedicle is not None and _value(pedicle) > 0:
            yield EXPANSION, lesion.id
    yield from _of_bone_and_disc(measurements, narrowed, ())
    height = measurements.get(f"{narrowed.place}.disc_height")
    if height is not None and height.value is not None and height.value <= _LOW_DISC_MM:
        yield LOW_DISC, height.id


def _causes(measurements: Mapping[str, Measurement], narrowed: Measurement) -> Iterator[tuple[str, str]]:
    yield from _of_bone_and_disc(measurements, narrowed, _OF_LESIONS)
    yield from _from_behind(measurements, narrowed)


def _of_bone_and_disc(
    measurements: Mapping[str, Measurement], narrowed: Measurement, of_lesions: tuple[tuple[str, str, float], ...]
) -> Iterator[tuple[str, str]]:
    levels = [level for level in (narrowed.level, narrowed.lower) if level is not None]
    for cause, name, least in of_lesions:
        yield from ((cause, m.id) for m in _of_lesions(measurements, name, levels) if _value(m) >= least)
    for level in levels:
        yield from _if_reached(measurements, f"{level}.retropulsion_mm", (RETROPULSION, _RETROPULSION_MM))
    if narrowed.lower is not None:
        yield from _if_reached(measurements, f"{narrowed.place}.slip_mm", (SLIP, slip_limit_mm(narrowed)))
        yield from _if_reached(measurements, f"{narrowed.place}.disc_bulge_mm", (DISC, _BULGE_MM))


def _if_reached(
    measurements: Mapping[str, Measurement], id_: str, what: tuple[str, float]
) -> Iterator[tuple[str, str]]:
    cause, least = what
    if id_ in measurements and abs(_value(measurements[id_])) >= least:
        yield cause, id_


def _of_lesions(measurements: Mapping[str, Measurement], name: str, levels: list[Level]) -> Iterator[Measurement]:
    return (m for m in measurements.values() if m.name == name and m.level in levels)


def _from_behind(measurements: Mapping[str, Measurement], narrowed: Measurement) -> Iterator[tuple[str, str]]:
    front, back = (measurements.get(f"{narrowed.place}.dural_sac_{side}_indent_mm") for side in ("front", "back"))
    if front is None or back is None or front.value is None or back.value is None:
        return
    lost = max(front.value, 0.0) + max(back.value, 0.0)
    sure = back.interval is not None and back.interval[0] > 0
    if lost > 0 and back.value / lost >= _FROM_BEHIND and sure:
        yield LIGAMENT, back.id


def _value(measurement: Measurement) -> float:
    return measurement.value or 0.0
