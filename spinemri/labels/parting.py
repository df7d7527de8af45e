"""A vertebra drawn as a whole is parted into its body and its posterior elements at the posterior wall.

Near the mid-line the canal lies between the two: there the largest piece of a sagittal slice is the body, and its rear
edge is the posterior wall. A plane through that edge is carried on to both sides, where pedicles join body and arch;
what lies in front of it, as far out as the body is still tall, is body.

Known failure: an arch that is drawn across the canal without a canal mask, and a wall that bulges beside the mid-line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

    Mask = NDArray[np.bool_]

_SEARCH_MM = 8.0  # about the middle of the vertebra or canal, to find a slice through the canal
_HALF_CANAL_MM = 13.0
_SAME_AREA = 0.55  # of the slice in the middle
_ROUND_MM, _WALL_MM = 3.5, 2.0  # how far rear edges lie from a plane: rounded corners, and the wall itself
_LEAN = 0.15  # usual lean of the wall from left to right, mm per mm: slices are seldom square to the body
_LEAST_HEIGHT, _LEAST_AREA = 0.6, 0.35  # of the body near the mid-line; less is a process
_LEAST_DEPTH_MM = 5.0


@dataclass(frozen=True, eq=False)
class _Slices:
    """A vertebra as (slice, row, column) with slices along left-right and columns increasing to posterior."""

    mask: Mask
    canal: Mask
    spacing: tuple[float, float, float]


def part(mask: Mask, geometry: Geometry, canal: Mask | None = None) -> Mask | None:
    """The body within the mask of a whole vertebra; None when no slice shows body and arch apart.

    Parameters
    ----------
    mask : (k, j, i) of one vertebra on ``geometry``, body and posterior elements
    canal : (k, j, i) of the canal, sac or cord where the scheme has one; it tells where the mid-line is
    """
    if not mask.any():
        return None
    index = np.argwhere(mask)
    box = tuple(slice(int(index[:, a].min()), int(index[:, a].max()) + 1) for a in range(3))
    view, flipped = _turned(geometry)
    here = _Slices(
        _oriented(mask[box], view, flipped=flipped),
        _oriented(canal[box] if canal is not None else np.zeros_like(mask[box]), view, flipped=flipped),
        (geometry.spacing[view[0]], geometry.spacing[view[1]], geometry.spacing[view[2]]),
    )
    body = _body(here)
    if body is None:
        return None
    whole = np.zeros_like(mask)
    restored = body[:, :, ::-1] if flipped else body
    whole[box] = restored.transpose(np.argsort(view))
    return whole


def _turned(geometry: Geometry) -> tuple[tuple[int, int, int], bool]:
    """Array axes in the order left-right, head-foot, front-back, and whether the last one runs to anterior."""
    view = (geometry.axis_along(0), geometry.axis_along(2), geometry.axis_along(1))
    return view, bool(geometry.axes[1, view[2]] < 0)


def _oriented(mask: Mask, view: tuple[int, int, int], *, flipped: bool) -> Mask:
    turned = mask.transpose(view)
    return turned[:, :, ::-1] if flipped else turned


def _body(here: _Slices) -> Mask | None:
    pieces = np.stack([_largest(plane) for plane in _before_canal(here)])
    central = _central_slices(here, pieces)
    if not central:
        return None
    plane = _wall(pieces, central, here.spacing)
    body = np.zeros_like(here.mask)
    body[central] = pieces[central]
    s, r, c = np.ogrid[tuple(slice(n) for n in here.mask.shape)]
    ahead = here.mask & (c <= plane[0] + plane[1] * r + plane[2] * s + 0.5)
    for step in (1, -1):
        _spread(body, ahead, central, step)
    return body


def _before_canal(here: _Slices) -> Mask:
    """The vertebra without what lies behind the front of the canal in the rows that show the canal."""
    seen = here.canal.any(axis=2, keepdims=True)
    front = np.argmax(here.canal, axis=2)[:, :, None]
    columns = np.arange(here.mask.shape[2])[None, None, :]
    found: Mask = here.mask & (~seen | (columns < front))
    return found


def _largest(plane: Mask) -> Mask:
    """Largest piece of one slice."""
    labels, count = ndimage.label(plane)
    if count == 0:
        return np.zeros_like(plane)
    largest: Mask = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return largest


def _extent(pieces: Mask, axis: int) -> NDArray[np.int64]:
    """Rows (axis 1) or columns (axis 2) from the first to the last voxel of each slice."""
    lines: Mask = np.any(pieces, axis=3 - axis)
    length = lines.shape[1] - np.argmax(lines[:, ::-1], axis=1) - np.argmax(lines, axis=1)
    return np.asarray(np.where(lines.any(axis=1), length, 0))


def _central_slices(here: _Slices, pieces: Mask) -> list[int]:
    """Neighbouring slices through the canal: there the piece ends at the wall, elsewhere it goes on into the arch."""
    area, rear = np.count_nonzero(pieces, axis=(1, 2)), _rear(pieces)
    source = here.canal if here.canal.any() else here.mask
    away = np.abs(np.arange(len(area)) - np.argwhere(source)[:, 0].mean()) * here.spacing[0]
    near = np.flatnonzero((away <= max(_SEARCH_MM, 1.01 * here.spacing[0])) & (area > 0))
    near = near[area[near] >= _SAME_AREA * area[near].max(initial=0)]
    if not len(near):
        return []
    short = near[rear[near] <= rear[near].min() + _ROUND_MM / here.spacing[2]]
    best = int(short[np.argmin(away[short])])
    if _extent(pieces[best][None], 2)[0] * here.spacing[2] < _LEAST_DEPTH_MM:
        return []
    beside = np.abs(np.arange(len(area)) - best) * here.spacing[0]
    like = (rear <= rear[best] + (_WALL_MM + _LEAN * beside) / here.spacing[2]) & (area >= _SAME_AREA * area[best])
    runs, _ = ndimage.label(like & (beside <= _HALF_CANAL_MM))
    return [int(n) for n in np.flatnonzero(runs == runs[best])]


def _rear(pieces: Mask) -> NDArray[np.int64]:
    """Last column of each slice's piece; a rim of one or two rows does not count."""
    lines = np.count_nonzero(pieces, axis=1) >= 3
    last = lines.shape[1] - 1 - np.argmax(lines[:, ::-1], axis=1)
    return np.asarray(np.where(lines.any(axis=1), last, lines.shape[1]))


def _wall(pieces: Mask, central: list[int], spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Plane (at the origin, per row, per slice) through the rear edges, in columns; corners do not count.

    Few slices tell little about how the wall leans from left to right: it is held near 0 unless they do.
    """
    shown = pieces[central]
    n, row = np.nonzero(shown.any(axis=2))
    edge = (shown.shape[2] - 1 - np.argmax(shown[n, row][:, ::-1], axis=1)).astype(np.float64)
    middle = float(np.mean(central))
    terms = np.stack([np.ones(len(n)), row, np.asarray(central)[n] - middle], axis=1)
    hold = np.array([0.0, 0.0, np.sqrt(len(n) / len(central)) * spacing[2] / (_LEAN * spacing[0])])
    keep = np.ones(len(n), dtype=bool)
    plane = np.array([np.percentile(edge, 75), 0.0, 0.0])
    for _ in range(6):
        off = np.abs(edge - terms @ plane)
        keep = off <= max(_WALL_MM / spacing[2], float(np.median(off)))
        system = np.vstack([terms[keep], hold])
        plane = np.linalg.lstsq(system, np.append(edge[keep], 0.0), rcond=None)[0]
    return np.array([plane[0] - plane[2] * middle, plane[1], plane[2]])


def _spread(body: Mask, ahead: Mask, central: list[int], step: int) -> None:
    """From the outermost central slice outwards: the piece in front of the wall, until it is small."""
    start = central[-1] if step > 0 else central[0]
    tall = float(np.median(_extent(body[central], 1)))
    large = float(np.median(np.count_nonzero(body[central], axis=(1, 2))))
    n = start + step
    while 0 <= n < len(body):
        labels, count = ndimage.label(ahead[n])
        overlap = np.bincount(labels[body[n - step]], minlength=count + 1)[1:] if count else np.zeros(0, dtype=int)
        if not overlap.any():
            return
        piece = labels == 1 + int(np.argmax(overlap))
        if _extent(piece[None], 1)[0] < _LEAST_HEIGHT * tall or piece.sum() < _LEAST_AREA * large:
            return
        body[n] = piece
        n += step
