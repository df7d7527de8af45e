"""Six points of a vertebral body's outline in one sagittal slice: walls first, then each endplate between them.

A corner is where the endplate meets the anterior or posterior wall moved inwards by 5 % of the body's depth, so that an
osteophyte on the rim is not measured; the endplate there is a parabola through all of it, shifted and tilted onto the
4 to 22 % of depth next to that wall. The mid-points lie half-way between the corners, on the middle 24 % of the depth.
A cervical body is only 15 mm deep: both stretches are widened to a few voxels there, for a line needs points.

Where a slice gives no points so, it is read once more as that of a badly broken body: an endplate may be dented deeper
than a ledge is high, and a wall that leans by more than 20 degrees carries a fragment: its line then has the direction
of the other wall and lies on its foremost third.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from spinemri.measure.frame import Frame, robust_line
from spinemri.measure.medians import median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.measure.contour import Contour

INSET = 0.05
FACING = 0.7
MIN_POINTS = 4
_RIM = (0.04, 0.22)  # fraction of the depth
_RIM_VOXELS = 5.0
_RIM_STIFFNESS = 16.0
_MIDDLE = 0.12  # fraction of the depth
_MIDDLE_VOXELS = 2.5
_NOISE_VOXELS = 0.35
_PLATE_BAND = 0.25  # fraction of the height
_DENT_MM = 1.5
_MIN_PICK_GAP = 0.08  # fraction of the depth
_TRIPLES = np.array(list(combinations(range(9), 3)))
_FACING_BROKEN = 0.45  # an endplate that is dented deeply is steep at its rims
_STEEPEST_WALL = 0.36  # mm per mm; beyond it, a wall's line follows a fragment
_FOREMOST = 30  # percent of a wall's points that lie in front of its line where a fragment lies behind it


@dataclass(frozen=True, eq=False)
class SlicePoints:
    """Six points of one slice in the frame's (posterior, superior) mm: (2, 3, 2) = upper/lower, column, coordinate."""

    points: NDArray[np.float64]
    left: float
    dent: bool


def slice_points(outline: Contour, frame: Frame, pixel_mm: float) -> SlicePoints | None:
    """Six points of one slice, or None when walls or endplates have too few points to follow.

    Parameters
    ----------
    outline : edge of the body in one sagittal slice
    frame : the body's axes as far as they are known; the superior axis within about 35 degrees
    pixel_mm : voxel size within the slice
    """
    found = _slice_points(outline, frame, pixel_mm, broken=False)
    return found or _slice_points(outline, frame, pixel_mm, broken=True)


def _slice_points(outline: Contour, frame: Frame, pixel_mm: float, *, broken: bool) -> SlicePoints | None:
    local = frame.to_local(outline.points)
    facing = outline.normals @ np.stack([frame.posterior, frame.superior], axis=1)
    outer = local[:, 2] * facing[:, 1] > 0  # the upper endplate lies above the centre, the lower one below
    least = _FACING_BROKEN if broken else FACING
    plates = [outer & (sign * facing[:, 1] > least) for sign in (1, -1)]
    if min(np.count_nonzero(p) for p in plates) < 2 * MIN_POINTS:
        return None
    top, bottom = (float(np.median(local[p, 2])) for p in plates)
    if not broken:
        plates = [p & _near_line(local, p, _PLATE_BAND * (top - bottom), pixel_mm) for p in plates]
    walls, points = [], []
    for sign in (-1, 1):
        band = np.abs(local[:, 2] - (top + bottom) / 2) < 0.36 * (top - bottom)
        wall = band & (sign * facing[:, 0] > FACING) & (sign * local[:, 1] > 0)
        if np.count_nonzero(wall) < MIN_POINTS:
            return None
        walls.append(robust_line(local[wall, 2], local[wall, 1], _NOISE_VOXELS * pixel_mm))
        points.append(local[wall, 1:])
    if broken and abs(walls[1][1]) > _STEEPEST_WALL:
        slope = float(np.clip(walls[0][1], -_STEEPEST_WALL, _STEEPEST_WALL))
        walls[1] = float(np.percentile(points[1][:, 0] - slope * points[1][:, 1], _FOREMOST)), slope
    found = [_plate_points(local[p, 1:], walls, pixel_mm, sign) for p, sign in zip(plates, (1, -1), strict=True)]
    if any(f is None for f in found):
        return None
    six = np.stack([f[0] for f in found if f is not None])
    return SlicePoints(six, float(np.median(local[:, 0])), any(f[1] for f in found if f is not None))


def _near_line(
    local: NDArray[np.float64], plate: NDArray[np.bool_], reach: float, pixel_mm: float
) -> NDArray[np.bool_]:
    """Points within ``reach`` mm of the endplate's straight line; leaves out ledges on the walls."""
    height, slope = robust_line(local[plate, 1], local[plate, 2], _NOISE_VOXELS * pixel_mm)
    return np.abs(local[:, 2] - height - slope * local[:, 1]) < reach


def _plate_points(
    plate: NDArray[np.float64], walls: list[tuple[float, float]], pixel_mm: float, sign: int
) -> tuple[NDArray[np.float64], bool] | None:
    """Anterior, middle and posterior point (3, 2) of one endplate, and whether a dent was left out at the middle."""
    noise = _NOISE_VOXELS * pixel_mm
    bow = _bow(plate, noise)
    corners = [_corner(plate, bow, walls, side, pixel_mm) for side in (0, 1)]
    if corners[0] is None or corners[1] is None:
        return None
    depth = corners[1][0] - corners[0][0]
    middle = (corners[0][0] + corners[1][0]) / 2
    near = np.abs(plate[:, 0] - middle) < max(_MIDDLE * depth, _MIDDLE_VOXELS * pixel_mm)
    if np.count_nonzero(near) < MIN_POINTS:
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
    plate: NDArray[np.float64], bow: NDArray[np.float64], walls: list[tuple[float, float]], side: int, pixel_mm: float
) -> tuple[float, float] | None:
    """Where the endplate near one wall meets that wall's line moved inwards (posterior, superior) mm."""
    (front, front_slope), (back, back_slope) = walls
    rest = plate[:, 1] - np.polynomial.polynomial.polyval(plate[:, 0], bow)
    height = median(plate[:, 1])
    position = 0.0
    for _ in range(3):
        ends = front + front_slope * height, back + back_slope * height
        depth = ends[1] - ends[0]
        inwards = (plate[:, 0] - ends[0]) / depth if side == 0 else (ends[1] - plate[:, 0]) / depth
        reach = max(_RIM[1], _RIM[0] + _RIM_VOXELS * pixel_mm / depth)
        rim = (inwards > _RIM[0]) & (inwards < reach)
        if np.count_nonzero(rim) < MIN_POINTS:
            return None
        position = ends[0] + INSET * depth if side == 0 else ends[1] - INSET * depth
        shift, _ = robust_line(plate[rim, 0], rest[rim], _NOISE_VOXELS * pixel_mm, position, _RIM_STIFFNESS)
        height = shift + float(np.polynomial.polynomial.polyval(position, bow))
    return position, height


def _bow(plate: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    """Coefficients (3,) of a parabola through most of an endplate (Tukey weights)."""
    design = np.vander(plate[:, 0], 3, increasing=True)
    weight, stiffness = np.ones(len(plate)), 1e-6 * np.eye(3)
    solution: NDArray[np.float64] = np.zeros(3)
    for _ in range(6):
        weighted = design * weight[:, None]
        solution = np.asarray(np.linalg.solve(design.T @ weighted + stiffness, weighted.T @ plate[:, 1]))
        residual = np.abs(plate[:, 1] - design @ solution)
        scale = 4.7 * max(1.48 * median(residual), noise)
        weight = np.maximum(1 - (residual / scale) ** 2, 0.0) ** 2 + 1e-6
    return solution


def _without_dent(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights at ``x`` (fraction of depth from the middle) of the parabola that most of the endplate follows.

    Parabolas through triples of nine points spread over the endplate compete by their residuals, cut off at 1.5 mm;
    the winner is refitted to the points within 1.5 mm.
    """
    picks = np.argsort(x)[np.round(np.linspace(0.05, 0.95, 9) * (len(x) - 1)).astype(int)]
    design = np.stack([np.ones_like(x), x, x**2], axis=1)
    triples = picks[_TRIPLES]
    gaps = np.abs(x[triples] - x[np.roll(triples, 1, axis=1)])
    triples = triples[gaps.min(axis=1) >= _MIN_PICK_GAP]
    best = np.asarray(y)
    if len(triples):
        parabolas = np.linalg.solve(design[triples], y[triples][..., None])[..., 0]
        costs = np.minimum(np.abs(parabolas @ design.T - y), _DENT_MM).sum(axis=1)
        best = np.asarray(design @ parabolas[costs.argmin()])
    inlier = np.abs(best - y) < _DENT_MM
    if np.count_nonzero(inlier) < 2 * MIN_POINTS:
        return best
    return np.asarray(design @ np.linalg.lstsq(design[inlier], y[inlier], rcond=None)[0])
