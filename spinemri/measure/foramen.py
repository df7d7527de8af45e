"""Height, depth, area and fat of every lumbar neural foramen, on either side.

Read in the sagittal slices that run through the pedicles of both neighbours (`foramen_slices`), at least two of them;
the median over the slices is stated. Height: from the lower border of the upper pedicle to the upper border of the
lower one, within 5 mm behind the line through the posterior margins of the two bodies. AP: the least distance, along
the disc, between the posterior margin of disc and bodies and the posterior elements, at the height of the disc. Area:
what pedicles, that margin and the posterior elements enclose. Fat: the share of that area whose T1w signal is above
half-way between the disc's (median, same slices) and that of fat (95th percentile of what bears no label within 30 mm).

Cervical foramina run obliquely and are not measured. Thoracic ones are read by the same definition but are crossed by
the heads of ribs, which have no label of their own: flag 'thoracic_foramen'. Below L5 the sacrum stands for the arch of
S1, where its mask has pedicles: flag 'lower_arch_is_sacrum'.

Known failure: masks of posterior elements are the weakest of all; one that leaks into the foramen narrows it, one that
misses the articular process widens it. Slices 4 mm apart often cross a foramen only once: then there is no value. A
slice that grazes a pedicle makes the foramen higher. Veins and the ganglion count as no fat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import Structure, StructureKind
from spinemri.image import SEAM_MARGIN_MM
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap
from spinemri.measure.disc import disc_places
from spinemri.measure.foramen_slices import arches, foramen_slices
from spinemri.measure.frame import frame_from, left_axis, unit
from spinemri.measure.signals import in_plane
from spinemri.measure.vertebra import BodyShape
from spinemri.measurement import Measurement, Status
from spinemri.norms import threshold
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.measure.bodies import Shapes
    from spinemri.measure.catalogue import Place
    from spinemri.measure.disc import DiscMasks
    from spinemri.measure.foramen_slices import ForamenSlice
    from spinemri.measure.frame import Frame
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

    Slices = list[ForamenSlice]
    Read = tuple[Segmentation, Slices]

phrases = Phrases("measure.foramen")

SIDES = ("left", "right")
SIZES, FAT = ("foraminal_height", "foraminal_ap", "foraminal_area"), "perineural_fat_fraction"
_LEAST_SLICES = 2
_TILT_DEG = 12.0
_NEAR_MM = 30.0
_FAT_PERCENTILE, _LEAST_CONTRAST, _FEW = 95.0, 1.5, 20


def foraminal_measurements(
    spine: Spine, shapes: Shapes, images: Sequence[Image], masks: DiscMasks
) -> list[Measurement]:
    """Height, AP, area and fat of the left and the right foramen beside every disc, head to foot.

    Parameters
    ----------
    shapes : of the bodies, and of S1 for its upper endplate
    images : of the series; fat is read in those that are T1w, with their own masks
    masks : of all series
    """
    found: list[Measurement] = []
    for place in disc_places(spine):
        frame, levels = _disc_frame(place, shapes), _levels(place)
        uids = dict.fromkeys(v.series_uid for v in spine.vertebrae if v.level in levels)
        shown = {uid: s for uid in uids if (s := masks.segmentations.get(uid)) is not None}
        t1 = {i.series.series_uid: i for i in images if _is_t1(i, masks, [*shown.values()])}
        reads = {uid: _read(frame, place, masks.segmentations[uid], (images, masks)) for uid in {**shown, **t1}}
        sizes, fats = (
            _first([reads[uid] for uid in wanted], gap) for wanted, gap in ((shown, no_mask()), (t1, no_t1()))
        )
        fats = frame if isinstance(frame, Gap) else fats
        for side in SIDES:
            found += _sizes(place, side, sizes)
            found.append(_fat(place, side, fats, t1))
    return found


def _levels(place: Place) -> tuple[Level, Level]:
    return place.level, place.lower or place.level


def _is_t1(image: Image, masks: DiscMasks, shown: Sequence[Segmentation]) -> bool:
    own = masks.segmentations.get(image.series.series_uid)
    frames = {s.geometry.frame_of_reference_uid for s in shown}
    return own is not None and image.series.contrast is Contrast.T1W and own.geometry.frame_of_reference_uid in frames


def _disc_frame(place: Place, shapes: Shapes) -> Frame | Gap:
    """The disc's own frame, from midway between the posterior corners of its endplates; or why there is none."""
    upper_level, lower_level = _levels(place)
    if upper_level.region in "CV":
        return Gap(Status.NOT_ASSESSABLE, phrases.OBLIQUE if upper_level.region == "C" else phrases.NAMELESS)
    upper, lower = shapes.get(upper_level), shapes.get(lower_level)
    if not isinstance(upper, BodyShape) or not isinstance(lower, BodyShape):
        level, missing = (lower_level, lower) if isinstance(upper, BodyShape) else (upper_level, upper)
        status = missing.status if isinstance(missing, Gap) else Status.NOT_ASSESSABLE
        return Gap(status, phrases.ENDPLATE_NOT_MEASURED.format(level=level))
    up = unit(upper.inferior_normal + lower.superior_normal)
    return frame_from((upper.corners[1, 1] + lower.corners[0, 1]) / 2, up, upper.frame.left)


def _first(reads: Sequence[Read | Gap], otherwise: Gap) -> Read | Gap:
    """The first series that could be read, or why the first could not."""
    return next((r for r in reads if not isinstance(r, Gap)), reads[0] if reads else otherwise)


def _read(
    frame: Frame | Gap, place: Place, segmentation: Segmentation, given: tuple[Sequence[Image], DiscMasks]
) -> Read | Gap:
    """The slices through both foramina in one series, or why it cannot be read."""
    if isinstance(frame, Gap):
        return frame
    images, masks = given
    levels, uid = _levels(place), segmentation.series_uid
    for level, values in zip(levels, arches(levels, segmentation), strict=True):
        if not np.isin(segmentation.voxels, values).any():
            return Gap(Status.NOT_ASSESSABLE, phrases.NO_MASK_POSTERIOR_ELEMENTS.format(level=level))
    tilt = abs(float(np.degrees(np.arcsin(np.clip(frame.superior @ left_axis(segmentation.geometry), -1, 1)))))
    if tilt > _TILT_DEG:
        return Gap(Status.NOT_ASSESSABLE, phrases.DISC_TILTED_DEGREES_OUT_SAGITTAL.format(tilt=tilt))
    if any(image.series.series_uid == uid and image.near_seam(frame.origin) for image in images):
        return Gap(Status.EXCLUDED, phrases.WITHIN_MM_SEAM_COMPOSED_SERIES.format(margin=SEAM_MARGIN_MM))
    return segmentation, foramen_slices(frame, segmentation, levels, masks.missing.get(uid, frozenset()))


def _on_side(read: Read | Gap, side: str, place: Place) -> Read | Gap:
    """The slices through one foramen, or the reason: LPS, so that what lies to the left has a positive place."""
    if isinstance(read, Gap):
        return read
    here = [s for s in read[1] if (s.left > 0) == (side == "left")]
    if len(here) >= _LEAST_SLICES:
        return read[0], here
    number = (phrases.NO_SLICE_CROSSES, phrases.ONE_SLICE_CROSSES)[len(here)]
    sacral = phrases.MASKS_SACRUM_RARELY_SHOW_THOSE if _levels(place)[1].region == "S" else ""
    return Gap(Status.NOT_ASSESSABLE, phrases.FORAMEN_THROUGH_BOTH_PEDICLES_TWO.format(number=number, sacral=sacral))


def _sizes(place: Place, side: str, read: Read | Gap) -> list[Measurement]:
    here = _on_side(read, side, place)
    if isinstance(here, Gap):
        return [place.absent(f"{name}_{side}", here) for name in SIZES]
    segmentation, slices = here
    heights, aps = [s.height_ends for s in slices], [s.ap_ends for s in slices]
    stated = [
        _median(place, f"{SIZES[0]}_{side}", [s.height for s in slices], heights),
        _median(place, f"{SIZES[1]}_{side}", [s.ap for s in slices], aps),
        _median(place, f"{SIZES[2]}_{side}", [s.area for s in slices], []),
    ]
    said = {"series_uid": segmentation.series_uid, "flags": _flags(place)}
    return [m.model_copy(update=said) for m in stated]


def _median(
    place: Place, name: str, values: Sequence[float | None], ends: Sequence[NDArray[np.float64]]
) -> Measurement:
    """Median over slices, with the ends of the slice nearest to it; its error is that of a slice and their spread."""
    known = [(value, n) for n, value in enumerate(values) if value is not None]
    if len(known) < _LEAST_SLICES:
        reason = phrases.POSTERIOR_ELEMENTS_ARE_NOT_SEEN if "ap" in name else phrases.NOT_CLOSED_BEHIND
        return place.absent(name, Gap(Status.NOT_ASSESSABLE, phrases.TWO_SLICES.format(reason=reason)))
    numbers = np.array([value for value, _ in known])
    median = float(np.median(numbers))
    relative = threshold(f"interval.{name.rsplit('_', 1)[0]}")
    own = relative * median if name.startswith("foraminal_area") else relative
    sd = float(np.hypot(own, numbers.std(ddof=1) / np.sqrt(len(numbers))))
    nearest = known[int(np.abs(numbers - median).argmin())][1]
    return place.measured(name, median, sd, ends[nearest] if ends else None)


def _flags(place: Place) -> tuple[str, ...]:
    upper, lower = _levels(place)
    thoracic = ("thoracic_foramen",) if upper.region == "T" and lower.region == "T" else ()
    return (*thoracic, *(("lower_arch_is_sacrum",) if lower.region == "S" else ()))


def _fat(place: Place, side: str, read: Read | Gap, t1: Mapping[str, Image]) -> Measurement:
    """Share of the foramen's area with the signal of fat, in the T1w series that was read."""
    here, name = _on_side(read, side, place), f"{FAT}_{side}"
    if isinstance(here, Gap):
        return place.absent(name, here)
    segmentation, slices = here
    image = t1[segmentation.series_uid]
    points = np.concatenate([s.region for s in slices])
    limit = _fat_from(place, image, segmentation, slices)
    if limit is None or len(points) < _FEW:
        reason = phrases.T1W_FAT_CANNOT_TOLD_FROM if limit is None else phrases.AREA_NOT_CLOSED_BEHIND
        return place.absent(name, Gap(Status.NOT_ASSESSABLE, reason))
    index = np.moveaxis(image.geometry.to_index(points), -1, 0)
    values = ndimage.map_coordinates(np.asarray(image.voxels, dtype=np.float32), index, order=1, mode="nearest")
    share = float((values > limit).mean())
    stated = place.measured(name, share, threshold(f"interval.{FAT}"))
    return stated.model_copy(update={"series_uid": image.series.series_uid, "flags": _flags(place)})


def _fat_from(place: Place, image: Image, segmentation: Segmentation, slices: Slices) -> float | None:
    """Signal half-way between disc and fat in the slices of a foramen; None where they cannot be told apart."""
    grid, across = segmentation.geometry, segmentation.geometry.axis_along(0)
    numbers = [s.slice_index for s in slices]
    labels, signal = (np.take(a, numbers, axis=across) for a in (segmentation.voxels, image.voxels))
    values = [v for v, known in segmentation.structures.items() if known == _disc(place)]
    disc = np.isin(labels, values)
    inner = ndimage.binary_erosion(disc, in_plane(grid))
    middle = np.concatenate([s.height_ends for s in slices]).mean(axis=0)
    box = _near(middle, grid)
    index = np.moveaxis(np.indices(labels[box].shape), 0, -1).astype(np.float64) + [side.start for side in box]
    index[..., across] = np.asarray(numbers)[index[..., across].astype(int)]
    away = np.linalg.norm(grid.to_patient(index) - middle, axis=-1)
    dark, around = signal[inner if inner.sum() >= _FEW else disc], signal[box][(labels[box] == 0) & (away < _NEAR_MM)]
    if min(len(dark), len(around)) < _FEW:
        return None
    low, high = float(np.median(dark)), float(np.percentile(around, _FAT_PERCENTILE))
    return (low + high) / 2 if low > 0 and high / low >= _LEAST_CONTRAST else None


def _near(point: NDArray[np.float64], grid: Geometry) -> tuple[slice, ...]:
    """All slices, and of each the part that holds what lies within 30 mm of a point (LPS mm)."""
    reach = _NEAR_MM / np.asarray(grid.spacing) + 1
    ends = np.clip(grid.to_index(point) + np.outer((-1, 1), reach), 0, grid.shape).astype(int)
    sides = [slice(low, high + 1) for low, high in ends.T.tolist()]
    sides[grid.axis_along(0)] = slice(0, None)
    return tuple(sides)


def _disc(place: Place) -> Structure:
    return Structure(StructureKind.DISC, place.level, place.lower)


def no_mask() -> Gap:
    """The gap of which that is said."""
    return Gap(Status.NOT_ASSESSABLE, phrases.NO_MASK)


def no_t1() -> Gap:
    """The gap of which that is said."""
    return Gap(Status.NOT_ASSESSABLE, phrases.NO_T1)
