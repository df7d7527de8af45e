"""Which parts of a slice the network reads at once: a band around the spine, in windows along it."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

OVERLAP = 0.25
"""Share of a window that the next one shows too."""

_LEAST_BONE_PX, _OUTLIERS = 300, 0.02
_BEHIND_MM, _BEFORE_MM = 65, 25  # of the column's bone: spinous processes behind, a margin in front
_FRONT_MM = 15  # from the canal to the middle of what is read of an axial slice
_LEAST_CANAL_PX, _CANAL_MM, _STEP_PX = 60, 25, 32  # a canal no larger than this does not wander


def window_size(size: int, trained: int, step: int, growth: float) -> int:
    """Window length in pixels, a multiple of ``step``, that covers ``size`` pixels with the fewest overlapping windows.

    A network with instance normalisation has its own idea of how much anatomy a window shows, so a window is at most
    ``growth`` times as long as the ``trained`` one.
    """
    count = 1
    while (window := step * ceil(size / (1 + (count - 1) * (1 - OVERLAP)) / step)) > growth * trained:
        count += 1
    return max(window, min(trained, 4 * step))


def rows_around(bone: NDArray[np.integer], least: int, step: int) -> slice | None:
    """Rows, ``least`` or more in steps, around the rows that hold bone; None when there is too little of it.

    Parameters
    ----------
    bone : (rows,) pixels of bodies and discs in each row, from posterior to anterior, 1 mm apart
    """
    if bone.sum() < _LEAST_BONE_PX:
        return None
    share = np.cumsum(bone) / bone.sum()
    back, front = np.searchsorted(share, (_OUTLIERS, 1 - _OUTLIERS)) + np.array([-_BEHIND_MM, _BEFORE_MM])
    size = max(least, step * ceil((front - back) / step))
    first = int(np.clip(round((back + front - size) / 2), 0, max(0, len(bone) - size)))
    return slice(first, min(first + size, len(bone)))


def square_around(canal: NDArray[np.integer], size: tuple[int, int], pixel_mm: float) -> tuple[slice, slice] | None:
    """Rows and columns of axial slices around the canal and the body: ``size`` of them, more where the canal wanders.

    None when there is too little of the canal.

    Parameters
    ----------
    canal : (rows, columns) pixels of sac and cord in some slices, rows from posterior to anterior
    """
    if canal.sum() < _LEAST_CANAL_PX:
        return None
    found = []
    for axis, (least, front) in enumerate(zip(size, (_FRONT_MM, 0), strict=True)):
        share = np.cumsum(canal.sum(axis=1 - axis)) / canal.sum()
        back, ahead = np.searchsorted(share, (_OUTLIERS, 1 - _OUTLIERS)) + front / pixel_mm
        steps = ceil(max(0.0, ahead - back - _CANAL_MM / pixel_mm) / _STEP_PX)
        wide = least + _STEP_PX * steps
        first = min(max(round((back + ahead - wide) / 2), 0), max(0, canal.shape[axis] - wide))
        found.append(slice(first, min(first + wide, canal.shape[axis])))
    return found[0], found[1]
