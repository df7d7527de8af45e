"""Where labels count. A vertebra beyond the last labelled one is not background, nor is cord beyond the labelled part.

Bodies and discs are judged between two planes along the outer faces of the first and last labelled one; a cord between
the first and last plane of the grid that is labelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.labels.ends import outer_end

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

_ROUNDING_MM = 1e-6
_FORWARD = np.array([0.0, -1.0, 0.0])  # LPS


def column_extent(labels: NDArray[np.integer], geometry: Geometry) -> NDArray[np.bool_]:
    """(k, j, i) True between planes along the outer faces of the labelled structures at both ends.

    Parameters
    ----------
    labels : (k, j, i), one value above 0 per labelled body or disc
    geometry : grid of ``labels``, in any orientation
    """
    points = [geometry.to_patient(np.argwhere(labels == value)) for value in np.unique(labels[labels > 0])]
    points.sort(key=lambda found: -float(found[:, 2].mean()))
    inside = np.ones(labels.shape, dtype=bool)
    for end, following, up in ((0, 1, 1.0), (-1, -2, -1.0)):
        outward = np.array([0.0, 0.0, up])
        if len(points) > 1:
            outward = points[end].mean(axis=0) - points[following].mean(axis=0)
        normal, place = outer_end(points[end], outward, _FORWARD)
        inside &= _along(normal, geometry) <= place + _ROUNDING_MM
    return inside


def plane_extent(mask: NDArray[np.bool_], geometry: Geometry) -> NDArray[np.bool_]:
    """(k, j, i) True from the first to the last plane across the head-foot axis of the grid that shows a mask."""
    axis = geometry.axis_along(2)
    shown = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
    inside = np.zeros(mask.shape, dtype=bool)
    if len(shown):
        inside[tuple(slice(None) if a != axis else slice(shown[0], shown[-1] + 1) for a in range(3))] = True
    return inside


def central_slices(mask: NDArray[np.bool_], geometry: Geometry, width_mm: float) -> NDArray[np.bool_]:
    """(k, j, i) True in the sagittal slices whose centre lies within a strip around the middle of a mask."""
    axis = geometry.axis_along(0)
    shown = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
    middle = (shown[0] + shown[-1]) / 2 if len(shown) else 0.0
    near = np.abs(np.arange(mask.shape[axis]) - middle) * geometry.spacing[axis] <= width_mm / 2
    return np.broadcast_to(near.reshape([-1 if a == axis else 1 for a in range(3)]), mask.shape)


def _along(direction: NDArray[np.float64], geometry: Geometry) -> NDArray[np.float64]:
    """(k, j, i) place of every voxel along a unit vector, LPS mm."""
    steps = geometry.axes.T @ direction * np.asarray(geometry.spacing)
    parts = [
        (np.arange(n) * step).reshape([-1 if b == a else 1 for b in range(3)])
        for a, (n, step) in enumerate(zip(geometry.shape, steps, strict=True))
    ]
    return np.asarray(parts[0] + parts[1] + parts[2] + np.dot(geometry.origin, direction))
