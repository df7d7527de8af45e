"""The rigid motion of one vertebra between two images, by mutual information.

Marrow is bright on T1w and dark on STIR, so only mutual information can compare the images; the shift between the
masks of the body is where the search starts when the frames of reference differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK
from scipy import ndimage, optimize

from spinemri.convert import to_sitk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry, Vector
    from spinemri.image import Image

    Floats = NDArray[np.float64]

_BOUND_MM, _BOUND_DEG = 5.0, 3.0
_AROUND_MM = 8.0
_BINS = 24
_EVALUATIONS = 90
_THIN_MM = 2.5


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
    points = fixed.geometry.to_patient(np.argwhere(body))
    here, crop = _crop(fixed, points, _AROUND_MM)
    near = ndimage.distance_transform_edt(~body[crop], sampling=fixed.geometry.spacing) <= _AROUND_MM
    grid = fixed.geometry.part(crop)
    base = np.zeros(3) if same_frame else mask_shift
    there, _ = _crop(moving, points + base, _AROUND_MM + 2 * _BOUND_MM)
    search = _Search(here, to_sitk(near, grid), there, points.mean(axis=0), grid)
    rest = Fit((0.0, 0.0, 0.0), 0.0, search.information(np.zeros(3)), search.middle)
    return rest, max((rest, search.fit(base)), key=lambda fit: fit.information)


def _crop(image: Image, points: Floats, margin_mm: float) -> tuple[SimpleITK.Image, tuple[slice, ...]]:
    """The part of an image around patient points, as float32, and the box."""
    index = image.geometry.to_index(points)
    margin = margin_mm / np.asarray(image.geometry.spacing)
    low = np.clip(np.floor(index.min(axis=0) - margin), 0, np.asarray(image.geometry.shape) - 2).astype(int)
    high = np.clip(np.ceil(index.max(axis=0) + margin) + 1, low + 2, image.geometry.shape).astype(int)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return to_sitk(image.voxels[box].astype(np.float32), image.geometry.part(box)), box


@dataclass(frozen=True, eq=False)
class _Search:
    """Mattes mutual information between two crops inside a mask, as a function of a rigid motion about a centre.

    The motion is a shift within the slices and a turn about their normal; a shift across the slices is searched for
    only where slices are thin enough to show it.
    """

    fixed: SimpleITK.Image
    mask: SimpleITK.Image
    moving: SimpleITK.Image
    centre: Floats
    grid: Geometry

    @property
    def middle(self) -> Vector:
        """The centre as three numbers."""
        x, y, z = self.centre.tolist()
        return x, y, z

    def information(self, shift: Floats, turn_deg: float = 0.0) -> float:
        """Mutual information for a shift (LPS mm) and a turn (degrees) about the slice normal; 0 without overlap."""
        normal = self.grid.axes[:, self.grid.axis_along(0)]
        transform = SimpleITK.VersorRigid3DTransform()
        transform.SetCenter(self.centre.tolist())
        transform.SetRotation(normal.tolist(), float(np.radians(turn_deg)))
        transform.SetTranslation(shift.tolist())
        method = SimpleITK.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(_BINS)
        method.SetMetricFixedMask(self.mask)
        method.MetricUseFixedImageGradientFilterOff()
        method.MetricUseMovingImageGradientFilterOff()
        method.SetInterpolator(SimpleITK.sitkLinear)
        method.SetNumberOfThreads(1)
        method.SetInitialTransform(transform)
        try:
            return -float(method.MetricEvaluate(self.fixed, self.moving))
        except RuntimeError:  # no fixed point maps into the moving crop
            return 0.0

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
