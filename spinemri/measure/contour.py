"""The edge of a mask in the patient, finer than a voxel.

A binary mask says where the edge is to half a voxel. Smoothing it lightly within each sagittal slice and taking the
half level between neighbouring voxels (marching squares) gives points whose local averages are unbiased, so that lines
fitted to them reach a fraction of a voxel. Smoothing never crosses slices: they lie several millimetres apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

SMOOTHING_VOXELS = 0.7
"""Width (standard deviation) of the in-plane smoothing: removes spurs one voxel wide, moves a flat edge not at all."""
_MARGIN = 3


@dataclass(frozen=True, eq=False)
class Contour:
    """Edge points of a mask in one sagittal slice.

    Parameters
    ----------
    slice_index : index of the slice along the grid's left-right axis
    points : (n, 3) LPS mm
    normals : (n, 3) unit vectors that point out of the mask
    """

    slice_index: int
    points: NDArray[np.float64]
    normals: NDArray[np.float64]


def box_around(mask: NDArray[np.bool_], margin: Sequence[int]) -> tuple[slice, slice, slice]:
    """The part of an array that holds a mask, with ``margin`` voxels more on both sides of each axis as far as it goes.

    The mask holds at least one voxel.
    """
    sides = []
    for axis, (more, count) in enumerate(zip(margin, mask.shape, strict=True)):
        held = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        sides.append(slice(max(int(held[0]) - more, 0), min(int(held[-1]) + 1 + more, count)))
    return sides[0], sides[1], sides[2]


def main_component(mask: NDArray[np.bool_], lr_axis: int) -> NDArray[np.bool_]:
    """The largest connected part of a mask with holes in the depth of each sagittal slice filled; shape of ``mask``.

    Parts that touch only through an edge or a corner count as separate. Holes within two voxels of the outline stay:
    filling them would move a ragged outline outwards.
    """
    filled = np.stack([_without_deep_holes(plane) for plane in np.moveaxis(mask, lr_axis, 0)])
    labels, count = ndimage.label(filled)
    if count > 1:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        filled = labels == int(np.argmax(sizes))
    return np.moveaxis(filled, 0, lr_axis)


def _without_deep_holes(plane: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(plane | ndimage.binary_erosion(ndimage.binary_fill_holes(plane), iterations=2))


def contour(mask: NDArray[np.bool_], geometry: Geometry, slice_index: int) -> Contour | None:
    """Edge points of ``mask`` in one sagittal slice, or None when the slice is empty.

    Parameters
    ----------
    mask : (k, j, i) on ``geometry``
    slice_index : index along the array axis closest to the patient's left-right
    """
    lr_axis = geometry.axis_along(0)
    plane = np.take(mask, slice_index, axis=lr_axis)
    if not plane.any():
        return None
    corner = [int(np.flatnonzero(plane.any(axis=1 - a))[0]) - _MARGIN for a in (0, 1)]
    spacing = [geometry.spacing[a] for a in range(3) if a != lr_axis]
    index, normal = _half_level(_smooth_crop(plane), (spacing[0], spacing[1]))
    full = np.insert(index + corner, lr_axis, slice_index, axis=1)
    axes = geometry.axes[:, [a for a in range(3) if a != lr_axis]]
    return Contour(slice_index, geometry.to_patient(full), normal @ axes.T)


def _smooth_crop(plane: NDArray[np.bool_]) -> NDArray[np.float64]:
    rows, columns = (np.flatnonzero(plane.any(axis=1 - a)) for a in (0, 1))
    box = plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(ndimage.gaussian_filter(np.pad(box, _MARGIN).astype(np.float64), SMOOTHING_VOXELS))


def _half_level(
    level: NDArray[np.float64], spacing: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Crossings of 0.5 between in-plane neighbours: indices (n, 2) and outward unit normals (n, 2) along the axes."""
    gradient = np.stack([np.gradient(level, spacing[a], axis=a) for a in (0, 1)], axis=-1)
    indices, normals = [], []
    for axis in (0, 1):
        low = np.take(level, range(level.shape[axis] - 1), axis=axis) - 0.5
        high = np.take(level, range(1, level.shape[axis]), axis=axis) - 0.5
        here = np.argwhere((low > 0) != (high > 0))
        there = here + np.eye(2, dtype=int)[axis]
        first, second = low[tuple(here.T)], high[tuple(here.T)]
        fraction = (first / (first - second))[:, None]
        indices.append(here + fraction * (there - here))
        normals.append(-(1 - fraction) * gradient[tuple(here.T)] - fraction * gradient[tuple(there.T)])
    normal = np.concatenate(normals)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return np.concatenate(indices), normal / np.maximum(length, 1e-9)
