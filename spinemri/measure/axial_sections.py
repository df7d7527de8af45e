"""The section of one structure on an axial slice: area, depth and width perpendicular to the canal, share of fluid.

A slice is named by the array axes of its stack: across the slices, front to back, right to left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import StructureKind
from spinemri.measure.sections import longest_runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation

    Floats = NDArray[np.float64]
    Plane = NDArray[np.generic]
    Axes = tuple[int, int, int]

_LEAST_MM2 = 12.0
_BESIDE_MM = (-1.0, -0.5, 0.0, 0.5, 1.0)  # of the middle
_WEIGHTS = (-3 / 35, 12 / 35, 17 / 35, 12 / 35, -3 / 35)  # scipy.signal.savgol_coeffs(5, 2)
_FINE_MM, _SMOOTHING_PX = 0.1, 0.5
_AROUND_MM, _DARK, _BRIGHT = 6.0, 5, 95


@dataclass(frozen=True)
class Section:
    """One structure on one slice: mm2 and mm perpendicular to the sac's centre line; ``ends`` of its depth, LPS mm."""

    area: float
    depth: float
    width: float
    ends: Floats


def plane_of(voxels: Plane, axes: Axes, number: int) -> Plane:
    """A slice (front to back, right to left) of a volume, in the sense of its axes."""
    plane: Plane = np.take(voxels, number, axis=axes[0])
    return plane if axes[1] < axes[2] else plane.T


def centre_of(plane: Plane, grid: Geometry, axes: Axes, number: int) -> Floats:
    """Centroid (3,), LPS mm, of a mask on a slice; the mask holds at least one pixel."""
    row, column = np.argwhere(plane).mean(axis=0)
    return np.asarray(grid.to_patient(_index(axes, number, row, column)))


def _index(axes: Axes, number: float, row: float, column: float) -> Floats:
    index = np.zeros(3)
    index[list(axes)] = number, row, column
    return index


def section_of(plane: Plane, grid: Geometry, axes: Axes, number: int, along: Floats) -> Section | None:
    """Size of a mask (front to back, right to left) on a slice; None when it holds next to nothing."""
    row_mm, column_mm = grid.spacing[axes[1]], grid.spacing[axes[2]]
    area = float(np.count_nonzero(plane)) * row_mm * column_mm
    if area < _LEAST_MM2:
        return None
    level = ndimage.gaussian_filter(plane.astype(np.float64), _SMOOTHING_PX)
    row, column = np.argwhere(plane).mean(axis=0)
    first, last = _chord(level, (row, column), (row_mm, column_mm))
    left, right = _chord(level.T, (column, row), (column_mm, row_mm))
    square = abs(float(grid.axes[:, axes[0]] @ along))
    own = [math.sqrt(1 - float(grid.axes[:, axis] @ along) ** 2) for axis in axes[1:]]
    ends = np.array([grid.to_patient(_index(axes, number, r, column)) for r in (first, last)])
    ends = ends[np.argsort(ends[:, 1])]  # front first
    return Section(area * square, (last - first) * row_mm * own[0], (right - left) * column_mm * own[1], ends)


def _chord(level: Floats, middle: tuple[float, float], mm: tuple[float, float]) -> tuple[float, float]:
    """Rows at which a smoothed mask begins and ends on the line through its middle.

    They are those of a parabola through the lines up to 1 mm to both sides (Savitzky and Golay, Anal Chem
    1964;36:1627), which evens out pixels and leaves a round outline where it is; the mean of these lines would cut it
    off. Of a mask so narrow that a line misses it, only the middle line counts.
    """
    rows = np.arange(0, level.shape[0] - 1 + 1e-9, _FINE_MM / mm[0])
    ends = []
    for beside in _BESIDE_MM:
        columns = np.full(len(rows), middle[1] + beside / mm[1])
        values = ndimage.map_coordinates(level, np.stack([rows, columns]), order=1)
        ends.append(longest_runs(values[None], rows)[0])
    whole = np.isfinite(ends).all()
    first, last = np.asarray(_WEIGHTS) @ np.array(ends) if whole else ends[len(ends) // 2]
    return float(first), float(last)


def fluid_share(stack: tuple[Image, Segmentation], sac: Plane, axes: Axes, number: int) -> float | None:
    """Share of the sac's section that is as bright as fluid; None when nothing in the stack stands out from it."""
    image, mask = stack
    signal = plane_of(np.asarray(image.voxels, dtype=np.float32), axes, number)
    inside = np.asarray(image.voxels[mask.mask_of_kind(StructureKind.THECAL_SAC)], dtype=np.float32)
    bright = float(np.percentile(inside, _BRIGHT))
    mm = [image.geometry.spacing[a] for a in axes[1:]]
    ring = ndimage.distance_transform_edt(~sac.astype(bool), sampling=mm)
    dark = float(np.percentile(signal[(ring > 1) & (ring < _AROUND_MM)], _DARK))
    if bright <= dark:
        return None
    return float((signal[sac.astype(bool)] > (bright + dark) / 2).mean())
