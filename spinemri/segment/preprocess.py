"""An image as the network wants it: slices of its plane, of its pixel size, turned one way, normalised.

Sagittal slices run from right to left, rows from posterior to anterior, columns from inferior to superior; axial ones
from inferior to superior, rows from posterior to anterior, columns from right to left. Everything is exact in
millimetres. The working grid covers the same extent as the image and shares its centre and axes, so going there and
back is one linear map per axis; flips and reversed axes are part of that map, never a copy. When a grid gets coarser
the kernel widens with it, so that thin lines do not alias. Slices stay as acquired unless they are thinner than 1.5 mm;
then the working slices lie about 2 mm apart and the network's neighbours about 4 mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from spinemri.errors import ModelError
from spinemri.orientation import stack_axes
from spinemri.series import Plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.segment.model import Model

_THIN_MM = 1.5  # thinner slices are averaged in pairs or more
_THIN_TARGET_MM = 2.0
_MAX_IN_PLANE_MM = 2.5  # coarser sampling within the slices: not a series of that plane
_AXES = {Plane.SAGITTAL: (0, 1, 2), Plane.AXIAL: (2, 1, 0)}  # world axes of slices, rows and columns
_TOWARDS = (1, -1, 1)  # left, anterior, superior in LPS
_UPPER_QUANTILE = 0.995
_MAX_QUANTILE_SAMPLES = 200_000
_MIN_FOREGROUND = 10
_NO_BOX = 1e-3


@dataclass(frozen=True, eq=False)
class WorkingMap:
    """How an image's grid and the network's working grid correspond.

    Parameters
    ----------
    axes : array axes of the image that run along the working slices, rows and columns
    to_work : one (working size, image size) matrix per axis, in that order; rows sum to 1
    to_image : the way back, one (image size, working size) matrix per axis; rows sum to 1
    stride : distance of the network's neighbour slices, in working slices
    slice_mm : distance of the working slices
    """

    axes: tuple[int, int, int]
    to_work: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    to_image: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    stride: int
    slice_mm: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size of the working grid: (slices, rows, columns)."""
        slices, rows, columns = (m.shape[0] for m in self.to_work)
        return slices, rows, columns

    def nearest(self, labels: NDArray[np.integer]) -> NDArray[np.integer]:
        """Labels (k, j, i) of the image at the voxel that each place of the working grid mostly comes from."""
        where = np.ix_(*(matrix.argmax(1).numpy() for matrix in self.to_work))
        return np.asarray(labels.transpose(self.axes)[where])

    def places(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        """Continuous places (n, 3) = (slice, row, column) of the working grid at continuous image indices (n, 3)."""
        found = []
        for axis, back in zip(self.axes, self.to_image, strict=True):
            ramp = (back.double() @ torch.arange(back.shape[1], dtype=torch.float64)).numpy()
            found.append(np.interp(index[:, axis], np.arange(len(ramp)), ramp))
        return np.stack(found, axis=1)


def working_map(image: Image, model: Model) -> WorkingMap:
    """The correspondence between an image and the model's working grid, whatever the order and sense of its axes.

    Raises
    ------
    ModelError
        If the image has no slices of the model's plane with pixels of at most 2.5 mm.
    """
    geometry = image.geometry
    axes = _axes(geometry, model.plane, image.series.label)
    along = geometry.spacing[axes[0]]
    thin = along < _THIN_MM
    slice_mm = along * max(1, round(_THIN_TARGET_MM / along)) if thin else along
    wanted = (slice_mm, model.spacing_mm, model.spacing_mm)
    spacing = dict(zip(axes, wanted, strict=True))
    work = geometry.with_spacing((spacing[0], spacing[1], spacing[2]))
    forth, back = [], []
    for axis, world in zip(axes, _AXES[model.plane], strict=True):
        reverse = geometry.axes[world, axis] * _TOWARDS[world] < 0
        grid = (geometry.shape[axis], geometry.spacing[axis], work.shape[axis], work.spacing[axis])
        forth.append(_linear_map(*grid, reverse=reverse))
        back.append(_linear_map(*grid[2:], *grid[:2], reverse=reverse))
    stride = max(1, round(model.slice_spacing_mm / slice_mm)) if thin else 1
    return WorkingMap(axes, (forth[0], forth[1], forth[2]), (back[0], back[1], back[2]), stride, slice_mm)


def working_slices(image: Image, mapping: WorkingMap) -> torch.Tensor:
    """Working slices (slices, rows, columns), float32, intensities from 0; missing slices are 0."""
    voxels = present_voxels(image).transpose(mapping.axes)
    across, down, along = mapping.to_work
    found = torch.stack([down @ torch.from_numpy(np.ascontiguousarray(s)) @ along.T for s in voxels])
    return torch.einsum("sk,kab->sab", across, found)


def present_voxels(image: Image) -> NDArray[np.float32]:
    """Intensities (k, j, i) as float32 that start at 0; missing slices are 0."""
    voxels = np.array(image.voxels, dtype=np.float32)
    missing = list(image.missing_slices)
    present = np.delete(voxels, missing, axis=0) if missing else voxels
    voxels -= present.min()
    voxels[missing] = 0
    return voxels


def normalise(slices: torch.Tensor) -> torch.Tensor:
    """Intensities clipped at their 99.5th percentile, then mean 0 and standard deviation 1 over the non-zero voxels.

    Slices (…, rows, columns), float32. Voxels of 0 (black, or masked by the scanner) do not count, but are scaled with
    the others; a slice of nothing else is missing and stays 0.
    """
    values = slices[slices > 0]
    if values.numel() < _MIN_FOREGROUND:
        return torch.zeros_like(slices)
    step = max(1, values.numel() // _MAX_QUANTILE_SAMPLES)
    upper = torch.tensor(np.quantile(values[::step].numpy(), _UPPER_QUANTILE), dtype=values.dtype)
    values = torch.minimum(values, upper)
    present = slices.amax(dim=(-2, -1), keepdim=True) > 0
    return (torch.minimum(slices, upper) - values.mean()) / (values.std() + 1e-5) * present


def neighbours(slices: torch.Tensor, count: int, stride: int, at: torch.Tensor | None = None) -> torch.Tensor:
    """Slices, all or those numbered ``at``, with their neighbours as channels: (slices, count, rows, columns).

    Beyond the stack neighbours are 0.
    """
    half = count // 2 * stride
    padded = torch.nn.functional.pad(slices, (0, 0, 0, 0, half, half))
    first = torch.arange(len(slices)) if at is None else at
    return torch.stack([padded[first + c * stride] for c in range(count)], dim=1)


def stack(slices: torch.Tensor, count: int) -> torch.Tensor:
    """Neighbouring slices as channels where all ``count`` are there: (slices - count + 1, count, rows, columns)."""
    return slices.unfold(0, count, 1).movedim(-1, 1).contiguous()


def _axes(geometry: Geometry, plane: Plane, label: str) -> tuple[int, int, int]:
    slices, rows, columns = stack_axes(geometry, plane)
    in_plane = geometry.spacing[rows], geometry.spacing[columns]
    if len({slices, rows, columns}) != 3 or max(in_plane) > _MAX_IN_PLANE_MM:
        found = " x ".join(f"{v:.1f}" for v in geometry.spacing)
        raise ModelError(
            f"series {label}: orientation {geometry.orientation} with {found} mm voxels:"
            f" expected {plane.value} slices with pixels of at most {_MAX_IN_PLANE_MM} mm, or a 3D volume"
        )
    return slices, rows, columns


def _linear_map(n_from: int, mm_from: float, n_to: int, mm_to: float, *, reverse: bool) -> torch.Tensor:
    """(n_to, n_from) matrix that resamples an axis between two grids with a common centre; a ramp stays that ramp."""
    to_mm = (np.arange(n_to) - (n_to - 1) / 2) * mm_to * (-1 if reverse else 1)
    from_mm = (np.arange(n_from) - (n_from - 1) / 2) * mm_from
    offset = (np.clip(to_mm, from_mm[0], from_mm[-1])[:, None] - from_mm) / mm_from
    box = max(0.0, mm_to / mm_from - 1)  # linear interpolation, averaged over what the coarser pixel covers beyond it
    if box < _NO_BOX:
        matrix = np.clip(1 - np.abs(offset), 0, None)
    else:
        matrix = (_hat_integral(offset + box / 2) - _hat_integral(offset - box / 2)) / box
    matrix /= matrix.sum(axis=1, keepdims=True)
    return torch.from_numpy(matrix.astype(np.float32))


def _hat_integral(upper: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of the hat function max(0, 1 - abs(v)) from minus infinity to ``upper``."""
    v = np.clip(upper, -1, 1)
    return np.where(v < 0, (1 + v) ** 2 / 2, 1 - (1 - v) ** 2 / 2)
