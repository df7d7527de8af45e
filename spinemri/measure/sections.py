"""Cross-sections of the thecal sac or of the cord along the sac's centre line: front and back edge, area.

Along the line the mask is unrolled: at every half millimetre and in every sagittal slice, its front and back edges on
the line to posterior are found. The antero-posterior diameter is read in the mid-sagittal plane. The area is what the
chords of all slices cover; where slices lie far apart it is that of the ellipse whose chords they are.

Known failure: where slices lie far apart, an outline that is no ellipse (a cord flattened from one side, a sac with a
lateral recess that is narrowed) has an area a tenth off or more, and one that fewer than three slices cross has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.measure.centreline import STEP_MM
from spinemri.measure.contour import SMOOTHING_VOXELS

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.measure.centreline import CentreLine

    Floats = NDArray[np.float64]

_EDGE_SD_MM = 0.8
_REACH_MM = 20.0  # from the line, to front and back
_SIDEWAYS_MM = 18.0
_FINE_MM = 0.2
_DENSE_MM = 2.0  # slices nearer to each other cover an outline without a model of its shape
_LEAST_CHORDS = 3
_PAD = 4  # voxels that smoothing needs around a mask


@dataclass(frozen=True, eq=False)
class Profile:
    """Edges of one structure along the sac's centre line (n points).

    Parameters
    ----------
    line : the centre line
    front, back : (n,) mm from the line, to posterior, in the mid-sagittal plane; nan where the structure is absent
    edges : (slices, n, 2) front and back edge in every sagittal slice; nan where the structure is absent
    slices : (slices,) their indices along the grid's left-right axis
    area : (n,) mm2 perpendicular to the line; nan where the structure is absent
    spacing_mm : distance of the slices
    """

    line: CentreLine
    front: Floats
    back: Floats
    edges: Floats
    slices: NDArray[np.intp]
    area: Floats
    spacing_mm: float

    @property
    def diameter(self) -> Floats:
        """(n,) antero-posterior diameter in mm; nan where the structure is absent."""
        return self.back - self.front


def profile_along(
    mask: NDArray[np.bool_], geometry: Geometry, line: CentreLine, skip_slices: Collection[int] = ()
) -> Profile:
    """Edges and area of a mask along a centre line.

    The mid-sagittal plane follows the line from slice to slice; between slices the squared diameter, which is a
    parabola across an ellipse, is interpolated from the three nearest slices.

    Parameters
    ----------
    mask : (k, j, i) of the sac with its contents, or of the cord, on ``geometry``
    line : of the sac
    skip_slices : sagittal slices that must not be measured
    """
    lr_axis = geometry.axis_along(0)
    slices = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != lr_axis)))
    slices = np.array([n for n in slices if n not in skip_slices], dtype=int)
    spacing = float(geometry.spacing[lr_axis])
    exact = geometry.to_index(line.points)[:, lr_axis]
    leftward = float(np.sign(geometry.axes[:, lr_axis] @ line.left)) or 1.0
    offsets = (slices[:, None] - exact) * spacing * leftward
    edges = np.full((len(slices), len(line.points), 2), np.nan)
    for n, index in enumerate(slices):
        close = np.abs(offsets[n]) <= _SIDEWAYS_MM
        if close.any():
            edges[n, close] = _slice_edges(np.take(mask, index, axis=lr_axis), geometry, line, int(index), close)
    front, back = _at_plane(slices.astype(np.float64), exact, edges)
    area = _areas(edges[..., 1] - edges[..., 0], offsets, spacing) * _uprightness(line)
    return Profile(line, _along(front), _along(back), edges, slices, _along(area), spacing)


def _uprightness(line: CentreLine) -> Floats:
    """(n,) cosine of the angle by which the line leans out of the sagittal plane: what it makes a section too large."""
    tangent = np.gradient(line.points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    return np.asarray(np.sqrt(np.clip(1 - (tangent @ line.left) ** 2, 0, 1)))


def _areas(chords: Floats, offsets: Floats, spacing: float) -> Floats:
    """Area (n,) that chords (slices, n) at offsets (slices, n) mm cover; nan where too few slices cross it."""
    covered = np.nansum(chords, axis=0) * spacing
    count = np.isfinite(chords).sum(axis=0)
    if spacing <= _DENSE_MM:
        return np.where(count > 0, covered, np.nan)
    area = np.where(count >= _LEAST_CHORDS, covered, np.nan)
    for n in np.flatnonzero(count >= _LEAST_CHORDS):
        here = np.isfinite(chords[:, n])
        ellipse = _ellipse_area(chords[here, n], offsets[here, n], spacing)
        area[n] = area[n] if ellipse is None else ellipse
    return np.asarray(area)


def _ellipse_area(chords: Floats, offsets: Floats, spacing: float) -> float | None:
    """Area of the ellipse whose chords these are, or None when they are not those of one.

    The squared chord of an ellipse is a parabola over the offset. The ellipse must end beyond the outermost chords and
    not beyond the slices after them.
    """
    c, b, a = np.polynomial.polynomial.polyfit(offsets, chords**2, 2)
    if a >= 0:
        return None
    widest = c - b**2 / (4 * a)
    half = float(np.sqrt(widest / -a)) if widest > 0 else 0.0
    inner = (offsets.max() - offsets.min()) / 2
    half = float(np.clip(half, inner, inner + spacing))
    return float(np.pi / 2 * np.sqrt(max(widest, 0.0)) * half)


def _slice_edges(
    plane: NDArray[np.bool_], geometry: Geometry, line: CentreLine, index: int, close: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Front and back edge (m, 2) in mm from the line, in one slice, at the ``close`` points of the line."""
    lr_axis = geometry.axis_along(0)
    (box,) = ndimage.find_objects(np.asarray(plane, dtype=np.uint8))
    box = tuple(slice(max(side.start - _PAD, 0), side.stop + _PAD) for side in box)
    level = ndimage.gaussian_filter(ndimage.binary_fill_holes(plane[box]).astype(np.float64), SMOOTHING_VOXELS)
    across = np.arange(-_REACH_MM, _REACH_MM + _FINE_MM / 2, _FINE_MM)
    points = line.points[close][:, None] + across[:, None] * line.posterior[close][:, None]
    indices = geometry.to_index(points)
    shift = (index - indices[..., lr_axis]) * geometry.spacing[lr_axis]
    moved = points + shift[..., None] * geometry.axes[:, lr_axis]
    inplane = np.delete(geometry.to_index(moved), lr_axis, axis=-1) - [side.start for side in box]
    values = ndimage.map_coordinates(level, np.moveaxis(inplane, -1, 0), order=1, mode="constant")
    return longest_runs(values, across)


def longest_runs(values: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ends (m, 2) of the longest stretch above one half in each row (m, n), by linear interpolation; nan without one.

    Parameters
    ----------
    across : (n,) place of the columns; of several stretches that are as long the first counts
    """
    ends = np.full((len(values), 2), np.nan)
    change = np.diff(np.pad(values > 0.5, ((0, 0), (1, 1))), axis=1)
    rows, at = np.nonzero(change)
    rows, starts, stops = rows[::2], at[::2], at[1::2]
    order = np.lexsort((-starts, stops - starts, rows))  # the last of each row is its longest, the first of these
    chosen = order[np.flatnonzero(np.diff(rows[order], append=-1))]
    rows, first, last = rows[chosen], starts[chosen], stops[chosen] - 1
    ends[rows, 0] = _crossings(values[rows], across, first, first - 1)
    ends[rows, 1] = _crossings(values[rows], across, last, last + 1)
    return ends


def _crossings(
    values: NDArray[np.float64], across: NDArray[np.float64], inner: NDArray[np.intp], outer: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Place (m,) between two columns of each row where one half is crossed; the inner one at the border."""
    number = np.arange(len(values))
    beyond = np.where((outer >= 0) & (outer < len(across)), outer, inner)
    own = values[number, inner]
    step = own - values[number, beyond]
    fraction = np.divide(own - 0.5, step, out=np.zeros(len(values)), where=beyond != inner)
    return np.asarray(across[inner] + fraction * (across[beyond] - across[inner]))


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
