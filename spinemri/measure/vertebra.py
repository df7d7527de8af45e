"""Six points give the three heights of a vertebral body: anterior, middle and posterior.

Definition: on the mid-sagittal body, four corners and two endplate mid-points (Eastell 1991, McCloskey 1993), found
slice by slice in `six_points`. A height is the distance of the two points of a pair along the superior axis. Slices
over the central third of the body's width are measured one by one; their median is taken.

Known failure: a large osteophyte that bridges to the next body, a mask that leaks into the disc, and an endplate whose
rim itself is broken off shift a corner. Bodies of C1 and C2 have no heights, and S1 has an upper endplate only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.measure.contour import box_around, contour, main_component
from spinemri.measure.frame import Frame, frame_from, left_axis, robust_line
from spinemri.measure.six_points import FACING, INSET, MIN_POINTS, SlicePoints, slice_points
from spinemri.norms import threshold
from spinemri.segmentation import EXACT

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.measure.contour import Contour
    from spinemri.segmentation import Drawing

COLUMNS = ("anterior", "middle", "posterior")
_MOST_SLICES = 9
_HEIGHT_SD = threshold("interval.body_height")
_RIM_SD_MM = threshold("interval.anterior_rim")
_PLATE_REACH_MM = 4.0
_WALL = (0.06, 0.45)  # of the endplate's length: how far from it a wall is followed


@dataclass(frozen=True, eq=False)
class BodyShape:
    """The six points of one vertebral body and what follows from them.

    Parameters
    ----------
    frame : the body's own axes; origin at its centre
    upper, lower : (3, 3) LPS mm; rows are anterior, middle, posterior
    heights : (3,) mm, anterior, middle, posterior
    sd : (3,) mm, from the voxel size, the spread over slices, the rounded anterior rim, and each border by itself
    superior_normal, inferior_normal : unit vectors towards the head, normal to the chord of each endplate
    corners : (2, 2, 3) LPS mm; upper and lower endplate, each carried on to the anterior and the posterior wall
    slices : how many slices were measured
    flags : 'lateral_cut' (the stack ends within the body), 'focal_dent' (a dent such as a Schmorl node at a mid-point)
    outline : edge of the body in those slices
    pixel_mm : voxel size along the superior axis
    drawing : how well the borders of the mask were drawn
    """

    frame: Frame
    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    heights: NDArray[np.float64]
    sd: NDArray[np.float64]
    superior_normal: NDArray[np.float64]
    inferior_normal: NDArray[np.float64]
    corners: NDArray[np.float64]
    slices: int
    flags: tuple[str, ...] = ()
    outline: tuple[Contour, ...] = ()
    pixel_mm: float = 1.0
    drawing: Drawing = EXACT

    @property
    def size_sd(self) -> NDArray[np.float64]:
        """(3,) mm, of the heights themselves: with how far all borders of the mask, and its rims, may lie off."""
        rims = np.sqrt(2) * np.array([self.drawing.rim, 0.0, self.drawing.back_rim])
        return np.asarray(np.hypot(np.hypot(self.sd, 2 * self.drawing.offset), rims))

    def drawn(self, drawing: Drawing) -> BodyShape:
        """The same of a mask whose borders are that uncertain."""
        return replace(self, sd=np.hypot(self.sd, drawing.edges), drawing=drawing)


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
    box = box_around(mask, [int(axis == lr_axis) for axis in range(3)])
    return main_component(mask[box], lr_axis), geometry.part(box), {n - box[lr_axis].start for n in skip_slices}


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
    pixel = _pixel_mm(geometry, frame.superior)
    measured: list[SlicePoints] = []
    for _ in range(4):
        measured = [found for c in contours if (found := slice_points(c, frame, pixel)) is not None]
        if not measured:
            return None
        frame = _realigned(frame, measured)
    measured = [found for c in contours if (found := slice_points(c, frame, pixel)) is not None]
    pixel = _pixel_mm(geometry, frame.superior)
    return replace(_combined(frame, measured, pixel, flags), outline=tuple(contours)) if measured else None


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
            local.append(points[(outline.normals @ frame.superior > FACING) & (points[:, 2] > 0)])
        plate = np.concatenate(local) if local else np.zeros((0, 3))
        if len(plate) < 2 * MIN_POINTS:
            return None
        front, back = np.percentile(plate[:, 1], [10, 90])
        inner = plate[(plate[:, 1] >= front) & (plate[:, 1] <= back)]
        height, slope = robust_line(inner[:, 1], inner[:, 2], 0.5, float(front + back) / 2)
        middle = frame.to_patient([0.0, (front + back) / 2, height])
        frame = frame.turned(-slope, 0.0)
    return middle, frame.superior


def endplate_corners(
    mask: NDArray[np.bool_], geometry: Geometry, upward: NDArray[np.float64], skip_slices: Collection[int] = ()
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Where the upper endplate meets the anterior and the posterior wall (2, 3), LPS mm, and its upward unit normal.

    Parameters as in `superior_endplate`; with ``upward`` reversed it is the lower endplate, its normal pointing down.
    For S1 and C2, which have one endplate. The walls are lines through their part near the endplate, up to 45 % of its
    length away; None when either they or the edge cannot be followed.
    """
    plate = superior_endplate(mask, geometry, upward, skip_slices)
    if plate is None:
        return None
    frame = frame_from(*plate, left_axis(geometry))
    clean, grid, skipped = _cropped(mask, geometry, skip_slices)
    outlines = [found for n in _central_slab(clean, grid, skipped)[0] if (found := contour(clean, grid, n)) is not None]
    pixel = _pixel_mm(grid, frame.posterior)
    ends = [pair for outline in outlines if (pair := _plate_ends(outline, frame, pixel)) is not None]
    if not ends:
        return None
    corners = frame.to_patient([[0.0, end, 0.0] for end in np.median(ends, axis=0)])
    return corners[:: 1 if frame.posterior[1] > 0 else -1], frame.superior


def _plate_ends(outline: Contour, frame: Frame, pixel_mm: float) -> list[float] | None:
    """Both ends, mm along the frame's posterior axis, of the endplate that the frame lies on, in one slice."""
    local = frame.to_local(outline.points)
    facing = outline.normals @ np.stack([frame.posterior, frame.superior], axis=1)
    plate = (facing[:, 1] > FACING) & (np.abs(local[:, 2]) < _PLATE_REACH_MM)
    if np.count_nonzero(plate) < MIN_POINTS:
        return None
    length = float(np.ptp(local[plate, 1]))
    near = (local[:, 2] < -_WALL[0] * length) & (local[:, 2] > -_WALL[1] * length)
    ends = []
    for sign in (-1, 1):
        wall = near & (sign * facing[:, 0] > FACING)
        if np.count_nonzero(wall) < MIN_POINTS:
            return None
        ends.append(robust_line(local[wall, 2], local[wall, 1], 0.35 * pixel_mm)[0])
    return ends


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


def _chord_slopes(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slope of the upper and the lower endplate chord (superior per posterior mm) from (2, 3, 2) points."""
    chord = points[:, 2] - points[:, 0]
    return np.asarray(chord[:, 1] / chord[:, 0])


def _realigned(frame: Frame, measured: list[SlicePoints]) -> Frame:
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


def _combined(frame: Frame, measured: list[SlicePoints], pixel_mm: float, flags: tuple[str, ...]) -> BodyShape:
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
    sd = np.hypot(np.hypot(_HEIGHT_SD * pixel_mm, spread), [_RIM_SD_MM, 0.0, 0.0])
    ends = points[:, [0, 2]] + INSET / (1 - 2 * INSET) * (points[:, [0, 2]] - points[:, [2, 0]])
    corners = frame.to_patient(np.insert(ends, 0, 0.0, axis=-1))
    said, count = (*flags, *dent), len(stack)
    return BodyShape(frame, upper, lower, heights, sd, normals[0], normals[1], corners, count, said, pixel_mm=pixel_mm)
