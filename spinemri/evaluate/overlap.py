"""How well two masks of one grid agree: overlap, and the distance between their surfaces in millimetres.

Readers differ by about a pixel in where they draw a border, so a found mask is also compared with its border moved one
pixel out and in. Surfaces are the faces between voxels, weighted by their area, so that 4 mm slices count as what they
are: a slice too few at the end is one cap 4 mm away, not thousands of distant voxels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from spinemri.segment.inplane import cross

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

    Mask = NDArray[np.bool_]


def dice(found: Mask, truth: Mask) -> float:
    """Twice the overlap over the sum of two masks (any shape), 0 to 1; 1 when both are empty."""
    total = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / total if total else 1.0


def moved(mask: Mask, geometry: Geometry, pixels: int) -> Mask:
    """A mask (k, j, i) whose border lies so many pixels further out (or in, below 0) in every sagittal slice."""
    if pixels == 0:
        return mask
    change = ndimage.binary_dilation if pixels > 0 else ndimage.binary_erosion
    result: Mask = change(mask, cross(geometry.axis_along(0)), iterations=abs(pixels))
    return result


def surface_distance(found: Mask, truth: Mask, geometry: Geometry) -> float | None:
    """Average symmetric surface distance of two masks (k, j, i) in mm; None when either is empty.

    The mean, over both surfaces, of the distance to the other one, each face between a voxel inside and one outside
    counting with its area. Yeghiazaryan and Voiculescu, J Med Imaging 2018;5:015006, without sampling by voxel.
    """
    if not found.any() or not truth.any():
        return None
    (first, first_areas), (second, second_areas) = (_faces(mask, geometry) for mask in (found, truth))
    forth, _ = cKDTree(second).query(first)
    back, _ = cKDTree(first).query(second)
    return float(np.average(np.concatenate([forth, back]), weights=np.concatenate([first_areas, second_areas])))


def _faces(mask: Mask, geometry: Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (n, 3) in mm along the array axes, and areas (n,) in mm2, of all faces of a mask's voxels."""
    spacing = np.asarray(geometry.spacing)
    padded = np.pad(mask, 1)
    centres, areas = [], []
    for axis in range(3):
        at = np.argwhere(np.diff(padded, axis=axis)).astype(np.float64)
        at[:, axis] += 0.5
        centres.append(at * spacing)
        areas.append(np.full(len(at), spacing.prod() / spacing[axis]))
    return np.concatenate(centres), np.concatenate(areas)
