"""What lies under each value of a mask: how much, where in the patient, and how far it reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry


@dataclass(frozen=True, eq=False)
class Piece:
    """All voxels of one value.

    Parameters
    ----------
    voxels, volume_mm3 : how many, and their volume
    centre : (3,) LPS mm
    low, high : (3,) LPS mm, 1st and 99th percentile of the voxels' places along x, y, z
    at_end : whether it reaches the first or last voxel of the grid from head to foot
    """

    voxels: int
    volume_mm3: float
    centre: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    at_end: bool

    @property
    def size(self) -> NDArray[np.float64]:
        """Extent in mm from right to left, front to back, foot to head."""
        return self.high - self.low


def pieces_of(voxels: NDArray[np.integer], geometry: Geometry) -> dict[int, Piece]:
    """Value -> piece, background left out.

    Parameters
    ----------
    voxels : (k, j, i) on ``geometry``
    """
    index = np.argwhere(voxels)
    if not len(index):
        return {}
    values = voxels[tuple(index.T)]
    axis, each = geometry.axis_along(2), float(np.prod(geometry.spacing))
    order = np.argsort(values, kind="stable")
    names, starts = np.unique(values[order], return_index=True)
    found = {}
    for value, here in zip(names.tolist(), np.split(index[order], starts[1:]), strict=True):
        points = geometry.to_patient(here)
        low, high = np.percentile(points, (1, 99), axis=0)
        ends = np.isin(here[:, axis], (0, geometry.shape[axis] - 1))
        found[int(value)] = Piece(len(here), len(here) * each, points.mean(axis=0), low, high, bool(ends.sum() > 1))
    return found
