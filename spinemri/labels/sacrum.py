"""The body of S1 within a sacrum drawn as one: what lies under the upper endplate, as wide and deep as that is.

The endplate is the plane through the first voxels of the sacrum below the lowest lumbar body. Nothing in the mask marks
where S1 ends: the lower border is set one and a tenth of the height of the body above, and nothing is measured at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

    Mask = NDArray[np.bool_]
    Points = NDArray[np.float64]

_HEIGHT = 1.1  # of the height of the body above
_BIN_MM, _ON_PLATE_MM = 2.0, 3.5
_LEAST_BINS = 12
_DEEP, _WIDE = 0.75, 0.3  # share of depth and width of the body above, about its middle, where the plate is looked for


def first_sacral(sacrum: Mask, bodies: tuple[Mask, Mask], geometry: Geometry) -> Mask | None:
    """The body of S1; None when its upper endplate cannot be followed.

    Parameters
    ----------
    sacrum : (k, j, i) of the whole sacrum, or of its first segment
    bodies : of the lowest two lumbar vertebrae, upper one first
    """
    index = np.argwhere(sacrum)
    upper, lower = (geometry.to_patient(np.argwhere(body)) for body in bodies)
    if min(len(index), len(upper), len(lower)) == 0:
        return None
    frame, middle = _frame(upper, lower, geometry)
    above, places = (lower - middle) @ frame, (geometry.to_patient(index) - middle) @ frame
    width, depth, height = np.ptp(above, axis=0)
    near = (np.abs(places[:, 0]) < _WIDE * width) & (np.abs(places[:, 1]) < _DEEP * depth) & (places[:, 2] > 0)
    plate = _upper_ends(places[near], geometry.spacing[geometry.axis_along(0)])
    found = _plane(plate, depth)
    if found is None:
        return None
    plane, (front, back) = found
    normal = np.array([-plane[1], -plane[2], 1.0]) / np.sqrt(1 + plane[1] ** 2 + plane[2] ** 2)
    under = (places - [0.0, 0.0, plane[0]]) @ normal
    along = places[:, 1] + under * plane[2]  # foot on the plate, towards posterior
    inside = (under > -_ON_PLATE_MM) & (under < _HEIGHT * height) & (np.abs(places[:, 0]) < width / 2)
    inside &= (along > front - _BIN_MM) & (along < back + _BIN_MM)
    body = np.zeros_like(sacrum)
    body[tuple(index[inside].T)] = True
    return body if inside.any() else None


def _frame(upper: Points, lower: Points, geometry: Geometry) -> tuple[NDArray[np.float64], Points]:
    """Axes (columns: left, posterior, down) of the lower body and its centre."""
    middle = lower.mean(axis=0)
    down = middle - upper.mean(axis=0)
    left = geometry.axes[:, geometry.axis_along(0)] * np.sign(geometry.axes[0, geometry.axis_along(0)])
    down = down - (down @ left) * left
    down /= np.linalg.norm(down)
    return np.stack([left, np.cross(left, -down) * -1, down], axis=1), middle


def _upper_ends(places: Points, slice_mm: float) -> Points:
    """The uppermost place in each bin of left-right and front-back."""
    bins = np.rint(places[:, :2] / [slice_mm, _BIN_MM]).astype(int)
    order = np.lexsort((places[:, 2], bins[:, 1], bins[:, 0]))
    _, first = np.unique(bins[order], axis=0, return_index=True)
    return places[order][first]


def _plane(plate: Points, depth: float) -> tuple[NDArray[np.float64], tuple[float, float]] | None:
    """Depth below the body above as a plane (at its centre, per mm left, per mm back); front and back of the plate."""
    if len(plate) < _LEAST_BINS:
        return None
    terms = np.column_stack([np.ones(len(plate)), plate[:, :2]])
    keep = np.abs(plate[:, 1]) < depth / 3
    plane = np.zeros(3)
    for _ in range(8):
        if keep.sum() < _LEAST_BINS / 2:
            return None
        plane = np.linalg.lstsq(terms[keep], plate[keep, 2], rcond=None)[0]
        keep = np.abs(plate[:, 2] - terms @ plane) < _ON_PLATE_MM
    return plane, (float(plate[keep, 1].min()), float(plate[keep, 1].max()))
