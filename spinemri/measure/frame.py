"""Each vertebra has its own axes; lengths are measured along them, never along the scanner's.

L5 and S1 are tilted by 30 to 40 degrees in a healthy person, so a height measured along the table is wrong by a fifth.
The superior axis is the mean of the two endplate normals, the posterior axis lies in the sagittal plane perpendicular
to it, the left axis completes them. They start from the line through the neighbouring bodies' centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.measure.medians import median

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from spinemri.geometry import Geometry


@dataclass(frozen=True, eq=False)
class Frame:
    """A right-handed local frame in the patient: origin (LPS mm) and unit vectors to left, posterior and superior."""

    origin: NDArray[np.float64]
    left: NDArray[np.float64]
    posterior: NDArray[np.float64]
    superior: NDArray[np.float64]

    def to_local(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Local (left, posterior, superior) in mm of patient points (n, 3)."""
        return (points - self.origin) @ np.stack([self.left, self.posterior, self.superior], axis=1)

    def to_patient(self, local: ArrayLike) -> NDArray[np.float64]:
        """Patient points (..., 3), LPS mm, of local (left, posterior, superior) in mm."""
        basis = np.stack([self.left, self.posterior, self.superior])
        return np.asarray(local, dtype=np.float64) @ basis + self.origin

    def turned(self, sagittal: float, coronal: float) -> Frame:
        """The frame with its superior axis leaning by the given slopes (mm per mm) to posterior and to left."""
        superior = self.superior + sagittal * self.posterior + coronal * self.left
        return frame_from(self.origin, superior, self.left)


def frame_from(origin: ArrayLike, superior: ArrayLike, left: ArrayLike) -> Frame:
    """Frame whose superior axis is ``superior`` exactly and whose left axis is as close to ``left`` as that allows."""
    up = unit(superior)
    sideways = np.asarray(left, dtype=np.float64)
    side = unit(sideways - (sideways @ up) * up)
    return Frame(np.asarray(origin, dtype=np.float64), side, np.cross(up, side), up)


def unit(vector: ArrayLike) -> NDArray[np.float64]:
    """``vector`` scaled to length 1."""
    array = np.asarray(vector, dtype=np.float64)
    return array / np.linalg.norm(array)


def left_axis(geometry: Geometry) -> NDArray[np.float64]:
    """Unit vector of the grid axis closest to the patient's left, pointing left: the normal of a sagittal stack.

    The normal that the operator chose at the scanner follows a patient who lies turned; the scanner's x does not.
    """
    axis = geometry.axes[:, geometry.axis_along(0)]
    return axis if axis[0] > 0 else -axis


def upward_directions(centres: Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
    """Unit vectors towards the head along the line through body centres (LPS mm, head to foot), one per body.

    With a single body, the patient's superior axis.
    """
    points = np.asarray(centres, dtype=np.float64).reshape(-1, 3)
    if len(points) < 2:
        return [np.array([0.0, 0.0, 1.0]) for _ in points]
    return [unit(points[max(n - 1, 0)] - points[min(n + 1, len(points) - 1)]) for n in range(len(points))]


def robust_line(
    x: NDArray[np.float64], y: NDArray[np.float64], noise_mm: float, at: float = 0.0, stiffness: float = 0.02
) -> tuple[float, float]:
    """Height and slope of the line through points (x, y), at ``x = at``, with outliers weighted down (Tukey).

    Parameters
    ----------
    noise_mm : expected scatter of good points; weights never get stricter than this
    stiffness : mm^2; holds the slope back towards zero where the points' summed squared offsets are not larger
    """
    offset = x - at
    centre = median(y)
    weight = np.clip(1.5 - np.abs(y - centre) / (4 * noise_mm + np.ptp(y)), 0.1, 1.0)
    squared, product, half = offset**2, offset * y, len(y) // 2
    height, slope = centre, 0.0
    for _ in range(6):
        total, first = weight.sum() + 1e-9, weight @ offset
        second = weight @ squared + stiffness
        value, moment = weight @ y, weight @ product
        determinant = total * second - first**2
        height = (second * value - first * moment) / determinant
        slope = (total * moment - first * value) / determinant
        residual = np.abs(y - height - slope * offset)
        scale = 4.7 * max(1.48 * float(np.partition(residual, half)[half]), noise_mm)
        weight = np.maximum(1 - (residual / scale) ** 2, 0.0) ** 2 + 1e-6
    return float(height), float(slope)
