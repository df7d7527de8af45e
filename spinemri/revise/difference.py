"""What differs between two masks of one series: voxels, structures and level names.

A body that bears another level in the person's mask is the same body under another name: names are compared first, and
structures under the names that hold afterwards, so that one corrected name is not told as bone drawn anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.correction import CorrectedMask, StructureChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from spinemri.anatomy import Level, Structure
    from spinemri.segmentation import Segmentation

_VALUES = 256  # of a mask in spinemri's own scheme
_SAME_BODY = 0.5  # of the person's body lies in the program's


def difference(before: Segmentation, after: Segmentation, series: str, shown: str) -> CorrectedMask:
    """How a person's mask differs from the program's.

    Parameters
    ----------
    before, after : the program's mask and the person's, on one grid, in spinemri's own scheme
    series : label of the series
    shown : what stands for the person's file
    """
    renamed = renamed_bodies(before, after)
    names = _every_name(before, renamed)
    known = before.renamed(names) if renamed else before
    counts = overlap(known, after)
    changed = tuple(_changes(counts, {**known.structures, **after.structures}))
    both = counts[1:, 1:]
    return CorrectedMask(
        series_uid=after.series_uid,
        series=series,
        file=shown,
        added=int(counts[0, 1:].sum()),
        removed=int(np.count_nonzero(before.voxels) - overlap(before, after)[1:, 1:].sum()),
        relabelled=int(both.sum() - np.trace(both)),
        voxel_mm3=float(np.prod(after.geometry.spacing)),
        renamed=tuple(renamed.items()),
        structures=changed,
    )


def overlap(before: Segmentation, after: Segmentation) -> NDArray[np.int64]:
    """(256, 256) numbers of voxels that have one value before and another after."""
    pairs = before.voxels.astype(np.int64) * _VALUES + after.voxels
    return np.bincount(pairs.ravel(), minlength=_VALUES**2).reshape(_VALUES, _VALUES)


def renamed_bodies(before: Segmentation, after: Segmentation) -> dict[Level, Level]:
    """Level that the program gave a body -> level that the person gives it, for those that differ, head to foot."""
    counts = overlap(before, after)
    bodies = {value: s.level for value, s in before.structures.items() if s.kind is StructureKind.VERTEBRAL_BODY}
    found = {}
    for value, structure in after.structures.items():
        if structure.kind is not StructureKind.VERTEBRAL_BODY or not bodies:
            continue
        source = max(bodies, key=lambda other: counts[other, value])
        was, now = bodies[source], structure.level
        if was is None or now is None or was == now or counts[source, value] <= _SAME_BODY * counts[:, value].sum():
            continue
        if counts[source].argmax() == value:
            found[was] = now
    return dict(sorted(found.items(), key=lambda pair: pair[0].rank))


def _every_name(before: Segmentation, renamed: Mapping[Level, Level]) -> dict[Level, Level]:
    """The new name of every level that the program's mask speaks of; one whose name another has taken is left out."""
    levels = {v for s in before.structures.values() for v in (s.level, s.lower) if v is not None}
    kept = {level: level for level in levels if level not in renamed and level not in renamed.values()}
    return {**kept, **renamed}


def _changes(counts: NDArray[np.int64], structures: Mapping[int, Structure]) -> Iterator[StructureChange]:
    for value in sorted(structures):
        before, after, both = (int(n) for n in (counts[value].sum(), counts[:, value].sum(), counts[value, value]))
        if before == after == both:
            continue
        yield StructureChange(
            kind=structures[value].kind,
            place=structures[value].place,
            before=before,
            after=after,
            added=after - both,
            removed=before - both,
            dice=2 * both / (before + after),
        )
