"""The thecal sac follows a smooth curve; its diameters are taken perpendicular to that curve, not along the table.

The curve runs through the centres of the sac in planes across the long axis of the grid, smoothed over two vertebral
heights so that a narrowing that pushes the sac aside does not bend it. Along the curve the sac is unrolled: at every
half millimetre and in every sagittal slice, its front and back edges on the line to posterior are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.measure.contour import SMOOTHING_VOXELS
from spinemri.measure.frame import left_axis

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

STEP_MM = 0.5
_CURVE_SD_MM = 12.0
_EDGE_SD_MM = 0.8
_REACH_MM = 20.0
_FINE_MM = 0.2
_MIN_ROWS = 5


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


@dataclass(frozen=True, eq=False)
class SacProfile:
    """Front and back edge of the sac in the mid-sagittal plane along its centre line.

    Parameters
    ----------
    line : the centre line (n points)
    front, back : (n,) mm from the line, to posterior; nan where the sac is absent
    """

    line: CentreLine
    front: NDArray[np.float64]
    back: NDArray[np.float64]

    @property
    def diameter(self) -> NDArray[np.float64]:
        """(n,) antero-posterior diameter in mm; nan where the sac is absent."""
        return self.back - self.front


def centre_line(mask: NDArray[np.bool_], geometry: Geometry) -> CentreLine | None:
    """Centre line of a sac mask (k, j, i), or None when fewer than five planes across the grid show it."""
    si_axis = geometry.axis_along(2)
    rows = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != si_axis)))
    if len(rows) < _MIN_ROWS:
        return None
    centres = np.array([_centroid(mask, si_axis, int(row)) for row in rows])
    points = geometry.to_patient(centres)
    points = points[np.argsort(-points[:, 2])]
    smooth = _evenly(_smoothed(_evenly(points)))
    tangent = np.gradient(smooth, axis=0)
    left = left_axis(geometry)
    posterior = np.cross(left, tangent)
    posterior *= np.sign(posterior[:, 1:2])
    return CentreLine(smooth, posterior / np.linalg.norm(posterior, axis=1, keepdims=True), left)


def sac_profile(
    mask: NDArray[np.bool_], geometry: Geometry, line: CentreLine, skip_slices: Collection[int] = ()
) -> SacProfile:
    """Edges of the sac in the mid-sagittal plane along its centre line.

    The plane follows the line from slice to slice; between slices the squared diameter, which is a parabola across an
    ellipse, is interpolated from the three nearest slices.

    Parameters
    ----------
    mask : (k, j, i) of the sac with its contents on ``geometry``
    skip_slices : sagittal slices that must not be measured
    """
    lr_axis = geometry.axis_along(0)
    slices = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != lr_axis)))
    slices = np.array([n for n in slices if n not in skip_slices], dtype=int)
    exact = geometry.to_index(line.points)[:, lr_axis]
    edges = np.full((len(slices), len(line.points), 2), np.nan)
    for n, index in enumerate(slices):
        close = np.abs(exact - index) <= 2.0
        if close.any():
            edges[n, close] = _slice_edges(np.take(mask, index, axis=lr_axis), geometry, line, int(index), close)
    front, back = _at_plane(slices.astype(np.float64), exact, edges)
    return SacProfile(line, _along(front), _along(back))


def _centroid(mask: NDArray[np.bool_], axis: int, row: int) -> NDArray[np.float64]:
    plane = np.argwhere(np.take(mask, row, axis=axis)).mean(axis=0)
    return np.insert(plane, axis, row)


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


def _slice_edges(
    plane: NDArray[np.bool_], geometry: Geometry, line: CentreLine, index: int, close: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Front and back edge (m, 2) in mm from the line, in one slice, at the ``close`` points of the line."""
    lr_axis = geometry.axis_along(0)
    level = ndimage.gaussian_filter(ndimage.binary_fill_holes(plane).astype(np.float64), SMOOTHING_VOXELS)
    across = np.arange(-_REACH_MM, _REACH_MM + _FINE_MM / 2, _FINE_MM)
    points = line.points[close][:, None] + across[:, None] * line.posterior[close][:, None]
    indices = geometry.to_index(points)
    shift = (index - indices[..., lr_axis]) * geometry.spacing[lr_axis]
    moved = points + shift[..., None] * geometry.axes[:, lr_axis]
    inplane = np.delete(geometry.to_index(moved), lr_axis, axis=-1)
    values = ndimage.map_coordinates(level, np.moveaxis(inplane, -1, 0), order=1, mode="constant")
    return np.array([_longest_run(row, across) for row in values])


def _longest_run(values: NDArray[np.float64], across: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of the longest stretch above one half, by linear interpolation; nan when there is none."""
    inside = np.concatenate([[False], values > 0.5, [False]])
    change = np.flatnonzero(inside[1:] != inside[:-1])
    if not len(change):
        return np.nan, np.nan
    starts, stops = change[::2], change[1::2]
    longest = int(np.argmax(stops - starts))
    first, last = int(starts[longest]), int(stops[longest]) - 1
    return _crossing(values, across, first, first - 1), _crossing(values, across, last, last + 1)


def _crossing(values: NDArray[np.float64], across: NDArray[np.float64], inner: int, outer: int) -> float:
    if not 0 <= outer < len(values):
        return float(across[inner])
    fraction = (values[inner] - 0.5) / (values[inner] - values[outer])
    return float(across[inner] + fraction * (across[outer] - across[inner]))


def _at_plane(
    slices: NDArray[np.float64], exact: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges (n,) at the fractional slice ``exact`` of each point of the line."""
    front, back = np.full(len(exact), np.nan), np.full(len(exact), np.nan)
    for n, position in enumerate(exact):
        present = np.flatnonzero(np.isfinite(edges[:, n, 0]))
        if not len(present) or np.abs(slices[present] - position).min() > 1.0:
            continue
        nearest = present[np.argsort(np.abs(slices[present] - position))[:3]]
        offset = slices[nearest] - position
        diameter = edges[nearest, n, 1] - edges[nearest, n, 0]
        centre = edges[nearest, n].mean(axis=1)
        degree = min(len(nearest) - 1, 2)
        squared = np.polynomial.polynomial.polyfit(offset, diameter**2, degree)[0]
        width = np.sqrt(np.clip(squared, diameter.min() ** 2, (1.15 * diameter.max()) ** 2))
        middle = np.polynomial.polynomial.polyfit(offset, centre, min(degree, 1))[0]
        front[n], back[n] = middle - width / 2, middle + width / 2
    return front, back


def _along(edge: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edge smoothed along the line over about 2 mm; absent stretches stay absent."""
    known = np.isfinite(edge)
    weight = ndimage.gaussian_filter1d(known.astype(np.float64), _EDGE_SD_MM / STEP_MM)
    total = ndimage.gaussian_filter1d(np.where(known, edge, 0.0), _EDGE_SD_MM / STEP_MM)
    return np.where(known, total / np.maximum(weight, 1e-6), np.nan)
