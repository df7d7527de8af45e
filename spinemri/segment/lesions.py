"""Focal marrow changes of a study: each vertebra is looked at once, in the series that shows its marrow best.

T1w is the reference where it shows a vertebra, then STIR, then T2w; every other sequence is laid over it vertebra by
vertebra. What a single sequence shows is not confirmed by a second one, and that is said.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Structure, StructureKind
from spinemri.language import Phrases
from spinemri.lesion import Lesion, MarrowScreen
from spinemri.segment.candidates import KINDS, SUSPICIOUS, find_candidates, reported, told_apart
from spinemri.segment.lesion_contrast import stand_out
from spinemri.segment.lesion_input import CHANNELS, lesion_input
from spinemri.segment.lesion_places import by_level, cut_off, in_ala, in_assessed, main_level, side_of
from spinemri.segment.marrow_shown import not_enough, why_not_judged
from spinemri.segmentation import Segmentation
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.segment.candidates import Candidate
    from spinemri.segment.lesion_input import LesionInput
    from spinemri.segment.lesion_predictor import LesionPredictor
    from spinemri.spine import Spine, VertebraAlignment

phrases = Phrases("segment.lesions")

_PREFERRED = (Contrast.T1W, Contrast.STIR, Contrast.T2W_FS, Contrast.T2W)
_SAME_LEVEL = 0.2  # share of a lesion in a further vertebra from which that vertebra is named too
_NO_SHARE = 0.005


@dataclass(frozen=True, eq=False)
class MarrowView:
    """What was seen of the marrow of a study: lesions, their outlines per reference series, and what was looked at."""

    lesions: tuple[Lesion, ...]
    masks: tuple[Segmentation, ...]
    screen: MarrowScreen
    series: tuple[str, ...] = ()
    """Series that were read."""


def find_lesions(
    spine: Spine,
    images: Sequence[Image],
    segmentations: Sequence[Segmentation],
    alignments: Sequence[VertebraAlignment],
    predictor: LesionPredictor,
) -> MarrowView:
    """Lesions of a study, most probable tumour first.

    Parameters
    ----------
    spine : vertebrae of the study
    images, segmentations : parallel, one per series
    alignments : motion between series at each vertebra
    predictor : the loaded lesion network
    """
    lesions: list[Lesion] = []
    masks, views, spacing = [], [], predictor.model.spacing_mm
    partly: list[Level] = []
    chosen_in, unjudged = references(spine, images, segmentations)
    for number, levels in chosen_in.items():
        others = [image for n, image in enumerate(images) if n != number]
        seen = lesion_input((images[number], segmentations[number]), others, alignments, levels, spacing)
        if seen is None:
            continue
        views.append(seen)
        cut = {structure.level for structure in segmentations[number].cut}
        partly += [level for level in seen.levels if level in cut]
        chosen = reported(candidates_in(seen, segmentations[number], predictor), predictor.model)
        found = [_lesion(c, seen, segmentations[number], len(lesions) + n + 1) for n, c in enumerate(chosen)]
        lesions += found
        if found:
            masks.append(_outlines(chosen, found, seen, segmentations[number], predictor.model.label))
    read = tuple(dict.fromkeys(uid for view in views for uid in view.sources.values()))
    return MarrowView(
        tuple(_in_order(lesions)), tuple(masks), _screen(spine, views, (partly, unjudged), predictor), read
    )


def references(
    spine: Spine, images: Sequence[Image], segmentations: Sequence[Segmentation]
) -> tuple[dict[int, list[Level]], dict[Level, str]]:
    """Number of the series in which marrow is looked at -> vertebrae, head to foot; and why others are not judged."""
    found: dict[int, list[Level]] = {}
    unjudged: dict[Level, str] = {}
    for vertebra in spine.vertebrae:
        ranked = sorted(
            (n for n, s in enumerate(segmentations) if s.body(vertebra.level) is not None),
            key=lambda n: _rank(images[n], segmentations[n], vertebra.level, vertebra.series_uid),
        )
        if not ranked or images[ranked[0]].series.contrast not in _PREFERRED:
            continue
        why = why_not_judged(images[ranked[0]], segmentations[ranked[0]], vertebra.level)
        if why:
            unjudged[vertebra.level] = why
        else:
            found.setdefault(ranked[0], []).append(vertebra.level)
    return found, unjudged


def _rank(image: Image, segmentation: Segmentation, level: Level, measured: str) -> tuple[bool, int, bool]:
    contrast = image.series.contrast
    preference = _PREFERRED.index(contrast) if contrast in _PREFERRED else len(_PREFERRED)
    cut = segmentation.body(level) in segmentation.cut
    return cut, preference, image.series.series_uid != measured


def candidates_in(seen: LesionInput, segmentation: Segmentation, predictor: LesionPredictor) -> list[Candidate]:
    """Every candidate of a reference series, whether or not it reaches an operating point, largest first."""
    found = find_candidates(predictor.predict(seen), float(np.prod(seen.geometry.spacing)), predictor.model)
    found = told_apart(found, seen.volume.numpy(), predictor.model)
    levels = [main_level(c.mask, seen, segmentation) for c in found]
    unlike = stand_out([c.mask for c in found], [seen.levels.index(level) for level in levels], seen)
    return [
        replace(candidate, seen_in=seen.contrasts.get(level, ()))
        for candidate, level, stands_out in zip(found, levels, unlike, strict=True)
        if stands_out
        and in_assessed(candidate, seen, segmentation)
        and not cut_off(candidate, level, seen, segmentation)
        and not in_ala(candidate, level, segmentation, seen)
    ]


def _lesion(candidate: Candidate, seen: LesionInput, segmentation: Segmentation, number: int) -> Lesion:
    """What is known of a candidate before it is measured."""
    counts = by_level(candidate.mask, seen, segmentation)
    total = sum(counts.values())
    main = max(counts, key=lambda level: counts[level])
    levels = tuple(v for v in seen.levels if counts.get(v, 0) >= _SAME_LEVEL * total)
    x, y, z = seen.geometry.to_patient(np.argwhere(candidate.mask)).mean(axis=0).tolist()
    shares = {k: round(float(s), 3) for k, s in zip(KINDS, candidate.shares, strict=True) if s >= _NO_SHARE}
    return Lesion(
        id=f"lesion-{number}",
        label=number,
        series_uid=segmentation.series_uid,
        seen_in=candidate.seen_in,
        levels=levels or (main,),
        level=main,
        side=side_of(candidate.mask, seen, segmentation, main),
        centre=(x, y, z),
        probability=round(candidate.probability, 3),
        shares=dict(sorted(shares.items(), key=lambda item: -item[1])),
    )


def _outlines(
    candidates: Sequence[Candidate],
    lesions: Sequence[Lesion],
    seen: LesionInput,
    segmentation: Segmentation,
    made_by: str,
) -> Segmentation:
    """Lesions on the reference series' own grid; voxel values are their labels."""
    work = np.zeros(seen.geometry.shape, dtype=np.uint16)
    for candidate, lesion in zip(candidates, lesions, strict=True):
        work[candidate.mask] = lesion.label
    geometry = segmentation.geometry
    voxels = np.zeros(geometry.shape, dtype=np.uint16)
    index = _box_on(geometry.to_index(seen.geometry.corners()), geometry.shape)
    points = geometry.to_patient(np.stack(np.meshgrid(*index, indexing="ij"), axis=-1))
    place = np.rint(seen.geometry.to_index(points)).astype(int)
    inside = ((place >= 0) & (place < seen.geometry.shape)).all(axis=-1)
    found = np.zeros(inside.shape, dtype=np.uint16)
    found[inside] = work[tuple(place[inside].T)]
    voxels[np.ix_(*index)] = found
    structures = {lesion.label: Structure(StructureKind.LESION, lesion.level) for lesion in lesions}
    return Segmentation(voxels, geometry, structures, segmentation.series_uid, made_by)


def _box_on(corners: NDArray[np.floating], shape: tuple[int, int, int]) -> list[NDArray[np.intp]]:
    low = np.clip(np.floor(corners.min(axis=0)), 0, None).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, shape)
    return [np.arange(a, b) for a, b in zip(low, high, strict=True)]


def _in_order(lesions: Sequence[Lesion]) -> Iterator[Lesion]:
    """Most probable tumour first, then from head to foot."""

    def worry(lesion: Lesion) -> float:
        return lesion.probability * sum(lesion.shares.get(kind, 0.0) for kind in SUSPICIOUS)

    yield from sorted(lesions, key=lambda lesion: (-round(worry(lesion), 2), -lesion.centre[2]))


def _screen(
    spine: Spine,
    views: Sequence[LesionInput],
    limits_of: tuple[Sequence[Level], Mapping[Level, str]],
    predictor: LesionPredictor,
) -> MarrowScreen:
    """Which marrow was looked at, with what; ``limits_of``: vertebrae cut by the field, and why some are not judged."""
    partly, unjudged = limits_of
    shown = {level: names for view in views for level, names in view.contrasts.items() if names}
    missing = [(level, unjudged.get(level, not_enough())) for level in spine.levels if level not in shown]
    contrasts = tuple(c for c in CHANNELS if any(c in names for names in shown.values()))
    limits = [predictor.model.detection_limits_mm.get("+".join(names)) for names in set(shown.values())]
    known = [limit for limit in limits if limit is not None]
    warnings = [*([] if "T1w" in contrasts else [phrases.NO_T1]), *([] if "STIR" in contrasts else [phrases.NO_STIR])]
    warnings += [phrases.NO_ALAE] if any(level.region == "S" for level in shown) else []
    return MarrowScreen(
        assessed=tuple(level for level in spine.levels if level in shown),
        partly=tuple(level for level in spine.levels if level in partly and level in shown),
        not_assessed=tuple(missing),
        contrasts=contrasts,
        detection_limit_mm=max(known) if known and len(known) == len(limits) else None,
        operating_point=predictor.model.operating_point,
        model=predictor.model.label,
        warnings=tuple(warnings) if shown else (),
    )
