"""Each vertebra exists once in the patient, however many series and stations show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.language import Phrases
from spinemri.merge.choice import SacViews, best_view, exclusion, sac_series
from spinemri.merge.seen import bodies, match
from spinemri.spine import Spine, Vertebra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.merge.seen import Seen
    from spinemri.segmentation import Segmentation
    from spinemri.spine import LevelAssignment

phrases = Phrases("merge.spine")


def merge(
    images: Sequence[Image],
    segmentations: Sequence[Segmentation],
    assignments: Sequence[tuple[LevelAssignment, ...]],
) -> Spine:
    """The spine of one study from the segmentations of its series.

    Parameters
    ----------
    images, segmentations, assignments : parallel, one per series; assignments name the bodies of the segmentation

    Returns
    -------
    Spine with each vertebra once, head to foot. A body's centre and mask come from the series that shows it best
    (``choice.py``); the others are listed with the reason. Its name comes from the surest assignment, between equals
    from the series in which it lies farther from the edge of the field of view. Warnings tell of bodies that different
    series name differently, of bodies without a name, and of different frames of reference.
    """
    seen = [
        body
        for n, (image, segmentation, named) in enumerate(zip(images, segmentations, assignments, strict=True))
        for body in bodies(n, image, segmentation, named)
    ]
    frames = [segmentation.geometry.frame_of_reference_uid for segmentation in segmentations]
    groups = match(seen, frames)
    warnings = [*_conflicts(groups, images), *_frames(groups, images, frames)]
    sacs = SacViews(images, segmentations)
    chosen: dict[Level, Vertebra] = {}
    for group in groups:
        vertebra = _vertebra(group, images, sacs)
        known = chosen.get(vertebra.level)
        if known is not None:
            warnings.append(phrases.TWO_VERTEBRAE_DIFFERENT_PLACES_ARE.format(level=vertebra.level))
        if known is None or vertebra.assignment.confidence > known.assignment.confidence:
            chosen[vertebra.level] = vertebra
    vertebrae, note = _one_kind_of_names(list(chosen.values()), images)
    return Spine(vertebrae=vertebrae, sac_series_uid=sac_series(images, segmentations), warnings=(*warnings, *note))


def _vertebra(group: list[Seen], images: Sequence[Image], sacs: SacViews) -> Vertebra:
    namer = max(group, key=lambda b: (not b.assignment.level.is_relative, b.assignment.confidence, b.edge_mm))
    best, others = best_view(group, images)
    image = images[best.series]
    return Vertebra(
        assignment=namer.assignment,
        centre=best.centre,
        series_uid=image.series.series_uid,
        seen_in=tuple(images[b.series].series.series_uid for b in sorted(group, key=lambda b: b.series)),
        others=others,
        sac_series_uid=sacs.best(best.centre, image),
        cut=best.cut,
        excluded=exclusion(best, image),
    )


def _conflicts(groups: list[list[Seen]], images: Sequence[Image]) -> list[str]:
    warnings = []
    for group in groups:
        names = {b.assignment.level.name: images[b.series].series.label for b in group}
        if len(names) > 1:
            said = ", ".join(phrases.SERIES.format(level=level, label=label) for level, label in names.items())
            warnings.append(phrases.ONE_VERTEBRA_HAS_DIFFERENT_NAMES.format(said=said))
    return warnings


def _frames(groups: list[list[Seen]], images: Sequence[Image], frames: list[str | None]) -> list[str]:
    used = sorted({body.series for group in groups for body in group})
    if len({frames[n] for n in used}) < 2:
        return []
    sets = {frame: ", ".join(images[n].series.label for n in used if frames[n] == frame) for frame in frames}
    listed = phrases.AND.join(phrases.SERIES_LISTED.format(labels=labels) for labels in sets.values() if labels)
    how = phrases.THEIR_VERTEBRAE_ARE_MATCHED_LEVEL
    return [phrases.HAVE_DIFFERENT_FRAMES_REFERENCE.format(listed=listed, how=how)]


def _one_kind_of_names(
    vertebrae: list[Vertebra], images: Sequence[Image]
) -> tuple[tuple[Vertebra, ...], tuple[str, ...]]:
    """True and relative names have no common order: relative ones are left out when there are true ones."""
    true = sorted((v for v in vertebrae if not v.level.is_relative), key=lambda v: v.level.rank)
    relative = sorted((v for v in vertebrae if v.level.is_relative), key=lambda v: v.level.rank)
    if not true or not relative:
        return tuple(true or relative), ()
    labels = ", ".join(i.series.label for i in images if any(i.series.series_uid in v.seen_in for v in relative))
    return tuple(true), (phrases.VERTEBRAE_WITHOUT_TRUE_LEVEL_NAME.format(count=len(relative), labels=labels),)
