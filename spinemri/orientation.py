"""How a slice of any series is turned for reading: head or front up, the patient's right on the viewer's left.

Sagittal: anterior on the left, head up. Coronal: the patient's right on the left, head up. Axial: the patient's right
on the left, front up. A slice is shown as it was acquired, never reformatted; what is oblique stays so, and its edges
name the two directions it runs between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from spinemri.geometry import AXIS_LETTERS
from spinemri.series import Plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

Vector = tuple[float, float, float]
_READ = {  # world axis across the slices, to the right with its sign, down with its sign (LPS)
    Plane.SAGITTAL: (0, 1, 1, 2, -1),
    Plane.CORONAL: (1, 0, 1, 2, -1),
    Plane.AXIAL: (2, 0, 1, 1, 1),
}
_THICK = 1.5  # times the other spacing
_NAMED_FROM = 0.3  # cosine from which a second direction is named at an edge: 17 degrees

_Voxel = TypeVar("_Voxel", bound=np.generic)


@dataclass(frozen=True)
class ReadingPlane:
    """Which array axis runs across the slices, down and to the right of a picture, and whether it is reversed."""

    across: int
    down: int
    right: int
    flip_down: bool
    flip_right: bool


@dataclass(frozen=True)
class Frame:
    """Where a stack of pictures lies in the patient, LPS mm.

    The point of pixel (column c, row r) of picture n is ``origin + c * right + r * down + n * across``.
    """

    origin: Vector
    right: Vector
    down: Vector
    across: Vector

    @property
    def edges(self) -> dict[str, str]:
        """Letters at the four edges of a picture: where in the patient each edge looks to."""
        right, down = np.asarray(self.right), np.asarray(self.down)
        return {"left": letters(-right), "right": letters(right), "top": letters(-down), "bottom": letters(down)}


def reading_plane(geometry: Geometry, plane: Plane) -> ReadingPlane:
    """How slices of a plane are read; a plane that is not known is told from the slice axis of the grid."""
    world = plane if plane in _READ else _plane_of(geometry)
    across_world, right_world, right_sign, down_world, down_sign = _READ[world]
    across, right, down = (geometry.axis_along(axis) for axis in (across_world, right_world, down_world))
    if world is Plane.AXIAL:
        across, down, right = stack_axes(geometry, world)
    axes = geometry.axes
    return ReadingPlane(
        across=across,
        down=down,
        right=right,
        flip_down=bool(axes[down_world, down] * down_sign < 0),
        flip_right=bool(axes[right_world, right] * right_sign < 0),
    )


def stack_axes(geometry: Geometry, plane: Plane) -> tuple[int, int, int]:
    """Array axes of a stack: across its slices, and those of the two other directions in the order of the plane.

    Sagittal: across, front to back, head to foot. Axial: across, front to back, right to left. Slices along a steep
    disc may look more forward than upward: then the thick direction of a stack says which its slices are.
    """
    left, back, up = (geometry.axis_along(world) for world in range(3))
    if plane is not Plane.AXIAL:
        return left, back, up
    thick = geometry.spacing[back] > _THICK * geometry.spacing[up]
    return (back, up, left) if thick else (up, back, left)


def oriented(voxels: NDArray[_Voxel], plane: ReadingPlane, number: int) -> NDArray[_Voxel]:
    """One slice (rows, columns) of a volume (k, j, i), turned for reading: a view, what is written there is written."""
    picture: NDArray[_Voxel] = np.moveaxis(voxels, plane.across, 0)[number]
    picture = picture if plane.down < plane.right else picture.T
    picture = picture[::-1] if plane.flip_down else picture
    return picture[:, ::-1] if plane.flip_right else picture


def frame_of(geometry: Geometry, plane: ReadingPlane, first: tuple[int, int]) -> Frame:
    """The frame of pictures that begin at a (row, column) of the turned slices."""
    index = np.zeros(3)
    steps = {plane.down: (plane.flip_down, first[0]), plane.right: (plane.flip_right, first[1])}
    for axis, (flipped, offset) in steps.items():
        index[axis] = geometry.shape[axis] - 1 - offset if flipped else offset

    def along(axis: int, sign: float) -> Vector:
        x, y, z = (geometry.axes[:, axis] * geometry.spacing[axis] * sign).tolist()
        return x, y, z

    x, y, z = geometry.to_patient(index).tolist()
    return Frame(
        origin=(x, y, z),
        right=along(plane.right, -1.0 if plane.flip_right else 1.0),
        down=along(plane.down, -1.0 if plane.flip_down else 1.0),
        across=along(plane.across, 1.0),
    )


def letters(direction: NDArray[np.float64]) -> str:
    """'A' for a direction (3,) to the front; 'AS' for one that also leans to the head by more than 17 degrees."""
    unit = direction / np.linalg.norm(direction)
    order = [int(axis) for axis in np.argsort(-np.abs(unit), kind="stable")]
    named = [axis for axis in order[:2] if axis == order[0] or abs(unit[axis]) > _NAMED_FROM]
    return "".join(AXIS_LETTERS[axis][int(unit[axis] > 0)] for axis in named)


def _plane_of(geometry: Geometry) -> Plane:
    """The plane whose normal is the grid's slice axis."""
    planes = {across: plane for plane, (across, *_) in _READ.items()}
    return next(planes[world] for world in range(3) if geometry.axis_along(world) == 0)
