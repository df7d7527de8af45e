"""One neural foramen in each sagittal slice that runs through the pedicles above and below it.

All lengths are taken in the disc's own frame, rows along the disc and columns along the wall: the line through the
posterior margins of the two bodies beside the disc, in that slice. A slice crosses the foramen where the arches of both
vertebrae reach that line and fill most of the 5 mm behind it, over 3 mm of height: these are the pedicles. They lie 6
to 28 mm beside the middle of the disc.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage

from spinemri.anatomy import Structure, StructureKind
from spinemri.measure.contour import SMOOTHING_VOXELS
from spinemri.measure.frame import left_axis

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.measure.frame import Frame
    from spinemri.segmentation import Segmentation

    Mask = NDArray[np.bool_]
    Array = NDArray[np.float64]

_STEP_MM = 0.5
_BEHIND = np.arange(-8.0, 18.1, _STEP_MM)  # mm behind the wall
_ABOVE = np.arange(-28.0, 28.1, _STEP_MM)  # mm above the middle of the disc
_SIDEWAYS_MM = (6.0, 28.0)
_WALL_MM = (1.0, 6.0)  # from an endplate: where the wall is read
_STEEPEST = 0.6  # mm per mm that the wall may lean against the disc's frame
_SEEN_MM, _UNSEEN_MM = 12.0, 8.0  # how much of a body a slice must show; where the margin of an unseen one is taken
_BAND_MM = (0.5, 5.0)  # behind the wall
_MOST = 70.0  # percentile over those columns
_UNDER_PLATE_MM = 10.0  # a pedicle begins no further below the upper endplate of its body
_PEDICLE_MM, _FILLED = 3.0, 0.5  # a pedicle fills that much of the band over this height
_LEAST_HALF_DISC_MM, _MOST_HALF_DISC_MM = 2.0, 8.0
_CLOSED = 0.5  # of the height, over which posterior elements must be seen for an area
_LOW = 10.0  # percentile over rows that is the least distance, against spurs of a voxel


class ForamenSlice(NamedTuple):
    """One foramen in one slice.

    Parameters
    ----------
    slice_index : along the grid's left-right axis
    left : mm to the patient's left of the middle of the disc
    height, ap, area : mm, mm, mm2; None where the posterior elements do not close it
    height_ends, ap_ends : (2, 3) LPS mm
    region : (n, 3) LPS mm, points all over the area
    """

    slice_index: int
    left: float
    height: float
    ap: float | None
    area: float | None
    height_ends: Array
    ap_ends: Array
    region: Array


@dataclass(frozen=True, eq=False)
class _View:
    """Masks of one slice on rows from below and columns from the front, each drawn when it is first asked for.

    Parameters
    ----------
    points : (rows, columns, 3) LPS mm
    segmentation, levels : the series, and the vertebrae above and below
    plane, index : labels of the slice, and the fractional indices (rows, columns, 2) of the points in it
    """

    points: Array
    segmentation: Segmentation
    levels: tuple[Level, Level]
    plane: NDArray[np.unsignedinteger]
    index: Array

    @cached_property
    def above(self) -> Mask:
        """The body above."""
        return self._body(self.levels[0])

    @cached_property
    def below(self) -> Mask:
        """The body below."""
        return self._body(self.levels[1])

    @cached_property
    def disc(self) -> Mask:
        """The disc between them."""
        return self._drawn(_values(self.segmentation, StructureKind.DISC, *self.levels))

    @cached_property
    def upper_arch(self) -> Mask:
        """The posterior elements above."""
        return self._drawn(arches(self.levels, self.segmentation)[0])

    @cached_property
    def lower_arch(self) -> Mask:
        """The posterior elements below."""
        return self._drawn(arches(self.levels, self.segmentation)[1])

    def _body(self, level: Level) -> Mask:
        return self._drawn(_values(self.segmentation, StructureKind.VERTEBRAL_BODY, level))

    def _drawn(self, values: list[int]) -> Mask:
        return _sampled(self.plane, values, self.index)


def arches(levels: tuple[Level, Level], segmentation: Segmentation) -> tuple[list[int], list[int]]:
    """Voxel values of the posterior elements of either vertebra; those of S1 are part of the sacrum."""
    upper, lower = (_values(segmentation, StructureKind.POSTERIOR_ELEMENTS, level) for level in levels)
    if levels[1].region == "S":
        lower = lower + _values(segmentation, StructureKind.SACRUM, None)
    return upper, lower


def foramen_slices(
    frame: Frame, segmentation: Segmentation, levels: tuple[Level, Level], skipped: Collection[int] = ()
) -> list[ForamenSlice]:
    """Every slice that crosses a foramen of a disc, on either side.

    Parameters
    ----------
    frame : of the disc; its origin lies midway between the posterior corners of the endplates
    levels : the vertebrae above and below
    skipped : slices along the grid's left-right axis that must not be measured
    """
    grid = segmentation.geometry
    across = grid.axis_along(0)
    towards_left = float(np.sign(left_axis(grid) @ grid.axes[:, across]))
    left = (np.arange(grid.shape[across]) - grid.to_index(frame.origin)[across]) * grid.spacing[across] * towards_left
    found = []
    for sign in (1.0, -1.0):
        wall = None
        beside = [n for n in np.argsort(np.abs(left)) if _SIDEWAYS_MM[0] <= sign * left[n] <= _SIDEWAYS_MM[1]]
        for n in (int(n) for n in beside if n not in skipped):
            wall = _wall(_view(frame, segmentation, levels, (n, np.zeros(len(_ABOVE)))), wall)
            if wall is None:
                continue
            section = _section(_view(frame, segmentation, levels, (n, wall[0] + wall[1] * _ABOVE)), n)
            if section is not None:
                height = section.height * float(np.hypot(1.0, wall[1]))
                found.append(section._replace(left=float(left[n]), height=height))
    return found


def _section(view: _View, slice_index: int) -> ForamenSlice | None:
    """The foramen in one slice, or None where the slice does not run through both pedicles."""
    front, back = _margin(view), _first_behind(view.upper_arch | view.lower_arch)
    ap, ap_ends = _least_distance(view, front, back)
    band = _band(ap)
    borders = _borders(view, band)
    if borders is None:
        return None
    low, high = borders
    area, region = _area(view, front, back, np.arange(low + 1, high))
    column = int(np.flatnonzero(band)[0])
    height = float(_ABOVE[high] - _ABOVE[low] - _STEP_MM)
    return ForamenSlice(slice_index, 0.0, height, ap, area, view.points[[high, low], column], ap_ends, region)


def _view(frame: Frame, segmentation: Segmentation, levels: tuple[Level, Level], at: tuple[int, Array]) -> _View:
    """The masks of a slice; ``at`` is the slice and how far behind the frame's origin column 0 mm lies in each row."""
    grid, (slice_index, shift) = segmentation.geometry, at
    across = grid.axis_along(0)
    posterior = _BEHIND + shift[:, None]
    superior = np.broadcast_to(_ABOVE[:, None], posterior.shape)
    normal = grid.axes[:, across]
    offset = (slice_index - grid.to_index(frame.origin)[across]) * grid.spacing[across]
    left = offset - posterior * (frame.posterior @ normal) - superior * (frame.superior @ normal)
    points = frame.to_patient(np.stack([left / (frame.left @ normal), posterior, superior], axis=-1))
    index = np.delete(grid.to_index(points), across, axis=-1)
    plane = np.take(segmentation.voxels, slice_index, axis=across)
    return _View(points, segmentation, levels, plane, index)


def _sampled(plane: NDArray[np.unsignedinteger], values: list[int], index: Array) -> Mask:
    """A structure of a slice at fractional indices (..., 2), its edge smoothed as that of `contour`."""
    low = np.floor(index.min(axis=(0, 1))).astype(int) - 3
    high = np.ceil(index.max(axis=(0, 1))).astype(int) + 4
    low, high = np.clip(low, 0, plane.shape), np.clip(high, 0, plane.shape)
    part = np.isin(plane[low[0] : high[0], low[1] : high[1]], values).astype(np.float64)
    if not part.any():
        return np.zeros(index.shape[:2], dtype=bool)
    soft = ndimage.gaussian_filter(part, SMOOTHING_VOXELS, mode="nearest")
    at = np.moveaxis(index - low, -1, 0)
    return np.asarray(ndimage.map_coordinates(soft, at, order=1, mode="constant") > 0.5)


def _values(
    segmentation: Segmentation, kind: StructureKind, level: Level | None, lower: Level | None = None
) -> list[int]:
    return [v for v, known in segmentation.structures.items() if known == Structure(kind, level, lower)]


def _wall(view: _View, before: tuple[float, float] | None) -> tuple[float, float] | None:
    """Line of the posterior margins of both bodies near the disc: mm behind the frame at its height 0, and slope.

    Bodies are waisted: one that this slice misses keeps its margin of the slice ``before``, nearer to the middle; None
    where neither is seen, or where there is none before.
    """
    ends, seen = [], 0
    for body, sign in ((view.above, 1), (view.below, -1)):
        rows = np.flatnonzero(body.any(axis=1))
        plate = float(_ABOVE[rows[0] if sign > 0 else rows[-1]]) if len(rows) else 0.0
        from_plate = (_ABOVE - plate) * sign
        near = (np.abs(from_plate - sum(_WALL_MM) / 2) <= (_WALL_MM[1] - _WALL_MM[0]) / 2) & body.any(axis=1)
        if len(rows) >= _SEEN_MM / _STEP_MM and near.any():
            seen += 1
            ends.append((float(_ABOVE[near].mean()), float(np.median(_last(body)[near]))))
        elif before is not None:
            at = sign * _UNSEEN_MM
            ends.append((at, before[0] + before[1] * at))
    if not seen or len(ends) < len((view.above, view.below)):
        return None
    (high, wall_above), (low, wall_below) = ends
    slope = (wall_above - wall_below) / max(high - low, 1.0)
    return (wall_below - slope * low, slope) if abs(slope) <= _STEEPEST else None


def _band(ap: float | None) -> Mask:
    """Columns just behind the wall, in front of an articular process that comes close to it."""
    last = _BAND_MM[1] if ap is None else float(np.clip(ap - _STEP_MM / 2, _BAND_MM[0] + _STEP_MM, _BAND_MM[1]))
    return np.asarray(np.abs(_BEHIND - (_BAND_MM[0] + last) / 2) <= (last - _BAND_MM[0]) / 2)


def _borders(view: _View, band: Mask) -> tuple[int, int] | None:
    """Rows of the upper border of the lower pedicle and of the lower border of the upper one; None without them."""
    up, down = np.flatnonzero(_ABOVE > 0), np.flatnonzero(_ABOVE < 0)[::-1]
    tops, bottoms = view.upper_arch[up][:, band], view.lower_arch[down][:, band]
    if not tops.any() or not bottoms.any():
        return None
    high = int(up[_usual(tops.argmax(axis=0)[tops.any(axis=0)])])
    low = int(down[_usual(bottoms.argmax(axis=0)[bottoms.any(axis=0)])])
    plate = float(_ABOVE[view.below.any(axis=1)].max()) if view.below.any() else -_UNSEEN_MM / 2
    if plate - _ABOVE[low] > _UNDER_PLATE_MM:
        return None
    deep = round(_PEDICLE_MM / _STEP_MM)
    above, below = slice(high, high + deep), slice(max(low - deep + 1, 0), low + 1)
    filled = min(view.upper_arch[above][:, band].mean(), view.lower_arch[below][:, band].mean())
    return (low, high) if filled >= _FILLED else None


def _usual(rows: NDArray[np.intp]) -> int:
    """How far from the disc a pedicle begins in most columns: some may meet an articular process before it."""
    return int(np.percentile(rows, _MOST, method="nearest"))


def _last(mask: Mask) -> Array:
    """Furthest back edge of a mask in each row, mm; NaN where it has none."""
    last = _BEHIND[-1] - mask[:, ::-1].argmax(axis=1) * _STEP_MM + _STEP_MM / 2
    return np.where(mask.any(axis=1), last, np.nan)


def _first_behind(arch: Mask) -> Array:
    """Foremost edge of the posterior elements behind the wall in each row, mm; NaN where there are none."""
    behind = arch & (_BEHIND > 0)
    return np.where(behind.any(axis=1), _BEHIND[behind.argmax(axis=1)] - _STEP_MM / 2, np.nan)


def _margin(view: _View) -> Array:
    """What bounds the foramen in front in each row: bodies, disc or the wall, whichever lies further back."""
    return np.fmax(_last(view.above | view.below | view.disc), 0.0)


def _least_distance(view: _View, front: Array, back: Array) -> tuple[float | None, Array]:
    """Least distance between margin and posterior elements over the rows of the disc, along the disc, and its ends."""
    above, below = (np.flatnonzero(body.any(axis=1)) for body in (view.above, view.below))
    plates = float(_ABOVE[below[-1]]) if len(below) else -np.inf, float(_ABOVE[above[0]]) if len(above) else np.inf
    low, high = np.clip(plates, -_MOST_HALF_DISC_MM, _MOST_HALF_DISC_MM)
    half = max(float(high - low) / 2, _LEAST_HALF_DISC_MM)
    rows = np.flatnonzero((np.abs(_ABOVE - float(high + low) / 2) <= half) & np.isfinite(back))
    if not len(rows):
        return None, np.zeros((0, 3))
    distance = np.maximum(back[rows] - front[rows], 0.0)
    least = float(np.percentile(distance, _LOW))
    row = int(rows[int(np.abs(distance - least).argmin())])
    ends = [int(np.abs(_BEHIND - edge).argmin()) for edge in (front[row], back[row])]
    return least, view.points[row, ends]


def _area(view: _View, front: Array, back: Array, inside: NDArray[np.intp]) -> tuple[float | None, Array]:
    """Area between margin and posterior elements, and points all over it; rows that stay open are interpolated."""
    known = np.isfinite(back[inside])
    if not known.any() or known.mean() < _CLOSED:
        return None, np.zeros((0, 3))
    closed = np.interp(_ABOVE[inside], _ABOVE[inside][known], back[inside][known])
    depth = np.maximum(closed - front[inside], 0.0)
    columns = np.broadcast_to(_BEHIND, (len(inside), len(_BEHIND)))
    filled = (columns > front[inside][:, None]) & (columns < closed[:, None])
    return float(depth.sum() * _STEP_MM), view.points[inside][filled]
