"""Signal between neighbouring spinous processes on STIR or fat-suppressed T2w: the posterior ligaments.

Definition: the median over the space between the arches of two neighbours, divided by the median of paraspinal muscle
at the same height (`signals`), both of one series with its own masks. The space: in the slices within 5 mm of the
middle of the two bodies that show both arches, what lies within the convex outline of both together, 5 mm or more
behind their front edges, a voxel away from every label. That is where the interspinous ligament lies, and what of the
supraspinous one lies between the tips. A series that should have dark fat and has not is not read at those levels.

Known failure: the median passes over a small tear; a vein or a bursa is as bright as oedema, and lumbar processes that
touch (Baastrup) leave too little space. Scoliosis turns the processes out of the middle. Muscle that itself has oedema
hides it, fatty muscle without a T1w series to leave it out feigns it. Masks of posterior elements are the weakest of
all: those that fuse two arches leave no space between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from spinemri.anatomy import Structure, StructureKind
from spinemri.geometry import indices_of
from spinemri.image import SEAM_MARGIN_MM
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap
from spinemri.measure.disc import disc_places
from spinemri.measure.frame import frame_from, left_axis
from spinemri.measure.signals import FLUID_SENSITIVE, MarrowCase, in_plane, lean, level_of, surroundings
from spinemri.measurement import Measurement, Status
from spinemri.norms import threshold
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.measure.catalogue import Place
    from spinemri.measure.frame import Frame
    from spinemri.quality import QualityCheck
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

    Mask = NDArray[np.bool_]

phrases = Phrases("measure.ligaments")

NAME = "posterior_ligament_ratio"
UNCHECKED = "fat_suppression_not_checked"
_MIDDLE_MM, _BEHIND_FRONT_MM = 5.0, 5.0
_ON_EDGE_MM = 1e-6
_FEW = 20


@dataclass(frozen=True, eq=False)
class _Study:
    """The series of one frame of reference with their masks, and how well fat is suppressed in which of them."""

    case: MarrowCase
    suppression: Mapping[str, QualityCheck | None]

    def fluid_sensitive(self, level: Level) -> list[Image]:
        """Those that may show it, first those of the station in which a vertebra is measured."""
        vertebra = self.case.spine.vertebra(level)
        uids = {image.series.series_uid for image in self.case.images}
        if vertebra is None or vertebra.series_uid not in uids:
            return self.case.of_contrast(*FLUID_SENSITIVE)
        return self.case.beside(vertebra.series_uid, *FLUID_SENSITIVE)

    def masks(self, image: Image) -> Segmentation:
        return self.case.segmentations[self.case.number(image.series.series_uid)]


def ligament_measurements(
    spine: Spine,
    images: Sequence[Image],
    segmentations: Mapping[str, Segmentation],
    suppression: Mapping[str, QualityCheck | None],
) -> list[Measurement]:
    """The ratio between every two neighbours that have a disc between them, head to foot.

    Parameters
    ----------
    images : of the series; only those with masks in the frame of reference of the spine count
    segmentations : by series_uid
    suppression : the check of fat suppression by series_uid, as far as it was made
    """
    frames = {s.geometry.frame_of_reference_uid for v in spine.vertebrae if (s := segmentations.get(v.series_uid))}
    shown = [
        (image, masks)
        for image in images
        if (masks := segmentations.get(image.series.series_uid)) is not None
        and masks.geometry.frame_of_reference_uid in frames
    ]
    study = _Study(MarrowCase(spine, [i for i, _ in shown], [s for _, s in shown], (), (), ()), suppression)
    found = []
    for place in disc_places(spine):
        tried = [_ratio(place, image, study) for image in study.fluid_sensitive(place.level)]
        best = next((m for m in tried if isinstance(m, Measurement)), None)
        gap = next((m for m in tried if isinstance(m, Gap)), _no_series())
        found.append(best or place.absent(NAME, gap))
    return [m.model_copy(update={"kind": StructureKind.POSTERIOR_ELEMENTS}) for m in found]


def _ratio(place: Place, image: Image, study: _Study) -> Measurement | Gap:
    """The ratio in one series, or why there is none."""
    uid, lower = image.series.series_uid, place.lower or place.level
    check = study.suppression.get(uid)
    if check is not None and check.passed is False and (not check.levels or {place.level, lower} & {*check.levels}):
        return Gap(Status.NOT_ASSESSABLE, phrases.FAT_SUPPRESSION_FAILED_THERE)
    space = _space(image, study.masks(image), (place.level, lower))
    if isinstance(space, Gap):
        return space
    muscle = _muscle(image, study, place.level)
    if muscle is None:
        return Gap(Status.NOT_ASSESSABLE, phrases.TOO_LITTLE_PARASPINAL_MUSCLE_COMPARE)
    values = np.asarray(image.voxels[space], dtype=np.float64)
    ratio = float(np.median(values)) / muscle
    spread = float(values.std()) / muscle / np.sqrt(len(values) / 4)  # four neighbouring voxels are not independent
    stated = place.measured(NAME, ratio, float(np.hypot(threshold(f"interval.{NAME}") * ratio, spread)), None, (0, 1e9))
    flags = () if check is not None and check.passed else (UNCHECKED,)
    return stated.model_copy(update={"series_uid": uid, "flags": flags})


def _muscle(image: Image, study: _Study, level: Level) -> float | None:
    """Median signal of paraspinal muscle beside a level; its lean half where a T1w series tells."""
    case, uid = study.case, image.series.series_uid
    around = surroundings(case, uid, level)
    if around is None:
        return None
    t1 = next((around.values(i, around.muscle) for i in case.beside(uid, Contrast.T1W)), None)
    values = np.array(image.voxels[around.box], dtype=np.float32)
    first = around.box[0].start
    values[[n - first for n in image.missing_slices if first <= n < around.box[0].stop]] = np.nan
    found = level_of(values, lean(around.muscle, t1))
    return found if found is not None and found > 0 else None


def _space(image: Image, masks: Segmentation, levels: tuple[Level, Level]) -> Mask | Gap:
    """Voxels between the spinous processes of two neighbours, or why there are none."""
    arches = [masks.mask(Structure(StructureKind.POSTERIOR_ELEMENTS, level)) for level in levels]
    for level, arch in zip(levels, arches, strict=True):
        if not arch.any():
            return Gap(Status.NOT_ASSESSABLE, phrases.NO_MASK_POSTERIOR_ELEMENTS.format(level=level))
    bodies = [masks.mask(Structure(StructureKind.VERTEBRAL_BODY, level)) for level in levels]
    if not all(body.any() for body in bodies):
        return Gap(Status.NOT_ASSESSABLE, phrases.SERIES_DOES_NOT_SHOW_BOTH.format(upper=levels[0], lower=levels[1]))
    grid = masks.geometry
    above, below = (grid.to_patient(indices_of(body)).mean(axis=0) for body in bodies)
    frame = frame_from((above + below) / 2, above - below, left_axis(grid))
    across, found = grid.axis_along(0), np.zeros(arches[0].shape, dtype=bool)
    middle = _middle_slices(image, masks, frame)
    box = _box_of(arches[0] | arches[1], across)
    part, taken = grid.part(box), ndimage.binary_dilation(masks.voxels[box] > 0, in_plane(grid))
    both = 0
    for n in middle:
        here = [np.take(arch[box], n, axis=across) for arch in arches]
        if all(arch.any() for arch in here):
            both += 1
            at = _at(n, here[0].shape, across)
            local = frame.to_local(part.to_patient(at).reshape(-1, 3))[:, 1:].reshape(*here[0].shape, 2)
            found[box][_index(n, across)] = _between(here, local) & ~np.take(taken, n, axis=across)
    if found.sum() < _FEW:
        seen = phrases.TOO_LITTLE_SPACE_LEFT_BETWEEN if both else phrases.NO_MIDDLE_SLICE_SHOWS_BOTH
        return Gap(Status.NOT_ASSESSABLE, seen)
    if image.near_seam(grid.to_patient(indices_of(found)).mean(axis=0)):
        return Gap(Status.EXCLUDED, phrases.WITHIN_MM_SEAM_COMPOSED_SERIES.format(margin=SEAM_MARGIN_MM))
    return found


def _box_of(mask: Mask, across: int) -> tuple[slice, ...]:
    """All slices, and of each the part that holds a mask with a pixel around it."""
    (box,) = ndimage.find_objects(mask.astype(np.uint8))
    return tuple(
        slice(None) if axis == across else slice(max(0, side.start - 1), side.stop + 1) for axis, side in enumerate(box)
    )


def _middle_slices(image: Image, masks: Segmentation, frame: Frame) -> list[int]:
    """Slices within 5 mm of the middle of the bodies, the nearest one at least, without those that are missing."""
    grid = masks.geometry
    across = grid.axis_along(0)
    places = np.abs(np.arange(grid.shape[across]) - grid.to_index(frame.origin)[across]) * grid.spacing[across]
    missing = image.missing_slices if across == 0 else ()
    return [int(n) for n in np.flatnonzero(places <= max(_MIDDLE_MM, float(places.min()))) if n not in missing]


def _between(arches: Sequence[Mask], local: NDArray[np.float64]) -> Mask:
    """Pixels within the outline of both arches, 5 mm or more behind the line that joins their front edges.

    ``local`` holds each pixel's (posterior, superior), mm.
    """
    fronts = np.array([_front(local[arch]) for arch in arches])[::-1]  # from below, as heights rise
    edge = np.interp(local[..., 1], fronts[:, 1], fronts[:, 0])
    try:
        outline = ConvexHull(np.concatenate([local[arch] for arch in arches]))
    except QhullError:  # fewer than three pixels, or all in a row
        return np.zeros(local.shape[:2], dtype=bool)
    beyond = local @ outline.equations[:, :2].T + outline.equations[:, 2]  # mm outside each side of the outline
    return np.asarray((beyond <= _ON_EDGE_MM).all(axis=-1) & (local[..., 0] > edge + _BEHIND_FRONT_MM))


def _front(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points[int(points[:, 0].argmin())])


def _at(number: int, shape: tuple[int, ...], across: int) -> NDArray[np.float64]:
    """Indices (…, 3) of the pixels of one slice."""
    index = np.moveaxis(np.indices(shape), 0, -1).astype(np.float64)
    return np.insert(index, across, number, axis=-1)


def _index(number: int, across: int) -> tuple[slice | int, ...]:
    return tuple(number if axis == across else slice(None) for axis in range(3))


def _no_series() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.NO_SERIES)
