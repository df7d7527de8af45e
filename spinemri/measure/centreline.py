"""The thecal sac follows a smooth curve; its diameters are taken perpendicular to that curve, not along the table.

The curve runs through the centres of the sac in planes across the long axis of the grid, smoothed over two vertebral
heights. A narrowing that pushes the sac aside does not bend it: where the sac is a fifth smaller than around, the curve
is carried on from above and below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.measure.frame import left_axis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

STEP_MM = 0.5
_CURVE_SD_MM = 12.0
_MIN_ROWS = 5
_AROUND_MM, _NARROW, _BESIDE_MM = 80.0, 0.8, 3.0  # of a narrowing: median over; share of it; taken along on both sides
_ROUNDS, _ROWS_SD = 6, 8.0


@dataclass(frozen=True, eq=False)
class CentreLine:
    """The sac's centre line, head to foot.

    Parameters
    ----------
    points : (n, 3) LPS mm, 0.5 mm apart
    posterior : (n, 3) unit vectors perpendicular to the line, in the sagittal plane, to posterior
    left : unit vector perpendicular to the sagittal slices, to the left
    """

    points: NDArray[np.float64]
    posterior: NDArray[np.float64]
    left: NDArray[np.float64]

    def nearest_to_plane(self, point: NDArray[np.float64], normal: NDArray[np.float64]) -> int | None:
        """Index where the line crosses the plane through ``point``; None when it ends before.

        Of several crossings the one closest to ``point``.
        """
        side = (self.points - point) @ normal
        crossings = np.flatnonzero((side[:-1] > 0) != (side[1:] > 0))
        if not len(crossings):
            return None
        distance = np.linalg.norm(self.points[crossings] - point, axis=1)
        return int(crossings[np.argmin(distance)])


def centre_line(mask: NDArray[np.bool_], geometry: Geometry) -> CentreLine | None:
    """Centre line of a sac mask (k, j, i), or None when fewer than five planes across the grid show it."""
    si_axis = geometry.axis_along(2)
    rows = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != si_axis)))
    if len(rows) < _MIN_ROWS:
        return None
    centres = np.array([_centroid(mask, si_axis, int(row)) for row in rows])
    areas = np.count_nonzero(mask, axis=tuple(a for a in range(3) if a != si_axis))[rows].astype(np.float64)
    points = geometry.to_patient(centres)
    order = np.argsort(-points[:, 2])
    points, narrowed = points[order], _narrowed(areas[order], geometry.spacing[si_axis])
    points[narrowed] = _bridged(points, narrowed)
    smooth = _evenly(_smoothed(_evenly(points)))
    tangent = np.gradient(smooth, axis=0)
    left = left_axis(geometry)
    posterior = np.cross(left, tangent)
    posterior *= np.sign(posterior[:, 1:2])
    return CentreLine(smooth, posterior / np.linalg.norm(posterior, axis=1, keepdims=True), left)


def _centroid(mask: NDArray[np.bool_], axis: int, row: int) -> NDArray[np.float64]:
    plane = np.argwhere(np.take(mask, row, axis=axis)).mean(axis=0)
    return np.insert(plane, axis, row)


def _narrowed(areas: NDArray[np.float64], step_mm: float) -> NDArray[np.bool_]:
    """Planes (n,) in which the sac is much smaller than around them."""
    size = 2 * round(_AROUND_MM / step_mm / 2) + 1
    narrow: NDArray[np.bool_] = areas < _NARROW * ndimage.median_filter(areas, size, mode="nearest")
    return np.asarray(ndimage.binary_dilation(narrow, iterations=max(round(_BESIDE_MM / step_mm), 1)))


def _bridged(points: NDArray[np.float64], left_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What a smooth curve through the other points leads one to expect at those left out (m, 3)."""
    known = np.flatnonzero(~left_out)
    if len(known) < _MIN_ROWS or len(known) == len(points):
        return points[left_out]
    place = np.arange(len(points))
    found = points.copy()
    for _ in range(_ROUNDS):
        course = np.stack([ndimage.gaussian_filter1d(found[:, a], _ROWS_SD, mode="nearest") for a in range(3)], axis=1)
        rest = (points - course)[known]
        across = np.stack([np.interp(place[left_out], known, rest[:, a]) for a in range(3)], axis=1)
        found[left_out] = course[left_out] + across
    return np.asarray(found[left_out])


def _evenly(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same curve with points every 0.5 mm of its length."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.arange(0.0, length[-1], STEP_MM)
    return np.stack([np.interp(at, length, points[:, a]) for a in range(3)], axis=1)


def _smoothed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian smoothing along the curve; ends are continued by point reflection, so that they keep their direction."""
    sd = _CURVE_SD_MM / STEP_MM
    pad = min(int(3 * sd), len(points) - 1)
    head, tail = 2 * points[0] - points[pad:0:-1], 2 * points[-1] - points[-2 : -pad - 2 : -1]
    padded = np.concatenate([head, points, tail])
    return np.asarray(ndimage.gaussian_filter1d(padded, sd, axis=0)[pad : pad + len(points)])
