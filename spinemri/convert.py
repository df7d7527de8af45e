"""Between our arrays and SimpleITK: the only place where axes are reversed or LPS becomes RAS.

Ours are (k, j, i) with ``direction`` columns in that order; ITK counts (i, j, k). Both speak LPS mm, so the origin is
the same and only the order of axes is reversed. NIfTI's RAS is made by ITK's writer from the LPS grid.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK

from spinemri.errors import GeometryError, OutputError
from spinemri.geometry import Geometry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_THICKER = 1.25  # an axis this much coarser than both others is the slice axis
_ALIGNED = 0.999


def to_sitk(voxels: NDArray[np.generic], geometry: Geometry) -> SimpleITK.Image:
    """SimpleITK image of (k, j, i) voxels on their grid; boolean voxels become uint8.

    Raises
    ------
    GeometryError
        If shapes differ.
    """
    if voxels.shape != geometry.shape:
        raise GeometryError(f"{voxels.shape} voxels on a {geometry.shape} grid")
    stored = voxels.astype(np.uint8) if voxels.dtype == np.bool_ else voxels
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(stored))
    image.SetSpacing(geometry.spacing[::-1])
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.axes[:, ::-1].ravel().tolist())
    return image


def from_sitk(
    image: SimpleITK.Image, frame_of_reference_uid: str | None = None
) -> tuple[NDArray[np.generic], Geometry]:
    """Voxels (k, j, i) and grid of a three-dimensional SimpleITK image.

    Raises
    ------
    GeometryError
        If the image is not three-dimensional, or its axes are not orthonormal.
    """
    grid = itk_geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    voxels: NDArray[np.generic] = SimpleITK.GetArrayFromImage(image)
    return voxels, Geometry(grid.shape, grid.spacing, grid.origin, grid.direction, frame_of_reference_uid)


def itk_geometry(
    size: Sequence[int], spacing: Sequence[float], origin: Sequence[float], direction: Sequence[float]
) -> Geometry:
    """Grid of an ITK header, axes reversed to (k, j, i)."""
    if len(size) != 3:
        raise GeometryError(f"{len(size)} dimensions; expected 3")
    axes = np.asarray(direction, dtype=np.float64).reshape(3, 3)[:, ::-1]
    return Geometry(
        shape=(int(size[2]), int(size[1]), int(size[0])),
        spacing=(spacing[2], spacing[1], spacing[0]),
        origin=(origin[0], origin[1], origin[2]),
        direction=tuple(axes.ravel().tolist()),
    )


def slices_first(geometry: Geometry) -> tuple[int, int, int]:
    """Order of axes that puts slices first, then rows, then columns, as in a DICOM series; nothing is flipped.

    The slice axis is the coarsest; on a nearly isotropic grid the one nearest to left-right, so that it reads as
    sagittal. Rows follow the body downwards (axial: backwards).
    """
    ranked = sorted(range(3), key=lambda a: -geometry.spacing[a])
    coarse = geometry.spacing[ranked[0]] >= _THICKER * geometry.spacing[ranked[1]]
    first = ranked[0] if coarse else geometry.axis_along(0)
    others = [a for a in range(3) if a != first]
    world = 1 if geometry.axis_along(2) == first else 2
    rows = max(others, key=lambda a: abs(geometry.axes[world, a]))
    return first, rows, next(a for a in others if a != rows)


def reordered(
    voxels: NDArray[np.generic], geometry: Geometry, order: tuple[int, int, int]
) -> tuple[NDArray[np.generic], Geometry]:
    """The same volume with its array axes in another order; every voxel keeps its place in the patient."""
    return np.ascontiguousarray(voxels.transpose(order)), reordered_grid(geometry, order)


def reordered_grid(geometry: Geometry, order: tuple[int, int, int]) -> Geometry:
    """Grid with its axes in another order."""
    a, b, c = order
    return Geometry(
        shape=(geometry.shape[a], geometry.shape[b], geometry.shape[c]),
        spacing=(geometry.spacing[a], geometry.spacing[b], geometry.spacing[c]),
        origin=geometry.origin,
        direction=tuple(geometry.axes[:, order].ravel().tolist()),
        frame_of_reference_uid=geometry.frame_of_reference_uid,
    )


def order_of(geometry: Geometry, like: Geometry) -> tuple[int, int, int]:
    """Order of ``geometry``'s axes that matches those of ``like``.

    Raises
    ------
    GeometryError
        If the two grids do not have the same axes.
    """
    for a, b, c in permutations(range(3)):
        if np.diag(geometry.axes[:, (a, b, c)].T @ like.axes).min() > _ALIGNED:
            return a, b, c
    raise GeometryError("the two grids do not share their axes")


def write_nifti(voxels: NDArray[np.generic], geometry: Geometry, path: Path, *, like: Geometry | None = None) -> None:
    """Write (k, j, i) voxels as NIfTI (NRRD, MetaImage, by the name) with the affine of their grid.

    Parameters
    ----------
    voxels : (k, j, i)
    geometry : grid of ``voxels``
    path : ends in .nii, .nii.gz, .nrrd or .mha
    like : grid as it lay in the file the image was read from; axes are written in that order

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    if like is not None:
        voxels, geometry = reordered(voxels, geometry, order_of(geometry, like))
    try:
        SimpleITK.WriteImage(to_sitk(voxels, geometry), str(path), useCompression=True)
    except RuntimeError as error:
        raise OutputError(f"{path.name} cannot be written") from error
