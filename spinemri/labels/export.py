"""From a ``Segmentation`` to the numbers of another tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import InputError
from spinemri.labels.schemes import counted, scheme_named

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from spinemri.labels.schemes import Scheme
    from spinemri.segmentation import Segmentation

_DISC = StructureKind.DISC
_VERTEBRA = (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)


def to_labels(
    segmentation: Segmentation, scheme: str, *, kinds: Collection[StructureKind] | None = None
) -> NDArray[np.uint16]:
    """Voxels (k, j, i) of a segmentation in the numbers of a scheme.

    Parameters
    ----------
    kinds : what is exported; everything when None

    Raises
    ------
    InputError
        The scheme is unknown, or has no number for a structure; the message lists them.
    """
    wanted = {v: s for v, s in segmentation.structures.items() if kinds is None or s.kind in kinds}
    levels = named_levels(segmentation)  # discs are named and counted by vertebrae that may not be exported
    table = numbered_for(scheme_named(scheme), levels)
    values = {value: value_of(structure, table, levels) for value, structure in wanted.items()}
    if lost := [str(wanted[value]) for value, number in values.items() if number is None]:
        raise InputError(f"scheme {scheme} has no number for {', '.join(lost)}; leave them out or name another scheme")
    lookup = np.zeros(int(segmentation.voxels.max(initial=0)) + 1, dtype=np.uint16)
    for value, number in values.items():
        if value < len(lookup):
            lookup[value] = number or 0
    return np.asarray(lookup[segmentation.voxels])


def named_levels(segmentation: Segmentation) -> list[Level]:
    """Levels of the vertebrae of a mask, head to foot, without the sacrum."""
    shown = segmentation.structures.values()
    return sorted({s.level for s in shown if s.kind in _VERTEBRA and s.level and s.level.region != "S"})


def numbered_for(scheme: Scheme, levels: Sequence[Level]) -> Scheme:
    """A scheme with a number for each of these levels (head to foot), where it only counts; else the scheme itself."""
    if not scheme.counts:
        return scheme
    return counted(scheme, dict(enumerate(levels if scheme.counts == "down" else levels[::-1], start=1)))


def value_of(structure: Structure, scheme: Scheme, levels: Collection[Level]) -> int | None:
    """The first number under which a scheme draws a structure; a disc is found by the level above it."""
    if structure.kind is _DISC and structure.level == Level("L5") and Level("L6") not in levels:
        structure = Structure(_DISC, structure.level, Level("S1"))
    drawn = [(value, s) for value, group in scheme.table.items() if value not in scheme.partial for s in group]
    exact = [value for value, s in drawn if s == structure]
    alike = [value for value, s in drawn if (s.kind, s.level) == (structure.kind, structure.level)]
    return next(iter((*exact, *alike)), None)
