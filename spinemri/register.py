"""Two series of one study agree in patient coordinates unless the patient moved: that is verified per vertebra.

A shift of more than 2 mm or a turn of more than 2 degrees is motion. It is applied (that vertebra is 'registered')
only if mutual information improves by it; otherwise the pair of series is not compared at that vertebra ('unpaired').
Marrow is bright on T1w and dark on STIR, so only mutual information can compare the images; the shift between the
masks of the body gives a second starting point. Source: clinical convention for T1w-STIR pairs, section 'alignment'.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK
from scipy import ndimage, optimize

from spinemri.anatomy import Structure, StructureKind
from spinemri.convert import to_sitk
from spinemri.geometry import Geometry
from spinemri.series import Contrast
from spinemri.spine import VertebraAlignment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

    Floats = NDArray[np.float64]

_LIMIT_MM, _LIMIT_DEG = 2.0, 2.0
_BOUND_MM, _BOUND_DEG = 5.0, 3.0
_AROUND_MM = 8.0
_BINS = 24
_EVALUATIONS = 90
_THIN_MM = 2.5
_GAIN = 0.02
_LEAST_VOXELS = 200
_REFERENCES = (Contrast.T1W, Contrast.T2W)


@dataclass(frozen=True)
class _Fit:
    """A rigid motion of one vertebra from the fixed to the moving series, and the mutual information it gives."""

    shift: tuple[float, float, float]
    turn_deg: float
    information: float


def align_series(
    spine: Spine, images: Sequence[Image], segmentations: Sequence[Segmentation]
) -> tuple[tuple[VertebraAlignment, ...], tuple[str, ...]]:
    """Alignment of every other series to the reference series (T1w, else T2w, else the first), vertebra by vertebra.

    Parameters
    ----------
    spine : vertebrae of the study
    images, segmentations : parallel, one per series

    Returns
    -------
    Alignments (none for a study of one series), and a line for each pair of series in which vertebrae moved.
    """
    order = [n for contrast in _REFERENCES for n, i in enumerate(images) if i.series.contrast is contrast]
    fixed = next(iter(order), 0)
    found: list[VertebraAlignment] = []
    notes = []
    for moving in range(len(images)):
        if moving == fixed:
            continue
        pairs = align_vertebrae(spine, images[fixed], segmentations[fixed], images[moving], segmentations[moving])
        found += pairs
        moved = [p for p in pairs if p.status != "aligned"]
        if moved:
            shifts = ", ".join(f"{p.level} {p.residual_mm:.1f} mm" for p in moved if p.residual_mm is not None)
            labels = f"series {images[fixed].series.label} and {images[moving].series.label}"
            notes.append(f"{labels}: the patient moved between them ({shifts}); see the alignment table")
    return tuple(found), tuple(notes)


def align_vertebrae(
    spine: Spine,
    fixed_image: Image,
    fixed_segmentation: Segmentation,
    moving_image: Image,
    moving_segmentation: Segmentation,
) -> tuple[VertebraAlignment, ...]:
    """Residual shift of each vertebra between two series that are laid over each other by their headers.

    Parameters
    ----------
    spine : vertebrae to look at; those that either series does not show are left out
    fixed_image, fixed_segmentation : reference series and its masks
    moving_image, moving_segmentation : the series to verify

    Returns
    -------
    One alignment per vertebra seen by both, head to foot. ``translation_mm`` (LPS) leads from a point of the fixed
    series to the same anatomy in the moving one; it is zero unless the status is 'registered'. ``residual_mm`` counts
    a shift across the slices only where it exceeds half the slice distance, which is all such data can show.
    """
    frames = (fixed_image.geometry.frame_of_reference_uid, moving_image.geometry.frame_of_reference_uid)
    same_frame = frames[0] == frames[1]
    found = []
    for level in spine.levels:
        body = Structure(StructureKind.VERTEBRAL_BODY, level)
        masks = fixed_segmentation.mask(body), moving_segmentation.mask(body)
        if not masks[0].any() or not masks[1].any():
            continue
        cut = body in fixed_segmentation.cut or body in moving_segmentation.cut
        uids = fixed_image.series.series_uid, moving_image.series.series_uid
        if min(np.count_nonzero(m) for m in masks) < _LEAST_VOXELS:
            found.append(_unpaired(level, uids, "too little of the body is seen"))
            continue
        start = _mask_shift(masks, (fixed_image.geometry, moving_image.geometry), cut=cut)
        fits = _fits(fixed_image, masks[0], moving_image, start, same_frame=same_frame)
        found.append(_judge(level, uids, fits, fixed_image.geometry, same_frame=same_frame))
    return tuple(found)


def _unpaired(level: Level, uids: tuple[str, str], reason: str) -> VertebraAlignment:
    return VertebraAlignment(
        level=level,
        fixed_series_uid=uids[0],
        moving_series_uid=uids[1],
        residual_mm=None,
        status="unpaired",
        reason=reason,
    )


def _judge(
    level: Level, uids: tuple[str, str], fits: tuple[_Fit, _Fit], geometry: Geometry, *, same_frame: bool
) -> VertebraAlignment:
    """Aligned, registered or unpaired, from the fit of the headers and the best rigid fit."""
    rest, best = fits
    residual, turn = _residual(best.shift, geometry), abs(best.turn_deg)
    reason, status = "" if same_frame else "frame_of_reference_mismatch", "aligned"
    if residual > _LIMIT_MM or turn > _LIMIT_DEG:
        improved = best.information > rest.information * (1 + _GAIN)
        status = "registered" if improved else "unpaired"
        why = "patient_motion_between_series" if improved else "no rigid shift improves the agreement"
        reason = ", ".join(r for r in (reason, why if same_frame or not improved else "") if r)
    return VertebraAlignment(
        level=level,
        fixed_series_uid=uids[0],
        moving_series_uid=uids[1],
        residual_mm=round(residual, 2),
        rotation_deg=round(turn, 2),
        status=status,
        reason=reason,
        translation_mm=best.shift if status == "registered" else (0.0, 0.0, 0.0),
    )


def _residual(shift: tuple[float, float, float], geometry: Geometry) -> float:
    """Length of a shift in mm; across the slices only what exceeds half the slice distance."""
    parts = np.asarray(shift) @ geometry.axes
    across = geometry.axis_along(0)
    parts[across] = np.sign(parts[across]) * max(0.0, abs(parts[across]) - geometry.spacing[across] / 2)
    return float(np.linalg.norm(parts))


def _mask_shift(
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]], grids: tuple[Geometry, Geometry], *, cut: bool
) -> Floats:
    """Shift (LPS mm) between the body's masks: the centroids of their voxels; none for a body that is cut."""
    if cut:
        return np.zeros(3)
    centres = [grid.to_patient(np.argwhere(mask)).mean(axis=0) for mask, grid in zip(masks, grids, strict=True)]
    return np.asarray(centres[1] - centres[0], dtype=np.float64)


def _fits(
    fixed: Image, body: NDArray[np.bool_], moving: Image, mask_shift: Floats, *, same_frame: bool
) -> tuple[_Fit, _Fit]:
    """Mutual information as the headers say, and the best rigid fit within 5 mm and 3 degrees of a start."""
    around = _AROUND_MM
    here, crop = _crop(fixed, fixed.geometry.to_patient(np.argwhere(body)), around)
    near = ndimage.distance_transform_edt(~body[crop], sampling=fixed.geometry.spacing) <= around
    grid = _grid_of(fixed.geometry, crop)
    centre = fixed.geometry.to_patient(np.argwhere(body)).mean(axis=0)
    base = np.zeros(3) if same_frame else mask_shift
    points = fixed.geometry.to_patient(np.argwhere(body))
    there, _ = _crop(moving, points + base, around + 2 * _BOUND_MM)
    search = _Search(here, to_sitk(near, grid), there, centre, grid)
    rest = _Fit((0.0, 0.0, 0.0), 0.0, search.information(np.zeros(3)))
    return rest, max((rest, search.fit(base)), key=lambda fit: fit.information)


def _crop(image: Image, points: Floats, margin_mm: float) -> tuple[SimpleITK.Image, tuple[slice, ...]]:
    """The part of an image around patient points, as float32, and the box."""
    index = image.geometry.to_index(points)
    margin = margin_mm / np.asarray(image.geometry.spacing)
    low = np.clip(np.floor(index.min(axis=0) - margin), 0, np.asarray(image.geometry.shape) - 2).astype(int)
    high = np.clip(np.ceil(index.max(axis=0) + margin) + 1, low + 2, image.geometry.shape).astype(int)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return to_sitk(image.voxels[box].astype(np.float32), _grid_of(image.geometry, box)), box


def _grid_of(geometry: Geometry, box: tuple[slice, ...]) -> Geometry:
    first = geometry.to_patient([float(b.start) for b in box])
    shape = (box[0].stop - box[0].start, box[1].stop - box[1].start, box[2].stop - box[2].start)
    origin = (float(first[0]), float(first[1]), float(first[2]))
    return Geometry(shape, geometry.spacing, origin, geometry.direction, geometry.frame_of_reference_uid)


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

    def fit(self, start: Floats) -> _Fit:
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
        return _Fit((x, y, z), float(found.x[0]), -float(found.fun))
