"""Is each series good enough to be relied on? Field of view, gaps and agreement between series here; pixels elsewhere.

A check that fails does not stop anything: geometry may still be measured where signal is not to be trusted. What a
caller does about it is his decision; the line of a failed check is written for the reader of the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Structure, StructureKind
from spinemri.faults import attempt
from spinemri.geometry import indices_of
from spinemri.language import Phrases
from spinemri.measure.artefacts import (
    GHOSTING_LIMIT_PCT,
    METAL_LIMIT_ML,
    MOTION_LIMIT_MM,
    SNR_LIMIT,
    WRAP_LIMIT,
    ghosting,
    level_names,
    metal,
    motion,
    snr,
    wrap,
)
from spinemri.measure.fat_suppression import FAT_LIMIT, fat_suppression
from spinemri.measure.upright import FAT_IS_BRIGHT, FAT_SUPPRESSED, upright
from spinemri.quality import QualityCheck, SeriesQuality

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.measure.upright import Upright
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine, Vertebra, VertebraAlignment

    Mask = NDArray[np.bool_]
    Shares = Mapping[tuple[str, Level], float]

phrases = Phrases("measure.quality")

COVERAGE_LIMIT_PCT = 90.0
"""Least share of a body within the field of view; our own: a lesion of 10 mm takes up a tenth of a lumbar body."""
GAP_LIMIT_PCT = 30.0
"""Gap between slices / slice thickness from which to warn. Own choice."""
GAP_NO_VOLUME_PCT = 50.0
"""The same from which no volume may be stated. Own choice."""
BETWEEN_SERIES_LIMIT_MM = 2.0
"""Shift of a vertebra between two series. Own choice."""

_PIXEL_CHECKS = (  # name, unit and limit of what is looked for in the pixels
    (snr, "snr", "1", SNR_LIMIT),
    (motion, "motion", "mm", MOTION_LIMIT_MM),
    (ghosting, "ghosting", "%", GHOSTING_LIMIT_PCT),
    (wrap, "wrap", "1", WRAP_LIMIT),
    (metal, "metal", "mL", METAL_LIMIT_ML),
    (fat_suppression, "fat_suppression", "1", FAT_LIMIT),
)
_SUPERELLIPSE = 2.4  # exponent of a vertebral body's outline seen from above


def measure_quality(
    images: Sequence[Image],
    segmentations: Sequence[Segmentation],
    spine: Spine,
    alignments: Sequence[VertebraAlignment],
) -> tuple[SeriesQuality, ...]:
    """Quality of every series of a study.

    Parameters
    ----------
    images, segmentations : parallel, one per series
    spine : which series shows each vertebra best
    alignments : how far vertebrae lie apart in two series

    Returns
    -------
    One ``SeriesQuality`` per image, in order, with the checks 'snr', 'motion', 'ghosting', 'wrap', 'metal',
    'fat_suppression' (of STIR and fat-suppressed T2w only), 'coverage', 'slice_gap' and 'motion_between_series'.
    """
    views = _upright(images, segmentations)
    covered = _coverage(images, segmentations, spine)
    return tuple(
        SeriesQuality(
            series_uid=image.series.series_uid,
            checks=(
                *_pixel_checks(image, views.get(image.series.series_uid)),
                covered[n],
                slice_gap(image),
                motion_between_series(image, segmentations, alignments),
            ),
        )
        for n, image in enumerate(images)
    )


def _upright(images: Sequence[Image], segmentations: Sequence[Segmentation]) -> dict[str, Upright]:
    """Every sagittal series turned upright, fat-suppressed ones with a series that shows where fat is."""
    pairs = [(i, s) for i, s in zip(images, segmentations, strict=True) if i.geometry.axis_along(0) == 0]
    first = {i.series.series_uid: upright(i, s) for i, s in pairs if i.series.contrast not in FAT_SUPPRESSED}
    for image, segmentation in pairs:
        if image.series.contrast in FAT_SUPPRESSED:
            guides = [
                first[i.series.series_uid]
                for contrast in FAT_IS_BRIGHT
                for i, _ in pairs
                if i.series.contrast is contrast and _same_frame(i, image)
            ]
            guide = max(guides, key=lambda g: _overlap_mm(g, image), default=None)
            first[image.series.series_uid] = upright(image, segmentation, guide)
    return first


def _same_frame(one: Image, two: Image) -> bool:
    return one.geometry.frame_of_reference_uid == two.geometry.frame_of_reference_uid


def _overlap_mm(guide: Upright, image: Image) -> float:
    """How far two series show the same stretch from head to foot."""
    low, high = guide.geometry.span(2)
    other_low, other_high = image.geometry.span(2)
    return min(high, other_high) - max(low, other_low)


def _pixel_checks(image: Image, view: Upright | None) -> Iterator[QualityCheck]:
    for check, name, unit, limit in _PIXEL_CHECKS:
        if name == "fat_suppression" and image.series.contrast not in FAT_SUPPRESSED:
            continue
        if view is None:
            yield QualityCheck(name=name, unit=unit, limit=limit, reason=phrases.SERIES_NOT_SAGITTAL)
        else:
            failed = QualityCheck(name=name, unit=unit, limit=limit, reason=phrases.PROGRAM_FAILED)
            yield attempt(phrases.QUALITY_CHECK_SERIES.format(name=name, label=image.series.label), failed, check, view)


def _coverage(images: Sequence[Image], segmentations: Sequence[Segmentation], spine: Spine) -> list[QualityCheck]:
    """Share of each vertebral body that lies within a series, for every series.

    Definition: share (%) of the body's voxels, in the series that shows it best, that lie in the field of view of this
    one and in no missing slice; the smallest. Where a body still has a cross-section in the first or last slice, what
    is missing beyond it is added by taking its outline from above for a superellipse of exponent 2.4. Series of one
    contrast cover the spine together: each body counts for the one that shows most of it, one that none shows for the
    nearest. Bodies that every series cuts are left out; they are reported as cut elsewhere.

    Known failure: a mask that ends early hides what is missing; what lies beyond the stack is estimated to a tenth of
    the body only.
    Series in another frame of reference than the body's best one are not compared.
    """
    shares = {
        (image.series.series_uid, vertebra.level): share
        for vertebra in spine.vertebrae
        if not vertebra.cut
        for image, share in _shares(images, segmentations, vertebra)
    }
    owners = {v.level: _owners(images, shares, v) for v in spine.vertebrae}
    return [
        _covered(image, {v: shares[image.series.series_uid, v] for v, uids in owners.items() if uid in uids})
        for image in images
        for uid in (image.series.series_uid,)
    ]


def _shares(
    images: Sequence[Image], segmentations: Sequence[Segmentation], vertebra: Vertebra
) -> Iterator[tuple[Image, float]]:
    """Share of one body in every series of its frame of reference, 0 to 1."""
    body = Structure(StructureKind.VERTEBRAL_BODY, vertebra.level)
    best = next((s for s in segmentations if s.series_uid == vertebra.series_uid), None)
    places = indices_of(best.mask(body)) if best else np.zeros((0, 3))
    if best is None or not len(places):
        return
    points = best.geometry.to_patient(places)
    for image, segmentation in zip(images, segmentations, strict=True):
        if image.geometry.frame_of_reference_uid == best.geometry.frame_of_reference_uid:
            index = image.geometry.to_index(points)
            inside = ((index > -0.5) & (index < np.asarray(image.geometry.shape) - 0.5)).all(axis=1)
            inside &= ~np.isin(np.rint(index[:, 0]), image.missing_slices)
            yield image, min(float(inside.mean()), _lateral_share(segmentation, body))


def _lateral_share(segmentation: Segmentation, body: Structure) -> float:
    """Share of a body that a sagittal stack shows, from its cross-sections in the outermost slices, 0 to 1."""
    mask = segmentation.mask(body)
    across = segmentation.geometry.axis_along(0)
    areas = mask.sum(axis=tuple(axis for axis in range(3) if axis != across))
    if not areas.any():
        return 1.0
    return max(
        0.0, 1.0 - sum(_beyond(float(areas[end] / areas.max()), float(areas.sum() / areas.max())) for end in (0, -1))
    )


def _beyond(section: float, slices: float) -> float:
    """Share of a body beyond an outermost slice, on one side of the middle.

    Parameters
    ----------
    section : cross-section in that slice / largest cross-section; the slice itself reaches half its width further
    slices : number of slices with the largest cross-section that would hold the body
    """
    place = np.linspace(0, 1, 501)
    profile = (1 - place**_SUPERELLIPSE) ** (1 / _SUPERELLIPSE)
    edge = place[profile >= section].max() + profile.mean() / slices
    return float(profile[place > edge].sum() / profile.sum() / 2)


def _owners(images: Sequence[Image], shares: Shares, vertebra: Vertebra) -> set[str]:
    """For each contrast, the series that answers for a vertebra: it shows most of it, or lies nearest."""
    chosen: dict[str, tuple[float, float, str]] = {}
    for image in images:
        uid, contrast = image.series.series_uid, image.series.contrast.value
        if (uid, vertebra.level) in shares:
            low, high = image.geometry.span(2)
            away = max(low - vertebra.centre[2], vertebra.centre[2] - high, 0.0)
            rank = (shares[uid, vertebra.level], -away, uid)
            chosen[contrast] = max(chosen.get(contrast, rank), rank)
    return {uid for _, _, uid in chosen.values()}


def _covered(image: Image, shares: Mapping[Level, float]) -> QualityCheck:
    if not shares:
        reason = phrases.NO_VERTEBRA_CAN_COMPARED_NONE
        return QualityCheck(name="coverage", unit="%", limit=COVERAGE_LIMIT_PCT, reason=reason)
    short = tuple(level for level, share in shares.items() if 100 * share < COVERAGE_LIMIT_PCT)
    value = 100 * min(shares.values())
    line = phrases.SERIES_NOT_WHOLLY_SHOWN_BODY.format(
        label=image.series.label, levels=level_names(short), value=value, limit=COVERAGE_LIMIT_PCT
    )
    return QualityCheck(
        name="coverage",
        value=round(value, 1),
        unit="%",
        limit=COVERAGE_LIMIT_PCT,
        passed=not short,
        reason=line if short else "",
        levels=short,
    )


def slice_gap(image: Image) -> QualityCheck:
    """Gap between slices as a share (%) of their thickness; negative when they overlap.

    Definition: (distance of slice centres - slice thickness) / slice thickness; more than 30 % fails, and more than
    50 % allows no volumes. Both limits are own choices.

    Known failure: a thickness that the header states wrongly; NIfTI and other volume files state none.
    """
    thickness = image.series.slice_thickness_mm
    if not thickness:
        reason = phrases.HEADER_DOES_NOT_STATE_SLICE
        return QualityCheck(name="slice_gap", unit="%", limit=GAP_LIMIT_PCT, reason=reason)
    value = round(100 * (image.geometry.spacing[0] - thickness) / thickness, 1)
    then = phrases.NO_VOLUMES_CAN_MEASURED if value > GAP_NO_VOLUME_PCT else phrases.SMALL_LESIONS_MAY_LIE_BETWEEN
    line = phrases.SERIES_GAP_SLICE_THICKNESS_ABOVE.format(
        label=image.series.label, value=value, limit=GAP_LIMIT_PCT, then=then
    )
    passed = value <= GAP_LIMIT_PCT
    return QualityCheck(
        name="slice_gap",
        value=value,
        unit="%",
        limit=GAP_LIMIT_PCT,
        passed=passed,
        reason="" if passed else line,
    )


def motion_between_series(
    image: Image, segmentations: Sequence[Segmentation], alignments: Sequence[VertebraAlignment]
) -> QualityCheck:
    """Largest shift (mm) of a vertebra between this series and the one that it is compared with.

    Definition: the largest residual of the alignments in which this series is the moving one; above 2 mm fails, and so
    does a vertebra that could not be paired at all unless a field of view cuts it. The limit is an own choice. The
    series that the others are compared with answers for nothing.

    Known failure: shifts across the slices below half their distance; turns without a shift.
    """
    own = [a for a in alignments if a.moving_series_uid == image.series.series_uid]
    shifts = [a.residual_mm for a in own if a.residual_mm is not None]
    lost = [a.level for a in own if a.status == "unpaired" and not _is_cut(a, segmentations)]
    moved = [a.level for a in own if (a.residual_mm or 0) > BETWEEN_SERIES_LIMIT_MM]
    levels = tuple(a.level for a in own if a.level in lost or a.level in moved)
    value = max(shifts, default=None)
    reason = ""
    if levels:
        parts = [phrases.MOVED_UP_MM_AGAINST_ANOTHER.format(levels=level_names(moved), value=value)] if moved else []
        parts += [phrases.CANNOT_PAIRED_WITH_ANOTHER_SERIES.format(levels=level_names(lost))] if lost else []
        reason = phrases.SERIES.format(label=image.series.label, items=phrases.AND.join(parts))
    elif value is None:
        reason = phrases.NO_OTHER_SERIES_COMPARE_WITH
    return QualityCheck(
        name="motion_between_series",
        value=value,
        unit="mm",
        limit=BETWEEN_SERIES_LIMIT_MM,
        passed=None if value is None and not levels else not levels,
        reason=reason,
        levels=levels,
    )


def _is_cut(alignment: VertebraAlignment, segmentations: Sequence[Segmentation]) -> bool:
    """Whether the field of view of either series cuts the vertebra."""
    body = Structure(StructureKind.VERTEBRAL_BODY, alignment.level)
    uids = (alignment.fixed_series_uid, alignment.moving_series_uid)
    return any(body in s.cut for s in segmentations if s.series_uid in uids)
