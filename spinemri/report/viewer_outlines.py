"""Outlines of what a slice shows, small enough that every slice of every series can carry its own.

Coordinates are tenths of a pixel, written as whole steps from point to point. They are smoothed for display only;
nothing is measured on them.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri import plot
from spinemri.register import motion_between, to_moving
from spinemri.report.lesion_figure import mask_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from spinemri.case import Case
    from spinemri.geometry import Geometry
    from spinemri.lesion import Lesion
    from spinemri.spine import VertebraAlignment

    Move = Callable[[NDArray[np.float64]], NDArray[np.float64]]

TENTHS = 10
_HALF = 0.5


def outline(mask: NDArray[np.bool_], first: tuple[int, int], pixel_mm: tuple[float, float]) -> str:
    """SVG path data, tenths of a pixel, of a mask (rows, columns) whose first pixel is (row, column) ``first``."""
    return "".join(_path(line + first[::-1]) for line in plot.smooth_outlines(mask, pixel_mm))


def pieces(labels: NDArray[np.unsignedinteger]) -> Iterator[tuple[int, NDArray[np.bool_], tuple[int, int]]]:
    """Every label value of a slice (rows, columns) with the mask of its box and the box's first row and column."""
    for n, box in enumerate(ndimage.find_objects(labels.astype(np.int32)), 1):
        if box is not None:
            yield n, labels[box] == n, (box[0].start, box[1].start)


def lesion_volume(case: Case, lesion: Lesion, series_uid: str, geometry: Geometry) -> NDArray[np.bool_] | None:
    """A lesion's mask (k, j, i) on the grid of a series, moved with its vertebra; None where that is not known.

    It is not known in another frame of reference, or where the two series could not be matched at the lesion.
    """
    mask = mask_of(case, lesion)
    if mask is None:
        return None
    inside = np.asarray(mask.voxels == lesion.label)
    if mask.geometry.same_grid(geometry) and lesion.series_uid == series_uid:
        return inside
    motion = motion_between(case.analysis.alignments, lesion.level, series_uid, lesion.series_uid)
    unmatched = motion is not None and motion.status == "unpaired"
    if unmatched or mask.geometry.frame_of_reference_uid != geometry.frame_of_reference_uid:
        return None

    return carried(inside, mask.geometry, geometry, partial(_moved, motion))


def carried(inside: NDArray[np.bool_], source: Geometry, target: Geometry, move: Move) -> NDArray[np.bool_]:
    """A mask (k, j, i) of one grid on another one in which the patient lies otherwise, read between its voxels.

    Parameters
    ----------
    move : rigid; points (..., 3), LPS mm, of the target's patient -> the same anatomy in the source's
    """
    if not inside.any():
        return np.zeros(target.shape, dtype=bool)
    return _sampled(inside, _index_map(target, source, move), target)


def _moved(motion: VertebraAlignment | None, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points if motion is None else to_moving(motion, points)


def _index_map(target: Geometry, source: Geometry, move: Move) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix (3, 3) and offset (3,) from indices of one grid to those of another in which the patient has moved."""
    corners = target.to_patient(np.vstack([np.zeros(3), np.eye(3)]))
    there = source.to_index(move(corners))
    return (there[1:] - there[0]).T, there[0]


def _sampled(
    inside: NDArray[np.bool_], from_index: tuple[NDArray[np.float64], NDArray[np.float64]], target: Geometry
) -> NDArray[np.bool_]:
    """A mask on another grid, read between its voxels; only the box that can hold it is looked at."""
    matrix, offset = from_index
    used = np.argwhere(inside)
    ends = np.stack([used.min(axis=0) - 1.0, used.max(axis=0) + 1.0])
    corners = np.array(list(product(*ends.T)))
    there = (corners - offset) @ np.linalg.inv(matrix).T
    low = np.clip(np.floor(there.min(axis=0)).astype(int), 0, target.shape)
    high = np.clip(np.ceil(there.max(axis=0)).astype(int) + 1, 0, target.shape)
    filled = np.zeros(target.shape, dtype=bool)
    if (high > low).all():
        shape = tuple((high - low).tolist())
        read = ndimage.affine_transform(
            inside.astype(np.float32), matrix, matrix @ low + offset, output_shape=shape, order=1
        )
        filled[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = read > _HALF
    return filled


def _path(points: NDArray[np.float64]) -> str:
    """Every second point of a closed line as whole steps; they lie half a pixel apart."""
    whole = np.round(points[::2] * TENTHS).astype(int)
    steps = np.diff(whole, axis=0)
    moved = steps[(steps != 0).any(axis=1)]
    if len(moved) < 2:
        return ""
    return f"M{whole[0, 0]} {whole[0, 1]}l" + " ".join(f"{x} {y}" for x, y in moved.tolist()) + "z"
