"""Order of slices in space: along the normal of the image plane, from Image Position (Patient) alone.

Instance Number, Slice Location and Spacing Between Slices are never used to place a slice. A stack is a regular grid
when its steps agree within 5 % or 0.1 mm and its slices lie behind each other; one interior gap of two steps is
tolerated and marked, everything else is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import GeometryError, SeriesError
from spinemri.geometry import Geometry, plausible
from spinemri.language import Phrases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.dicom.facts import Frame, PlaneFacts

phrases = Phrases("dicom.slices")

STEP_FRACTION, STEP_MM = 0.05, 0.1
SAME_POSITION_MM = 0.01
SHEAR_MM, SHEAR_SLOPE = 0.1, 0.005  # in-plane shift allowed: the larger of 0.1 mm and 0.3 degrees
PERPENDICULAR = 1e-2
GAP_FRACTION = 0.3


@dataclass(frozen=True)
class Arrangement:
    """How the frames of a stack form a volume.

    Parameters
    ----------
    positions : for each slice k of the grid the indices of the frames that lie there; empty for the one missing slice
    geometry : the grid, first slice lowest along the normal
    warnings : what is wrong but usable
    """

    positions: tuple[tuple[int, ...], ...]
    geometry: Geometry
    warnings: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[int, ...]:
        """Slices of the grid that no frame shows."""
        return tuple(k for k, frames in enumerate(self.positions) if not frames)

    @property
    def repeats(self) -> int:
        """Largest number of frames at one position."""
        return max(len(frames) for frames in self.positions)


def normal_of(plane: PlaneFacts) -> NDArray[np.float64]:
    """Unit normal of an image plane, LPS: row direction x column direction."""
    normal: NDArray[np.float64] = _directions(plane)[2]
    return normal


def distances(planes: Sequence[PlaneFacts]) -> NDArray[np.float64]:
    """Signed distance (mm) of each image plane along the normal of the first."""
    along: NDArray[np.float64] = np.array([p.position for p in planes], dtype=np.float64) @ normal_of(planes[0])
    return along


def position_groups(along: NDArray[np.float64]) -> list[list[int]]:
    """Indices of planes grouped by equal distance, in ascending order."""
    groups: list[list[int]] = []
    for n in np.argsort(along, kind="stable"):
        if groups and along[n] - along[groups[-1][0]] <= SAME_POSITION_MM:
            groups[-1].append(int(n))
        else:
            groups.append([int(n)])
    return groups


def arrange(frames: Sequence[Frame], label: str) -> Arrangement:
    """Grid of a stack of frames.

    Parameters
    ----------
    frames : image planes of one orientation, in any order
    label : of the series, for messages

    Raises
    ------
    SeriesError
        No geometry or an impossible one, different matrix or pixel spacing, irregular or sheared stack, more than one
        slice missing.
    """
    planes = [frame.plane for frame in frames]
    _check_same_plane(planes, label)
    along = distances(planes)
    groups = position_groups(along)
    _check_not_sheared(planes, along, groups, label)
    steps = np.diff([along[group[0]] for group in groups])
    step, gap = _spacing(steps, planes[0], label)
    positions = [tuple(group) for group in groups]
    if gap is not None:
        positions.insert(gap + 1, ())
    try:
        geometry = plausible(_grid(planes[groups[0][0]], len(positions), step))
    except GeometryError as error:
        raise SeriesError(f"series {label}: {error}") from error
    return Arrangement(tuple(positions), geometry, tuple(_remarks(planes[0], step, gap, len(groups))))


def _directions(plane: PlaneFacts) -> NDArray[np.float64]:
    """3 x 3, rows: row direction, column direction, normal; made orthonormal against rounding in the header."""
    cosines = np.asarray(plane.orientation, dtype=np.float64)
    row = cosines[:3] / max(float(np.linalg.norm(cosines[:3])), 1e-12)
    column = cosines[3:] - row * (row @ cosines[3:])
    column /= max(float(np.linalg.norm(column)), 1e-12)
    return np.stack([row, column, np.cross(row, column)])


def missing_geometry(plane: PlaneFacts) -> str | None:
    """Which attribute of the geometry is absent or impossible; None when the plane can be placed."""
    if plane.misplaced:
        return plane.misplaced
    if plane.position is None:
        return phrases.IMAGE_POSITION_PATIENT_MISSING
    if plane.orientation is None:
        return phrases.IMAGE_ORIENTATION_PATIENT_MISSING
    if plane.pixel_spacing is None:
        return phrases.PIXEL_SPACING_MISSING
    row, column = np.asarray(plane.orientation[:3]), np.asarray(plane.orientation[3:])
    if (
        abs(row @ column) > PERPENDICULAR
        or abs(row @ row - 1) > PERPENDICULAR
        or abs(column @ column - 1) > PERPENDICULAR
    ):
        return phrases.IMAGE_ORIENTATION_PATIENT_NOT_TWO
    return None


def _check_same_plane(planes: Sequence[PlaneFacts], label: str) -> None:
    """Refuse what cannot be one grid: no geometry, or matrix, pixel spacing, frame of reference or kind differ."""
    for plane in planes:
        if fault := missing_geometry(plane):
            raise SeriesError(f"series {label}: no geometry: {fault}; no default is assumed")
    sizes = sorted({(plane.rows, plane.columns) for plane in planes})
    if len(sizes) > 1:
        listed = ", ".join(phrases.SIZE.format(rows=rows, columns=columns) for rows, columns in sizes)
        raise SeriesError(f"series {label}: slices have different matrix sizes ({listed}); expected one")
    spacings = np.array([plane.pixel_spacing for plane in planes], dtype=np.float64)
    if not np.allclose(spacings, spacings[0], rtol=1e-3):
        raise SeriesError(f"series {label}: slices have different Pixel Spacing; expected one")
    if len({plane.frame_of_reference_uid for plane in planes}) > 1:
        raise SeriesError(f"series {label}: slices belong to different frames of reference; expected one")
    directions = np.array([_directions(plane) for plane in {plane.orientation: plane for plane in planes}.values()])
    if np.abs(directions - directions[0]).max() > 5e-3:
        raise SeriesError(f"series {label}: slices have different orientations; expected one")


def _check_not_sheared(
    planes: Sequence[PlaneFacts], along: NDArray[np.float64], groups: list[list[int]], label: str
) -> None:
    start = groups[0][0]
    positions = np.array([plane.position for plane in planes], dtype=np.float64)
    depth = along - along[start]
    shift = np.linalg.norm(positions - positions[start] - depth[:, None] * normal_of(planes[0]), axis=1)
    worst = int(np.argmax(shift - SHEAR_SLOPE * depth))
    if shift[worst] > max(SHEAR_MM, SHEAR_SLOPE * depth[worst]):
        raise SeriesError(
            f"series {label}: slices are shifted against each other within their plane (sheared stack, "
            f"{shift[worst]:.1f} mm); expected slices straight behind each other"
        )


def _spacing(steps: NDArray[np.float64], plane: PlaneFacts, label: str) -> tuple[float, int | None]:
    """Distance between slices in mm and the index of the one step that spans a missing slice, if any."""
    if not len(steps):
        if not plane.thickness or plane.thickness <= 0:
            raise SeriesError(f"series {label}: a single slice without Slice Thickness; expected one or the other")
        return plane.thickness, None
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])
    tolerance = max(STEP_FRACTION * usual, STEP_MM)
    odd = np.flatnonzero(np.abs(steps - usual) > tolerance)
    total = float(steps.sum())
    if not len(odd):
        gap, count = None, len(steps)
    elif len(odd) == 1 and len(steps) >= 3 and abs(steps[odd[0]] - 2 * usual) <= 2 * tolerance:
        gap, count = int(odd[0]), len(steps) + 1
    else:
        raise SeriesError(
            f"series {label}: slice positions are irregular: steps of {steps.min():.2f} to {steps.max():.2f} mm, "
            f"usually {usual:.2f} mm; expected equal steps (5 % or 0.1 mm) and at most one missing slice inside"
        )
    step = total / count
    grid = np.cumsum(steps) - step * (
        np.arange(1, len(steps) + 1) + (np.arange(len(steps)) >= (count if gap is None else gap))
    )
    if np.abs(grid).max() > max(tolerance, STEP_FRACTION * step):
        raise SeriesError(
            f"series {label}: slice positions drift {np.abs(grid).max():.2f} mm from equal steps of {step:.2f} mm; "
            f"expected at most {tolerance:.2f} mm"
        )
    return step, gap


def _grid(first: PlaneFacts, slices: int, step: float) -> Geometry:
    row, column, normal = _directions(first)
    between_rows, between_columns = first.pixel_spacing or (0.0, 0.0)
    x, y, z = first.position or (0.0, 0.0, 0.0)
    return Geometry(
        shape=(slices, first.rows, first.columns),
        spacing=(step, between_rows, between_columns),
        origin=(x, y, z),
        direction=tuple(np.stack([normal, column, row], axis=1).ravel().tolist()),
        frame_of_reference_uid=first.frame_of_reference_uid,
    )


def _remarks(plane: PlaneFacts, step: float, gap: int | None, slices: int) -> list[str]:
    remarks = []
    if gap is not None:
        remarks.append(phrases.SLICE_MISSING_PLACE_LEFT_EMPTY.format(gap=gap + 2, slices=slices + 1))
    if slices > 1 and plane.thickness and step / plane.thickness - 1 >= GAP_FRACTION:
        percent = 100 * (step / plane.thickness - 1)
        remarks.append(phrases.SLICE_GAP_SLICE_THICKNESS_VOLUMES.format(percent=percent))
    between = plane.between_slices
    if slices > 1 and between and abs(between - step) > max(STEP_FRACTION * step, STEP_MM):
        remarks.append(phrases.SPACING_BETWEEN_SLICES_SAYS_MM.format(between=between, step=step))
    return remarks
