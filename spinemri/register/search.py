"""The rigid motion of one vertebra between two images, by mutual information.

Marrow is bright on T1w and dark on STIR, so only mutual information can compare the images; the shift between the
masks of the body is where the search starts when the frames of reference differ. The histogram is counted here, over
points about 1.4 mm apart: SimpleITK's metric sets itself up anew for each of the hundred motions tried and counts every
voxel, five times as long for the same motions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, optimize
from scipy.spatial.transform import Rotation

from spinemri.geometry import indices_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry, Vector
    from spinemri.image import Image

    Floats = NDArray[np.float64]

_BOUND_MM, _BOUND_DEG = 5.0, 3.0
_AROUND_MM = 8.0
_APART_MM = 1.4  # between the points compared, within a slice
_BINS = 24
_EVALUATIONS = 90
_THIN_MM = 2.5
_ROUNDING = 1e-3  # voxels, by which the outermost slices may seem to lie outside


@dataclass(frozen=True)
class Fit:
    """A rigid motion of one vertebra from the fixed to the moving series, and the mutual information it gives."""

    shift: tuple[float, float, float]
    turn_deg: float
    information: float
    centre: Vector


def fits(
    fixed: Image, body: NDArray[np.bool_], moving: Image, mask_shift: Floats, *, same_frame: bool
) -> tuple[Fit, Fit]:
    """Mutual information as the headers say, and the best rigid fit within 5 mm and 3 degrees of a start."""
    points = fixed.geometry.to_patient(indices_of(body))
    crop = _box(fixed.geometry, points, _AROUND_MM)
    grid = fixed.geometry.part(crop)
    near = ndimage.distance_transform_edt(~body[crop], sampling=grid.spacing) <= _AROUND_MM
    index = indices_of(_thinned(near, grid))
    base = np.zeros(3) if same_frame else mask_shift
    there = _box(moving.geometry, points + base, _AROUND_MM + 2 * _BOUND_MM)
    search = _Search(
        (grid.to_patient(index) - points.mean(axis=0)).T.copy(),
        np.rint(_in_bins(fixed.voxels[crop])[tuple(index.T)]).astype(np.intp),
        _in_bins(moving.voxels[there]),
        moving.geometry.part(there),
        points.mean(axis=0),
        grid,
    )
    rest = Fit((0.0, 0.0, 0.0), 0.0, search.information(np.zeros(3)), search.middle)
    return rest, max((rest, search.fit(base)), key=lambda fit: fit.information)


def _box(geometry: Geometry, points: Floats, margin_mm: float) -> tuple[slice, ...]:
    """The part of a grid around patient points."""
    index = geometry.to_index(points)
    margin = margin_mm / np.asarray(geometry.spacing)
    low = np.clip(np.floor(index.min(axis=0) - margin), 0, np.asarray(geometry.shape) - 2).astype(int)
    high = np.clip(np.ceil(index.max(axis=0) + margin) + 1, low + 2, geometry.shape).astype(int)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _thinned(mask: NDArray[np.bool_], grid: Geometry) -> NDArray[np.bool_]:
    """The mask's voxels of every slice, about 1.4 mm apart within it."""
    kept = np.zeros_like(mask)
    across = grid.axis_along(0)
    apart = [1 if axis == across else max(1, int(_APART_MM / mm)) for axis, mm in enumerate(grid.spacing)]
    chosen = tuple(slice(None, None, step) for step in apart)
    kept[chosen] = mask[chosen]
    return kept


def _in_bins(values: NDArray[np.generic]) -> Floats:
    """Intensities from least to most as places among the bins of a histogram, 0 to 23."""
    numbers = values.astype(np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    return (numbers - low) * ((_BINS - 1) / max(high - low, 1e-9))


@dataclass(frozen=True, eq=False)
class _Search:
    """Mutual information between points of one series and the voxels of another, as a function of a rigid motion.

    The motion is a shift within the slices and a turn about their normal through a centre; a shift across the slices
    is searched for only where slices are thin enough to show it.

    Parameters
    ----------
    offsets : (3, n) LPS mm from the centre, points of the fixed series
    values : (n,) bins of the fixed series' intensities there
    moving, there : the moving series around them, in bins, and its grid
    centre : (3,) LPS mm
    grid : of the fixed series
    """

    offsets: Floats
    values: NDArray[np.intp]
    moving: Floats
    there: Geometry
    centre: Floats
    grid: Geometry

    @property
    def middle(self) -> Vector:
        """The centre as three numbers."""
        x, y, z = self.centre.tolist()
        return x, y, z

    @cached_property
    def normal(self) -> Floats:
        """(3,) unit vector across the slices of the fixed series."""
        return self.grid.axes[:, self.grid.axis_along(0)]

    def information(self, shift: Floats, turn_deg: float = 0.0) -> float:
        """Mutual information (nats) for a shift (LPS mm) and a turn (degrees) about the slices' normal.

        The moving intensity is interpolated linearly, and shared linearly between the two bins next to it. 0 without
        overlap.
        """
        turn = Rotation.from_rotvec(self.normal * turn_deg, degrees=True).as_matrix()
        corners = self.there.to_index(self.centre + shift + np.vstack([np.zeros(3), turn.T]))  # the motion as indices
        index, values = (corners[1:] - corners[0]).T @ self.offsets + corners[0][:, None], self.values
        last = np.array(self.there.shape) - 1 + _ROUNDING
        if not (index.min(axis=1) >= -_ROUNDING).all() or not (index.max(axis=1) <= last).all():
            inside = ((index >= -_ROUNDING) & (index <= last[:, None])).all(axis=0)
            index, values = index[:, inside], values[inside]
        found = ndimage.map_coordinates(self.moving, index, order=1, mode="nearest")
        low = np.minimum(found.astype(np.intp), _BINS - 2)
        cell, share = values * _BINS + low, found - low
        joint = np.bincount(cell, 1 - share, _BINS**2) + np.bincount(cell + 1, share, _BINS**2)
        return _information(np.asarray(joint, dtype=np.float64).reshape(_BINS, _BINS))

    def fit(self, start: Floats) -> Fit:
        """Best motion near a start: a grid of 2 mm over the slice plane, then the simplex method."""
        across = self.grid.axis_along(0)
        axes = [self.grid.axes[:, a] for a in range(3) if a != across]
        if self.grid.spacing[across] <= _THIN_MM:
            axes.append(self.grid.axes[:, across])
        directions = np.array(axes)
        steps = [np.array(step) for step in product((-4.0, -2.0, 0.0, 2.0, 4.0), repeat=2)]
        coarse = max(steps, key=lambda step: self.information(start + step @ directions[:2]))

        def price(values: Floats) -> float:
            shift = start + values[1:] @ directions
            far = max(0.0, float(np.linalg.norm(values[1:])) - _BOUND_MM) + max(0.0, abs(float(values[0])) - _BOUND_DEG)
            return far - self.information(shift, float(values[0]))

        guess = np.array([0.0, *coarse, *([0.0] * (len(directions) - 2))])
        simplex = np.vstack([guess, guess + np.diag([1.0] + [1.0] * len(directions))])
        options = {"initial_simplex": simplex, "xatol": 0.05, "fatol": 1e-4, "maxfev": _EVALUATIONS}
        found = optimize.minimize(price, guess, method="Nelder-Mead", options=options)
        x, y, z = (start + found.x[1:] @ directions).tolist()
        return Fit((x, y, z), float(found.x[0]), -float(found.fun), self.middle)


def _information(joint: Floats) -> float:
    """Mutual information (nats) of a joint histogram; 0 for an empty one."""
    total = joint.sum()
    if not total:
        return 0.0
    seen = joint / total
    apart = seen.sum(axis=1, keepdims=True) * seen.sum(axis=0, keepdims=True)
    filled = seen > 0
    return float(np.sum(seen[filled] * np.log(seen[filled] / apart[filled])))
