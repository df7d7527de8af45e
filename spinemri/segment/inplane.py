"""Work within each sagittal slice of a volume, never across slices that may lie millimetres apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_FAINT = 1e-4
_FAR_MM = 1e6


def local_mean(signal: Floats, tissue: Mask, spacing: tuple[float, ...], across: int, along_mm: float) -> Floats:
    """Mean signal of a tissue near every voxel of its own sagittal slice, nan where there is none.

    Parameters
    ----------
    signal, tissue : (k, j, i)
    spacing : mm per array axis
    across : array axis from slice to slice
    along_mm : standard deviation of the Gaussian it is weighted with
    """
    sigma = [0.0 if axis == across else along_mm / spacing[axis] for axis in range(3)]
    weight: Floats = ndimage.gaussian_filter(tissue.astype(np.float64), sigma, truncate=3.0)
    total: Floats = ndimage.gaussian_filter(signal * tissue, sigma, truncate=3.0)
    means: Floats = np.divide(total, weight, out=np.full(signal.shape, np.nan), where=weight > _FAINT)
    return means


def within_slices(spacing: tuple[float, ...], across: int) -> list[float]:
    """Spacing for a distance transform that shall never lead from one sagittal slice to another."""
    return [_FAR_MM if axis == across else spacing[axis] for axis in range(3)]


def cross(across: int) -> Mask:
    """A voxel and its four neighbours within the sagittal slice, (3, 3, 3)."""
    neighbours: Mask = ndimage.generate_binary_structure(3, 1)
    for side in (0, 2):
        neighbours[tuple(side if axis == across else slice(None) for axis in range(3))] = False
    return neighbours
