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
_AT_ONE_SIDE = 0.15  # of the body's width from its middle: a lesion whose centre lies beyond is at that side
_ACROSS = 0.25  # of a lesion beyond the middle, on each side, makes it lie on both
_SAME_LEVEL = 0.2  # share of a lesion in a further vertebra from which that vertebra is named too
_EDGE_MM = 4.0  # a change so near the border of the field reaches it
_NO_SHARE = 0.005
_MOSTLY, _IN_BONE = 0.5, 0.25
_SMALL_MM3, _SMALL_IN_BONE = 300.0, 0.5  # below 8 mm across, and the share of that which must lie in bone
_BONES = (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)


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
    levels = [_main_level(c.mask, seen, segmentation) for c in found]
    unlike = stand_out([c.mask for c in found], [seen.levels.index(level) for level in levels], seen)
    return [
        replace(candidate, seen_in=seen.contrasts.get(level, ()))
        for candidate, level, stands_out in zip(found, levels, unlike, strict=True)
        if stands_out
        and _in_assessed(candidate, seen, segmentation)
        and not _cut_off(candidate, level, seen, segmentation)
        and not _in_ala(candidate, level, segmentation, seen)
    ]


def _main_level(mask: NDArray[np.bool_], seen: LesionInput, segmentation: Segmentation) -> Level:
    """The vertebra that holds most of a lesion."""
    counts = _by_level(mask, seen, segmentation)
    return max(counts, key=lambda level: counts[level])


def _cut_off(candidate: Candidate, level: Level, seen: LesionInput, segmentation: Segmentation) -> bool:
    """Whether a candidate of a vertebra that the field of view cuts reaches the cut: what lies beyond would tell."""
    if segmentation.body(level) not in segmentation.cut:
        return False
    geometry = segmentation.geometry
    index = geometry.to_index(seen.geometry.to_patient(np.argwhere(candidate.mask)))
    within = [axis for axis in range(3) if axis != geometry.axis_along(0)]
    spacing = np.asarray(geometry.spacing)[within]
    inside = np.minimum(index[:, within], np.asarray(geometry.shape)[within] - 1 - index[:, within]) * spacing
    return bool((inside < _EDGE_MM).any())


def _in_ala(candidate: Candidate, level: Level, segmentation: Segmentation, seen: LesionInput) -> bool:
    """Whether a candidate lies in an ala of the sacrum: beside all that lies under the vertebra above.

    The anatomy counts what it sees of the alae to S1, and no simulated change has ever lain there.
    """
    if level.region != "S":
        return False
    above = [s for s in segmentation.of_kind(StructureKind.VERTEBRAL_BODY) if s.level and s.level.region != "S"]
    if not above:
        return False
    left = seen.geometry.axes[:, 0]  # slices run to the left
    body = segmentation.geometry.to_patient(np.argwhere(segmentation.mask(above[-1]))) @ left
    centre = seen.geometry.to_patient(np.argwhere(candidate.mask)).mean(axis=0) @ left
    return not body.min() <= centre <= body.max()


def _in_assessed(candidate: Candidate, seen: LesionInput, segmentation: Segmentation) -> bool:
    """Whether a candidate is of bone, and most of that of vertebrae looked at here: not of one cut or seen elsewhere.

    A quarter in bone is enough, for masks of bone are ragged where a lesion is, and a tumour may have grown out of it;
    without bone it may be anything. What is too small to have grown out of bone must lie in it by half: nerve roots,
    veins and joints lie beside it. The sacrum below S1 is bone that nobody looks at: what lies in it must not take the
    name of S1.
    """
    size = int(candidate.mask.sum())
    small = size * float(np.prod(seen.geometry.spacing)) < _SMALL_MM3
    counts = _bone_by_level(candidate.mask, seen, segmentation)
    here = sum(n for level, n in counts.items() if level in seen.levels)
    sacrum = [v for v, known in segmentation.structures.items() if known.kind is StructureKind.SACRUM]
    bone = sum(counts.values()) + int(np.isin(seen.labels[candidate.mask], sacrum).sum())
    return here > 0 and here >= _MOSTLY * bone and bone >= (_SMALL_IN_BONE if small else _IN_BONE) * size


def _lesion(candidate: Candidate, seen: LesionInput, segmentation: Segmentation, number: int) -> Lesion:
    """What is known of a candidate before it is measured."""
    counts = _by_level(candidate.mask, seen, segmentation)
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
        side=_side(candidate.mask, seen, segmentation, main),
        centre=(x, y, z),
        probability=round(candidate.probability, 3),
        shares=dict(sorted(shares.items(), key=lambda item: -item[1])),
    )


def _by_level(mask: NDArray[np.bool_], seen: LesionInput, segmentation: Segmentation) -> dict[Level, int]:
    """Voxels of a lesion per vertebra that is looked at: by the bone they lie in, else by the nearest vertebra."""
    counts = {v: n for v, n in _bone_by_level(mask, seen, segmentation).items() if v in seen.levels}
    if not counts:
        for zone, number in zip(*np.unique(seen.zones[mask], return_counts=True), strict=True):
            counts[seen.levels[int(zone)]] = int(number)
    return counts


def _bone_by_level(mask: NDArray[np.bool_], seen: LesionInput, segmentation: Segmentation) -> dict[Level, int]:
    """Voxels of a lesion per vertebra whose bone they lie in, those that are looked at in another series too."""
    counts: dict[Level, int] = {}
    values, numbers = np.unique(seen.labels[mask], return_counts=True)
    for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
        structure = segmentation.structures.get(value)
        if structure is not None and structure.level is not None and structure.kind in _BONES:
            counts[structure.level] = counts.get(structure.level, 0) + number
    return counts


def _side(mask: NDArray[np.bool_], seen: LesionInput, segmentation: Segmentation, level: Level) -> str:
    """Where a lesion lies from the middle of its vertebra's body; slices of the grid run to the patient's left."""
    body = segmentation.body(level)
    values = [v for v, known in segmentation.structures.items() if known == body]
    slices = np.flatnonzero(np.isin(seen.labels, values).any(axis=(1, 2)))
    if not slices.size:
        return ""
    middle, width = float(slices[0] + slices[-1]) / 2, float(slices[-1] - slices[0] + 1)
    places = np.argwhere(mask)[:, 0] - middle
    if min((places > 0.1 * width).mean(), (places < -0.1 * width).mean()) >= _ACROSS:
        return "both sides"
    offset = float(places.mean())
    if abs(offset) <= _AT_ONE_SIDE * width:
        return "midline"
    return "left" if offset > 0 else "right"


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
