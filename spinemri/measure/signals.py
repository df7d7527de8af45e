"""Signal of marrow, discs and muscle around one vertebra, in every sequence of a study, on the grid of one series.

References come from the same slices and the same coil zone as what they are compared with: the bodies of the level and
its neighbours, the discs beside it, the muscle behind it. A sequence is laid over the reference series with the motion
that was found at the vertebra.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import Structure, StructureKind
from spinemri.geometry import indices_of
from spinemri.measure.contour import box_around
from spinemri.measure.frame import left_axis
from spinemri.register import motion_between, to_moving
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.lesion import Lesion
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine, VertebraAlignment

    Mask = NDArray[np.bool_]
    Box = tuple[slice, slice, slice]

FLUID_SENSITIVE = (Contrast.STIR, Contrast.T2W_FS)
_AROUND_MM = 48.0
_MUSCLE_MM = (12.0, 45.0)  # behind the posterior wall
_BESIDE_MM = 10.0  # from the middle: nearer to it lie spinous processes and their ligaments
_LEAN = 50.0  # percentile of T1w below which soft tissue behind the spine is muscle rather than fat
_FEW = 20
_ROUNDING_MM = 1e-3


@dataclass(frozen=True, eq=False)
class MarrowCase:
    """A study with its lesions, as the measures of marrow take it; ``images`` and ``segmentations`` are parallel."""

    spine: Spine
    images: Sequence[Image]
    segmentations: Sequence[Segmentation]
    alignments: Sequence[VertebraAlignment]
    lesions: Sequence[Lesion]
    masks: Sequence[Segmentation]

    def number(self, series_uid: str) -> int:
        """Which of the images a series is."""
        return next(n for n, image in enumerate(self.images) if image.series.series_uid == series_uid)

    def of_contrast(self, *contrasts: Contrast) -> list[Image]:
        """Images of the given contrasts, in the order of the contrasts."""
        return [image for wanted in contrasts for image in self.images if image.series.contrast is wanted]

    def beside(self, series_uid: str, *contrasts: Contrast) -> list[Image]:
        """The same, of each contrast first those whose field shares most of the height of a series: its station's."""
        low, high = self.images[self.number(series_uid)].geometry.span(2)

        def shared(image: Image) -> float:
            other_low, other_high = image.geometry.span(2)
            return round(min(high, other_high) - max(low, other_low))

        return [image for wanted in contrasts for image in sorted(self.of_contrast(wanted), key=shared, reverse=True)]

    def lesion_voxels(self, series_uid: str) -> Mask | None:
        """All lesions on a series' grid, or None when none was outlined there."""
        found = [mask for mask in self.masks if mask.series_uid == series_uid]
        return found[0].voxels > 0 if found else None


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Masks around one vertebra in a box of a series' grid, each made when it is first asked for.

    Parameters
    ----------
    case, level : the study, and the vertebra
    segmentation : masks of the series
    box : the part of its grid that is looked at
    whole : (k, j, i) of that part, the vertebra's body
    """

    case: MarrowCase
    level: Level
    segmentation: Segmentation
    box: Box
    whole: Mask

    def points_in(self, mask: Mask) -> NDArray[np.floating]:
        """Where the voxels of a mask (k, j, i) of the part lie (n, 3), LPS mm."""
        return self.segmentation.geometry.to_patient(indices_of(mask) + [side.start for side in self.box])

    @cached_property
    def marrow(self) -> Mask:
        """Unaffected marrow of the body and its neighbours, two voxels inside them."""
        near = _near_levels(self.case.spine, self.level, 1)
        bodies = _of(self._labels, self.segmentation, StructureKind.VERTEBRAL_BODY, near)
        return self._unaffected(ndimage.binary_erosion(bodies, self._plane, iterations=2))

    @cached_property
    def discs(self) -> Mask:
        """The discs beside it, a voxel inside them."""
        discs = _discs_beside(self._labels, self.segmentation, self.level)
        return self._unaffected(ndimage.binary_erosion(discs, self._plane))

    @cached_property
    def muscle(self) -> Mask:
        """Unlabelled tissue behind the bodies, away from the mid-plane."""
        places = self.points_in(self.whole)
        middle, wall = places.mean(axis=0), float(np.quantile(places[:, 1], 0.98))
        found = (self._labels == 0) & self._between(*(wall + mm for mm in _MUSCLE_MM))
        points = self.points_in(found)
        behind = points[:, 1] - wall  # LPS: y grows to posterior
        beside = np.abs((points - middle) @ left_axis(self.segmentation.geometry)) > _BESIDE_MM
        found[found] = (behind > _MUSCLE_MM[0]) & (behind < _MUSCLE_MM[1]) & beside
        return self._unaffected(found)

    @cached_property
    def body(self) -> Mask:
        """Its own body, two voxels inside it."""
        return np.asarray(ndimage.binary_erosion(self.whole, self._plane, iterations=2))

    def values(self, image: Image, where: Mask) -> NDArray[np.float32]:
        """Intensities (k, j, i) of an image at the voxels of a mask, after the vertebra's motion; NaN elsewhere."""
        found = np.full(where.shape, np.nan, dtype=np.float32)
        found[where] = sampled(self.case, image, self.segmentation.series_uid, self.level, self.points_in(where))
        return found

    def _between(self, front: float, back: float) -> Mask:
        """Voxels between two planes to posterior (LPS mm), and those within a thousandth of them."""
        grid = self.segmentation.geometry
        steps = np.ix_(*(np.arange(b.start, b.stop) * mm for b, mm in zip(self.box, grid.affine[1, :3], strict=True)))
        behind = grid.origin[1] + steps[0] + steps[1] + steps[2]
        return np.asarray((behind > front - _ROUNDING_MM) & (behind < back + _ROUNDING_MM))

    @cached_property
    def _labels(self) -> NDArray[np.unsignedinteger]:
        return self.segmentation.voxels[self.box]

    @cached_property
    def _plane(self) -> Mask:
        return in_plane(self.segmentation.geometry)

    @cached_property
    def _affected(self) -> Mask | None:
        lesions = self.case.lesion_voxels(self.segmentation.series_uid)
        return None if lesions is None else np.asarray(ndimage.binary_dilation(lesions[self.box], iterations=2))

    def _unaffected(self, mask: Mask) -> Mask:
        return mask if self._affected is None else mask & ~self._affected


def surroundings(case: MarrowCase, series_uid: str, level: Level) -> Surroundings | None:
    """Where to look around a vertebra in one series; None when the series does not show its body."""
    segmentation = case.segmentations[case.number(series_uid)]
    body = segmentation.mask(Structure(StructureKind.VERTEBRAL_BODY, level))
    if not body.any():
        return None
    box = _box(body, segmentation)
    return Surroundings(case, level, segmentation, box, body[box])


def sampled(
    case: MarrowCase, image: Image, series_uid: str, level: Level, points: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Intensities of an image at patient points (..., 3) of a series, after the vertebra's motion; NaN where none."""
    motion = None
    if image.series.series_uid != series_uid:
        motion = motion_between(case.alignments, level, series_uid, image.series.series_uid)
        fixed = case.images[case.number(series_uid)].geometry.frame_of_reference_uid
        strange = image.geometry.frame_of_reference_uid != fixed
        if (motion is not None and motion.status == "unpaired") or (motion is None and strange):
            return np.full(points.shape[:-1], np.nan, dtype=np.float32)
    moved = points if motion is None else to_moving(motion, points)
    index = np.moveaxis(np.round(image.geometry.to_index(moved), 6), -1, 0)  # the outermost slice is in the field
    values = ndimage.map_coordinates(
        np.asarray(image.voxels, dtype=np.float32), index, order=1, mode="constant", cval=np.nan, prefilter=False
    )
    around = (np.floor(index[0]), np.ceil(index[0]))
    missing = np.isin(around, image.missing_slices).any(axis=0)
    return np.asarray(np.where(missing, np.nan, values), dtype=np.float32)


def lean(muscle: Mask, t1: NDArray[np.floating] | None) -> Mask:
    """The muscle among what lies behind the spine: the darker half on T1w, all of it without one."""
    if t1 is None or np.isfinite(t1[muscle]).sum() < _FEW:
        return muscle
    return np.asarray(muscle & (t1 <= np.nanpercentile(t1[muscle], _LEAN)))


def level_of(values: NDArray[np.floating], mask: Mask) -> float | None:
    """Median signal within a mask, or None where there is too little of it."""
    found = values[mask]
    found = found[np.isfinite(found)]
    return float(np.median(found)) if found.size >= _FEW else None


def in_plane(geometry: Geometry) -> Mask:
    """Structuring element of a voxel's neighbours within its sagittal slice, whichever array axis runs across."""
    shape = [3, 3, 3]
    shape[geometry.axis_along(0)] = 1
    return np.ones(shape, dtype=bool)


def _box(body: Mask, segmentation: Segmentation) -> Box:
    margin = [0 if mm > 2 else int(np.ceil(_AROUND_MM / mm)) for mm in segmentation.geometry.spacing]
    across = segmentation.geometry.axis_along(0)
    margin[across] = int(np.ceil(12 / segmentation.geometry.spacing[across]))
    return box_around(body, margin)


def _near_levels(spine: Spine, level: Level, reach: int) -> tuple[Level, ...]:
    place = spine.levels.index(level)
    return spine.levels[max(0, place - reach) : place + reach + 1]


def _of(
    labels: NDArray[np.unsignedinteger], segmentation: Segmentation, kind: StructureKind, levels: Sequence[Level]
) -> Mask:
    values = [v for v, known in segmentation.structures.items() if known.kind is kind and known.level in levels]
    return np.asarray(np.isin(labels, values))


def _discs_beside(labels: NDArray[np.unsignedinteger], segmentation: Segmentation, level: Level) -> Mask:
    values = [
        v
        for v, known in segmentation.structures.items()
        if known.kind is StructureKind.DISC and level in (known.level, known.lower)
    ]
    return np.asarray(np.isin(labels, values))
