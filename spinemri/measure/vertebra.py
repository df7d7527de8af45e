"""Six points give the three heights of a vertebral body: anterior, middle and posterior.

Definition: on the mid-sagittal body, four corners and two endplate mid-points (Eastell 1991, McCloskey 1993). A corner
is where the endplate meets the anterior or posterior wall moved inwards by 5 % of the body's depth, so that an
osteophyte on the rim is not measured; the endplate there is a parabola through all of it, shifted and tilted onto the
4 to 22 % of depth next to that wall. The
mid-points lie half-way between the corners. A height is the distance of the two points of a pair along the
superior axis. Slices over the central third of the body's width are measured one by one; their median is taken.

Known failure: a large osteophyte that bridges to the next body, a mask that leaks into the disc, and an endplate whose
rim itself is broken off shift a corner. Bodies of C1 and C2 have no heights, and S1 has an upper endplate only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from spinemri.measure.contour import Contour, contour, main_component
from spinemri.measure.frame import Frame, frame_from, left_axis, robust_line

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

COLUMNS = ("anterior", "middle", "posterior")
INSET = 0.05
_RIM = (0.04, 0.22)
_RIM_STIFFNESS = 16.0
_MIDDLE = 0.12
_FACING = 0.7
_MIN_POINTS = 4
_MOST_SLICES = 9
_PLATE_BAND = 0.25  # fraction of the height
_DENT_MM = 1.5
_MIN_PICK_GAP = 0.08  # fraction of the depth
_EDGE_SD_VOXELS = 0.41  # sqrt(2 / 12): two uniform edges


@dataclass(frozen=True, eq=False)
class BodyShape:
    """The six points of one vertebral body and what follows from them.

    Parameters
    ----------
    frame : the body's own axes; origin at its centre
    upper, lower : (3, 3) LPS mm; rows are anterior, middle, posterior
    heights : (3,) mm, anterior, middle, posterior
    sd : (3,) mm, from the voxel size and from the spread over slices
    superior_normal, inferior_normal : unit vectors towards the head, normal to the chord of each endplate
    slices : how many slices were measured
    flags : 'lateral_cut' (the stack ends within the body), 'focal_dent' (a dent such as a Schmorl node at a mid-point)
    """

    frame: Frame
    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    heights: NDArray[np.float64]
    sd: NDArray[np.float64]
    superior_normal: NDArray[np.float64]
    inferior_normal: NDArray[np.float64]
    slices: int
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _SlicePoints:
    """Six points of one slice in the frame's (posterior, superior) mm: (2, 3, 2) = upper/lower, column, coordinate."""

    points: NDArray[np.float64]
    left: float
    dent: bool


def touches_field_edge(mask: NDArray[np.bool_], geometry: Geometry) -> bool:
    """Whether a body reaches the first or last voxel of the grid up, down, in front or behind.

    The outermost slices of a sagittal stack do not count: the middle of the body is still complete there.
    """
    for world_axis in (1, 2):
        axis = geometry.axis_along(world_axis)
        ends = np.take(mask, [0, mask.shape[axis] - 1], axis=axis)
        if np.count_nonzero(ends) > 1:
            return True
    return False


def _cropped(
    mask: NDArray[np.bool_], geometry: Geometry, skip_slices: Collection[int]
) -> tuple[NDArray[np.bool_], Geometry, set[int]]:
    """Non-empty part of a mask, cleaned, with one more slice on either side where there is one."""
    lr_axis = geometry.axis_along(0)
    spans = [np.flatnonzero(mask.any(axis=tuple(b for b in range(3) if b != a))) for a in range(3)]
    margin = [int(a == lr_axis) for a in range(3)]
    start = [max(int(s[0]) - m, 0) for s, m in zip(spans, margin, strict=True)]
    stop = [min(int(s[-1]) + 1 + m, n) for s, m, n in zip(spans, margin, mask.shape, strict=True)]
    part = mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    x, y, z = (float(v) for v in geometry.to_patient(start))
    grid = replace(geometry, shape=(part.shape[0], part.shape[1], part.shape[2]), origin=(x, y, z))
    return main_component(part, lr_axis), grid, {n - start[lr_axis] for n in skip_slices}


def body_shape(
    mask: NDArray[np.bool_],
    geometry: Geometry,
    upward: NDArray[np.float64],
    skip_slices: Collection[int] = (),
) -> BodyShape | None:
    """Six points, heights and axes of one vertebral body, or None when its outline cannot be followed.

    Parameters
    ----------
    mask : (k, j, i) of the body on ``geometry``; holes, spurs and loose islands are tolerated
    upward : unit vector (LPS) roughly along the spine towards the head, within about 35 degrees of the body's axis
    skip_slices : sagittal slices (indices along the grid's left-right axis) that must not be measured
    """
    if not mask.any():
        return None
    clean, geometry, skip_slices = _cropped(mask, geometry, skip_slices)
    slab, centre_slice, flags = _central_slab(clean, geometry, skip_slices)
    slab = slab[:: 1 + (len(slab) - 1) // _MOST_SLICES]
    contours = [outline for n in slab if (outline := contour(clean, geometry, n)) is not None]
    if not contours:
        return None
    frame = _starting_frame(clean, geometry, upward, centre_slice)
    noise = 0.35 * _pixel_mm(geometry, frame.superior)
    measured: list[_SlicePoints] = []
    for _ in range(4):
        measured = [found for c in contours if (found := _slice_points(c, frame, noise)) is not None]
        if not measured:
            return None
        frame = _realigned(frame, measured)
    measured = [found for c in contours if (found := _slice_points(c, frame, noise)) is not None]
    return _combined(frame, measured, _pixel_mm(geometry, frame.superior), flags) if measured else None


def superior_endplate(
    mask: NDArray[np.bool_], geometry: Geometry, upward: NDArray[np.float64], skip_slices: Collection[int] = ()
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Mid-point (LPS mm) and upward unit normal of the upper endplate; for S1, which has no lower one.

    Parameters as in `body_shape`. None when the upper edge cannot be followed. A line through the middle 80 % of the
    edge in the central slices that faces up to within 45 degrees.
    """
    if not mask.any():
        return None
    clean, geometry, skip_slices = _cropped(mask, geometry, skip_slices)
    slab, centre_slice, _ = _central_slab(clean, geometry, skip_slices)
    frame = _starting_frame(clean, geometry, upward, centre_slice)
    middle = np.zeros(3)
    for _ in range(3):
        local = []
        for outline in (found for n in slab if (found := contour(clean, geometry, n)) is not None):
            points = frame.to_local(outline.points)
            local.append(points[(outline.normals @ frame.superior > _FACING) & (points[:, 2] > 0)])
        plate = np.concatenate(local) if local else np.zeros((0, 3))
        if len(plate) < 2 * _MIN_POINTS:
            return None
        front, back = np.percentile(plate[:, 1], [10, 90])
        inner = plate[(plate[:, 1] >= front) & (plate[:, 1] <= back)]
        height, slope = robust_line(inner[:, 1], inner[:, 2], 0.5, float(front + back) / 2)
        middle = frame.to_patient([0.0, (front + back) / 2, height])
        frame = frame.turned(-slope, 0.0)
    return middle, frame.superior


def _pixel_mm(geometry: Geometry, direction: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(direction @ geometry.axes * np.asarray(geometry.spacing)))


def _central_slab(
    mask: NDArray[np.bool_], geometry: Geometry, skip_slices: Collection[int]
) -> tuple[list[int], float, tuple[str, ...]]:
    """Slices over the central third of the width, the (fractional) slice of the centre, and flags."""
    lr_axis = geometry.axis_along(0)
    areas = np.count_nonzero(mask, axis=tuple(a for a in range(3) if a != lr_axis)).astype(np.float64)
    if not areas.any():
        return [], 0.0, ()
    half = 0.5 * float(np.percentile(areas[areas > 0], 75))
    inside = np.flatnonzero(areas >= half)
    first, last = int(inside[0]), int(inside[-1])
    low = first - (areas[first] - half) / (areas[first] - areas[first - 1]) if first > 0 else first - 0.5
    high = last + (areas[last] - half) / (areas[last] - areas[last + 1]) if last < len(areas) - 1 else last + 0.5
    centre, third = (low + high) / 2, (high - low) / 6
    slab = [n for n in range(first, last + 1) if abs(n - centre) <= third + 1e-6 and n not in skip_slices]
    if not slab:
        allowed = [n for n in range(first, last + 1) if n not in skip_slices and abs(n - centre) <= 2 * third + 0.5]
        slab = sorted(allowed, key=lambda n: abs(n - centre))[:1]
    cut = ("lateral_cut",) if first == 0 or last == len(areas) - 1 else ()
    return slab, float(centre), cut


def _starting_frame(
    mask: NDArray[np.bool_], geometry: Geometry, upward: NDArray[np.float64], centre_slice: float
) -> Frame:
    index = np.argwhere(mask).mean(axis=0)
    index[geometry.axis_along(0)] = centre_slice
    left = left_axis(geometry)
    return frame_from(geometry.to_patient(index), upward - (upward @ left) * left, left)


def _slice_points(outline: Contour, frame: Frame, noise: float) -> _SlicePoints | None:
    """Six points of one slice: walls first, then each endplate between them."""
    local = frame.to_local(outline.points)
    facing = outline.normals @ np.stack([frame.posterior, frame.superior], axis=1)
    outer = local[:, 2] * facing[:, 1] > 0  # the upper endplate lies above the centre, the lower one below
    plates = [outer & (sign * facing[:, 1] > _FACING) for sign in (1, -1)]
    if min(np.count_nonzero(p) for p in plates) < 2 * _MIN_POINTS:
        return None
    top, bottom = (float(np.median(local[p, 2])) for p in plates)
    plates = [p & _near_line(local, p, _PLATE_BAND * (top - bottom), noise) for p in plates]
    walls = []
    for sign in (-1, 1):
        band = np.abs(local[:, 2] - (top + bottom) / 2) < 0.36 * (top - bottom)
        wall = band & (sign * facing[:, 0] > _FACING) & (sign * local[:, 1] > 0)
        if np.count_nonzero(wall) < _MIN_POINTS:
            return None
        walls.append(robust_line(local[wall, 2], local[wall, 1], noise))
    found = [_plate_points(local[p, 1:], walls, noise, sign) for p, sign in zip(plates, (1, -1), strict=True)]
    if any(f is None for f in found):
        return None
    points = np.stack([f[0] for f in found if f is not None])
    return _SlicePoints(points, float(np.median(local[:, 0])), any(f[1] for f in found if f is not None))


def _near_line(local: NDArray[np.float64], plate: NDArray[np.bool_], reach: float, noise: float) -> NDArray[np.bool_]:
    """Points within ``reach`` mm of the endplate's straight line; leaves out ledges on the walls."""
    height, slope = robust_line(local[plate, 1], local[plate, 2], noise)
    return np.abs(local[:, 2] - height - slope * local[:, 1]) < reach


def _plate_points(
    plate: NDArray[np.float64], walls: list[tuple[float, float]], noise: float, sign: int
) -> tuple[NDArray[np.float64], bool] | None:
    """Anterior, middle and posterior point (3, 2) of one endplate, and whether a dent was left out at the middle."""
    bow = _bow(plate, noise)
    corners = [_corner(plate, bow, walls, side, noise) for side in (0, 1)]
    if corners[0] is None or corners[1] is None:
        return None
    depth = corners[1][0] - corners[0][0]
    middle = (corners[0][0] + corners[1][0]) / 2
    near = np.abs(plate[:, 0] - middle) < _MIDDLE * depth
    if np.count_nonzero(near) < _MIN_POINTS:
        return None
    height, _ = robust_line(plate[near, 0], plate[near, 1], noise, middle)
    if np.max(sign * plate[:, 1]) - sign * height < _DENT_MM:
        return np.array([corners[0], (middle, height), corners[1]]), False
    smooth = _without_dent((plate[:, 0] - middle) / depth, plate[:, 1])
    wide = np.abs(plate[:, 0] - middle) < 0.4 * depth
    dent = plate[wide, 0][sign * (smooth[wide] - plate[wide, 1]) > _DENT_MM]
    expected = float(np.median(smooth[near]))
    focal = len(dent) > 1 and bool(np.ptp(dent) < 0.4 * depth) and sign * (expected - height) > _DENT_MM
    return np.array([corners[0], (middle, expected if focal else height), corners[1]]), bool(focal)


def _corner(
    plate: NDArray[np.float64], bow: NDArray[np.float64], walls: list[tuple[float, float]], side: int, noise: float
) -> tuple[float, float] | None:
    """Where the endplate near one wall meets that wall's line moved inwards (posterior, superior) mm."""
    (front, front_slope), (back, back_slope) = walls
    rest = plate[:, 1] - np.polynomial.polynomial.polyval(plate[:, 0], bow)
    height = float(np.median(plate[:, 1]))
    position = 0.0
    for _ in range(3):
        ends = front + front_slope * height, back + back_slope * height
        depth = ends[1] - ends[0]
        inwards = (plate[:, 0] - ends[0]) / depth if side == 0 else (ends[1] - plate[:, 0]) / depth
        rim = (inwards > _RIM[0]) & (inwards < _RIM[1])
        if np.count_nonzero(rim) < _MIN_POINTS:
            return None
        position = ends[0] + INSET * depth if side == 0 else ends[1] - INSET * depth
        shift, _ = robust_line(plate[rim, 0], rest[rim], noise, position, _RIM_STIFFNESS)
        height = shift + float(np.polynomial.polynomial.polyval(position, bow))
    return position, height


def _bow(plate: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    """Coefficients (3,) of a parabola through most of an endplate (Tukey weights)."""
    design = np.vander(plate[:, 0], 3, increasing=True)
    weight = np.ones(len(plate))
    solution: NDArray[np.float64] = np.zeros(3)
    for _ in range(6):
        weighted = design * weight[:, None]
        solution = np.asarray(np.linalg.solve(design.T @ weighted + 1e-6 * np.eye(3), weighted.T @ plate[:, 1]))
        residual = np.abs(plate[:, 1] - design @ solution)
        scale = 4.7 * max(1.48 * float(np.median(residual)), noise)
        weight = np.maximum(1 - (residual / scale) ** 2, 0.0) ** 2 + 1e-6
    return solution


def _without_dent(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights at ``x`` (fraction of depth from the middle) of the parabola that most of the endplate follows.

    Parabolas through triples of nine points spread over the endplate compete by their residuals, cut off at 1.5 mm;
    the winner is refitted to the points within 1.5 mm.
    """
    picks = np.argsort(x)[np.round(np.linspace(0.05, 0.95, 9) * (len(x) - 1)).astype(int)]
    design = np.stack([np.ones_like(x), x, x**2], axis=1)
    best, cost = np.asarray(y), np.inf
    for triple in combinations(picks, 3):
        if min(abs(x[a] - x[b]) for a, b in combinations(triple, 2)) < _MIN_PICK_GAP:
            continue
        candidate = np.asarray(design @ np.linalg.solve(design[list(triple)], y[list(triple)]))
        total = float(np.minimum(np.abs(candidate - y), _DENT_MM).sum())
        if total < cost:
            best, cost = candidate, total
    inlier = np.abs(best - y) < _DENT_MM
    if np.count_nonzero(inlier) < 2 * _MIN_POINTS:
        return best
    return np.asarray(design @ np.linalg.lstsq(design[inlier], y[inlier], rcond=None)[0])


def _chord_slopes(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slope of the upper and the lower endplate chord (superior per posterior mm) from (2, 3, 2) points."""
    chord = points[:, 2] - points[:, 0]
    return np.asarray(chord[:, 1] / chord[:, 0])


def _realigned(frame: Frame, measured: list[_SlicePoints]) -> Frame:
    """Frame with its origin at the six points' centre and its axis along the mean endplate normal."""
    points = np.median([m.points for m in measured], axis=0)
    lean = np.tan(np.arctan(_chord_slopes(points)).mean())
    lefts = np.array([m.left for m in measured])
    coronal = 0.0
    if len(measured) >= 3:
        centres = np.array([m.points[:, :, 1].mean() for m in measured])
        coronal = robust_line(lefts, centres, 0.3)[1]
    centre = points.reshape(-1, 2).mean(axis=0)
    moved = Frame(frame.to_patient([0.0, *centre]), frame.left, frame.posterior, frame.superior)
    return moved.turned(-float(lean), -coronal)


def _combined(frame: Frame, measured: list[_SlicePoints], pixel_mm: float, flags: tuple[str, ...]) -> BodyShape:
    """Median over slices; the points are placed so that their distance is the median height exactly."""
    stack = np.stack([m.points for m in measured])
    per_slice = stack[:, 0, :, 1] - stack[:, 1, :, 1]
    heights = np.median(per_slice, axis=0)
    points = np.median(stack, axis=0)
    centre, half = points.mean(axis=0), np.stack([np.zeros(3), heights / 2], axis=1)
    spread = per_slice.std(axis=0, ddof=1) / np.sqrt(len(stack)) if len(stack) > 1 else np.full(3, 0.3 * pixel_mm)
    slopes = _chord_slopes(points)
    normals = [frame.turned(-float(slope), 0.0).superior for slope in slopes]
    dent = ("focal_dent",) if np.mean([m.dent for m in measured]) >= 0.5 else ()
    upper, lower = (frame.to_patient(np.insert(end, 0, 0.0, axis=1)) for end in (centre + half, centre - half))
    sd = np.hypot(_EDGE_SD_VOXELS * pixel_mm, spread)
    return BodyShape(frame, upper, lower, heights, sd, normals[0], normals[1], len(stack), (*flags, *dent))
