"""The voxel grid in the patient, and the conventions every other module relies on.

Arrays are (k, j, i) = (slice, row, column), as pydicom and SimpleITK hand them over; ``spacing[a]`` belongs to
``voxels.shape[a]``; patient space is LPS (x to the patient's left, y to posterior, z to superior) in millimetres.
A *point* is (x, y, z) in mm, an *index* is (k, j, i) in voxels, possibly fractional; index 0 is a voxel's centre.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.errors import GeometryError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Vector = tuple[float, float, float]
Shape = tuple[int, int, int]

AXIS_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))  # towards negative and positive x, y, z of LPS
_ORTHONORMAL_ATOL = 1e-3
MAX_VOXELS = 2**27  # 512 x 512 x 512: more than any MR series of a spine, half a gigabyte as float32
_SPACING_MM = 0.02, 100.0
_MAX_FIELD_MM, _MAX_ORIGIN_MM = 3000.0, 10_000.0


@dataclass(frozen=True)
class Geometry:
    """A regular grid of voxels in the patient.

    Parameters
    ----------
    shape : (slices, rows, columns)
    spacing : mm between voxel centres along each array axis
    origin : LPS mm, centre of voxel (0, 0, 0)
    direction : 9 floats, a row-major 3 x 3 matrix whose column *a* is the unit vector of array axis *a* in LPS
    frame_of_reference_uid : DICOM Frame of Reference UID, or None for file formats that have none

    Raises
    ------
    GeometryError
        If a size or spacing is not positive and finite, or the axes are not orthonormal.
    """

    shape: Shape
    spacing: Vector
    origin: Vector
    direction: tuple[float, ...]
    frame_of_reference_uid: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        for name in ("spacing", "origin", "direction"):
            object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise GeometryError(f"grid shape {self.shape}: expected three sizes of at least 1")
        if len(self.spacing) != 3 or not all(np.isfinite(self.spacing)) or min(self.spacing) <= 0:
            raise GeometryError(f"voxel spacing {self.spacing} mm: expected three positive numbers")
        if len(self.origin) != 3 or not all(np.isfinite(self.origin)):
            raise GeometryError(f"grid origin {self.origin}: expected three finite numbers")
        if len(self.direction) != 9 or not all(np.isfinite(self.direction)):
            raise GeometryError(f"direction {self.direction}: expected nine finite numbers")
        axes = self.axes
        if not np.allclose(axes.T @ axes, np.eye(3), atol=_ORTHONORMAL_ATOL):
            raise GeometryError(f"direction {self.direction}: axes are not orthonormal")

    @property
    def axes(self) -> NDArray[np.float64]:
        """3 x 3 matrix; column *a* is the unit vector (LPS) of array axis *a*."""
        return np.asarray(self.direction, dtype=np.float64).reshape(3, 3)

    @property
    def affine(self) -> NDArray[np.float64]:
        """4 x 4 matrix from index (k, j, i, 1) to patient point (x, y, z, 1), LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes * np.asarray(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix

    @property
    def orientation(self) -> str:
        """Axis code of the array axes k, j, i: the letter each axis increases towards, such as 'LIP'."""
        axes = self.axes
        return "".join(
            AXIS_LETTERS[world][int(axes[world, a] > 0)] for a, world in enumerate(self._world_of_array_axes())
        )

    def axis_along(self, world_axis: int) -> int:
        """Array axis that runs closest to patient x (0, left-right), y (1, AP) or z (2, SI)."""
        return self._world_of_array_axes().index(world_axis)

    def _world_of_array_axes(self) -> tuple[int, ...]:
        """Patient axis of each array axis, each once: near 45 degrees two array axes may lean to the same one."""
        lean = np.abs(self.axes)
        return max(permutations(range(3)), key=lambda worlds: sum(lean[world, a] for a, world in enumerate(worlds)))

    def to_patient(self, index: ArrayLike) -> NDArray[np.float64]:
        """Patient points (..., 3) in LPS mm of indices (..., 3) in (k, j, i)."""
        scaled = np.asarray(index) * np.asarray(self.spacing)
        points: NDArray[np.float64] = (_listed(scaled) @ self.axes.T + self.origin).reshape(scaled.shape)
        return points

    def to_index(self, point: ArrayLike) -> NDArray[np.float64]:
        """Fractional indices (..., 3) in (k, j, i) of patient points (..., 3) in LPS mm."""
        offset = np.asarray(point) - np.asarray(self.origin)
        indices: NDArray[np.float64] = _listed(offset) @ np.linalg.inv(self.axes).T / self.spacing
        return indices.reshape(offset.shape)

    def span(self, world_axis: int) -> tuple[float, float]:
        """Lowest and highest coordinate (LPS mm) along a patient axis of the line through the middle of the field."""
        axis = self.axis_along(world_axis)
        ends = np.repeat([(np.asarray(self.shape) - 1) / 2], 2, axis=0)
        ends[:, axis] = -0.5, self.shape[axis] - 0.5
        low, high = sorted(self.to_patient(ends)[:, world_axis].tolist())
        return low, high

    def corners(self) -> NDArray[np.float64]:
        """Eight points (8, 3), LPS mm: the centres of the corner voxels."""
        ends = [(0, n - 1) for n in self.shape]
        return self.to_patient(np.array(list(product(*ends)), dtype=np.float64))

    def same_grid(self, other: Geometry, atol_mm: float = 0.1) -> bool:
        """Whether two grids coincide: same shape, frame of reference, and corners within ``atol_mm``."""
        return (
            self.shape == other.shape
            and self.frame_of_reference_uid == other.frame_of_reference_uid
            and bool(np.abs(self.corners() - other.corners()).max() <= atol_mm)
        )

    def part(self, box: tuple[slice, ...]) -> Geometry:
        """Grid of a part of an array on this one; ``box`` in (k, j, i), as numpy takes it, without steps."""
        k, j, i = (len(range(*side.indices(n))) for side, n in zip(box, self.shape, strict=True))
        origin = self.to_patient([side.indices(n)[0] for side, n in zip(box, self.shape, strict=True)])
        return replace(self, shape=(k, j, i), origin=_triple(origin))

    def with_spacing(self, spacing: Vector) -> Geometry:
        """Grid over the same extent (outer voxel faces) with another spacing; used to resample."""
        size = np.asarray(self.shape) * np.asarray(self.spacing)
        shape = np.maximum(1, np.round(size / np.asarray(spacing))).astype(int)
        first = (size - shape * np.asarray(spacing)) / 2 + np.asarray(spacing) / 2
        index = first / np.asarray(self.spacing) - 0.5
        origin = self.to_patient(index)
        return Geometry(_triple(shape), spacing, _triple(origin), self.direction, self.frame_of_reference_uid)


def indices_of(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Indices (n, 3) of the voxels of a mask (k, j, i), in order, as ``np.argwhere`` gives them ten times as slowly."""
    return np.array(np.unravel_index(np.flatnonzero(mask), mask.shape)).T


def plausible(geometry: Geometry) -> Geometry:
    """The grid, if an MR scanner could have made it; asked of every file before its voxels are read.

    Raises
    ------
    GeometryError
        More than 2**27 voxels, voxels below 0.02 or above 100 mm, a field of more than 3 m, or an origin more than 10 m
        from the scanner's: numbers that nobody measured, and that no memory holds once resampled.
    """
    if math.prod(geometry.shape) > MAX_VOXELS:
        size = " x ".join(map(str, geometry.shape))
        raise GeometryError(f"{size} voxels: expected at most {MAX_VOXELS:,}")
    low, high = _SPACING_MM
    if not all(low <= mm <= high for mm in geometry.spacing):
        listed = " x ".join(f"{mm:.3g}" for mm in geometry.spacing)
        raise GeometryError(f"voxels of {listed} mm: expected {low} to {high:.0f} mm")
    field = max(n * mm for n, mm in zip(geometry.shape, geometry.spacing, strict=True))
    if field > _MAX_FIELD_MM:
        raise GeometryError(f"a field of {field:.3g} mm: expected at most {_MAX_FIELD_MM:.0f} mm")
    far = max(map(abs, geometry.origin))
    if far > _MAX_ORIGIN_MM:
        raise GeometryError(f"an image {far:.3g} mm off the origin: expected at most {_MAX_ORIGIN_MM:.0f} mm")
    return geometry


def _listed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (..., 3) as a list (n, 3), which is multiplied in one go; one point (3,) stays as it is."""
    return points.reshape(-1, 3) if points.ndim > 2 else points


def _triple(values: ArrayLike) -> Any:
    return tuple(np.asarray(values).tolist())
