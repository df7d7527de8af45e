"""Lesion detection against known lesions: sensitivity by size, false positives, overlap, kind, and how sure it was.

Real people have no labelled marrow lesion here, so lesions are implanted into their images (``implants``) or rendered
(``marrow_phantoms``). The anatomy is segmented anew in every changed image, as it will be in use. Every candidate is
kept with its probability, so that one run tells every operating point.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spinemri.merge import merge
from spinemri.register import align_series
from spinemri.segment.anatomy import segment_anatomy
from spinemri.segment.lesion_input import lesion_input
from spinemri.segment.lesions import candidates_in
from spinemri.segment.marrow_shown import why_not_judged
from spinemri.segment.reconcile import reconcile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.lesion import MarrowChange
    from spinemri.segment.candidates import Candidate
    from spinemri.segment.lesion_input import LesionInput
    from spinemri.segment.lesion_predictor import LesionPredictor
    from spinemri.segment.predictor import Predictor
    from spinemri.segmentation import Segmentation

    Mask = NDArray[np.bool_]

_HIT = 0.1  # share of a true lesion that a found one must cover to have found it
_SLACK = 0.02  # share of a found lesion within true ones (of any size) from which it is no false positive


@dataclass(frozen=True)
class FoundLesion:
    """A candidate: kind, shares, size, mean and calibrated probability; whether it hit a lesion and may be tumour."""

    kind: str
    shares: tuple[float, ...]
    mean: float
    volume_mm3: float
    probability: float
    true: bool
    suspicious: bool


@dataclass(frozen=True)
class TrueLesion:
    """A known lesion: volume, highest probability of a candidate that found it, Dice with all that found it."""

    kind: str
    volume_mm3: float
    probability: float
    tumour_probability: float
    dice: float
    found_kind: str = ""
    shares: tuple[float, ...] = ()


@dataclass(frozen=True)
class MarrowScore:
    """One run: where, which sequences, how many vertebrae were looked at, and what was found and missed."""

    name: str
    contrasts: str
    vertebrae: int
    assessed: int
    found: tuple[FoundLesion, ...]
    known: tuple[TrueLesion, ...]
    seconds: float = 0.0
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class Truth:
    """A known lesion on a grid."""

    kind: MarrowChange
    mask: Mask
    geometry: Geometry


@dataclass(frozen=True, eq=False)
class Look:
    """What the lesion network is given of one person: its input, the anatomy it lies on, and how many vertebrae."""

    contrasts: str
    vertebrae: int
    seen: LesionInput | None
    anatomy: Segmentation


def look_at(images: Sequence[Image], anatomy: Predictor, spacing_mm: float) -> Look:
    """Segment the images of one person and lay them over the first, as the pipeline does."""
    named = [segment_anatomy(image, anatomy) for image in images]
    segmentations, names, _ = reconcile(tuple(images), [n[0] for n in named], [n[1] for n in named])
    spine = merge(tuple(images), segmentations, names)
    alignments, _ = align_series(spine, images, segmentations)
    levels = [level for level in spine.levels if not why_not_judged(images[0], segmentations[0], level)]
    seen = lesion_input((images[0], segmentations[0]), images[1:], alignments, levels, spacing_mm)
    contrasts = "+".join(image.series.contrast.value for image in images)
    return Look(contrasts, len(spine.levels), seen, segmentations[0])


def score_marrow(
    name: str,
    images: Sequence[Image],
    truths: Sequence[Truth],
    networks: tuple[Predictor, LesionPredictor],
) -> MarrowScore:
    """Look for lesions in the first image, with the others laid over it, and compare with what is known.

    Parameters
    ----------
    name : of the run
    images : series of one person; the first is the reference
    truths : known lesions
    networks : anatomy and lesions
    """
    return score_look(name, look_at(images, networks[0], networks[1].model.spacing_mm), truths, networks[1])


def score_look(name: str, look: Look, truths: Sequence[Truth], lesions: LesionPredictor) -> MarrowScore:
    """Compare what a lesion network finds in its input with what is known."""
    seen = look.seen
    if seen is None:
        return MarrowScore(name, look.contrasts, look.vertebrae, 0, (), tuple(_missed(t) for t in truths))
    candidates = candidates_in(seen, look.anatomy, lesions)
    masks = [_on_grid(truth, seen.geometry) for truth in truths]
    anything = np.any(masks, axis=0) if masks else np.zeros(seen.geometry.shape, dtype=bool)
    found = tuple(
        FoundLesion(
            c.kind.value,
            tuple(float(s) for s in c.shares),
            c.mean,
            c.volume_mm3,
            c.probability,
            bool((c.mask & anything).sum() >= _SLACK * c.mask.sum()),
            c.suspicious,
        )
        for c in candidates
    )
    known = tuple(_known(truth, mask, candidates) for truth, mask in zip(truths, masks, strict=True))
    looked = sum(bool(names) for names in seen.contrasts.values())
    return MarrowScore(name, look.contrasts, look.vertebrae, looked, found, known)


def _known(truth: Truth, mask: Mask, candidates: Sequence[Candidate]) -> TrueLesion:
    """A known lesion (mask on the grid of the search) with what found it."""
    hits = [c for c in candidates if (c.mask & mask).sum() >= _HIT * mask.sum()]
    if not hits or not mask.any():
        return _missed(truth)
    union = np.any([c.mask for c in hits], axis=0)
    best = max(hits, key=lambda c: (c.mask & mask).sum())
    tumours = [c.probability for c in hits if c.suspicious]
    return TrueLesion(
        truth.kind.value,
        float(truth.mask.sum()) * float(np.prod(truth.geometry.spacing)),
        max(c.probability for c in hits),
        max(tumours, default=0.0),
        2 * float((union & mask).sum()) / float(union.sum() + mask.sum()),
        best.kind.value,
        tuple(float(s) for s in best.shares),
    )


def _missed(truth: Truth) -> TrueLesion:
    volume = float(truth.mask.sum()) * float(np.prod(truth.geometry.spacing))
    return TrueLesion(truth.kind.value, volume, 0.0, 0.0, 0.0)


def _on_grid(truth: Truth, geometry: Geometry) -> Mask:
    """A known lesion on the grid of the search, by the nearest voxel."""
    points = geometry.to_patient(np.moveaxis(np.indices(geometry.shape), 0, -1).reshape(-1, 3))
    index = np.rint(truth.geometry.to_index(points)).astype(int)
    inside = ((index >= 0) & (index < truth.geometry.shape)).all(axis=1)
    found = np.zeros(len(points), dtype=bool)
    found[inside] = truth.mask[tuple(index[inside].T)]
    return found.reshape(geometry.shape)


def sensitivity(scores: Sequence[MarrowScore], point: float, sizes: tuple[float, float]) -> tuple[float, int]:
    """Share of known lesions within a range of volumes (mm3) found as tumour-like at an operating point, and count.

    One that no candidate hit is missed at every operating point, 0 too.
    """
    chosen = [k for s in scores for k in s.known if sizes[0] <= k.volume_mm3 < sizes[1]]
    hits = sum(k.tumour_probability >= point and k.tumour_probability > 0 for k in chosen)
    return (hits / len(chosen) if chosen else float("nan")), len(chosen)


def false_positives(scores: Sequence[MarrowScore], point: float) -> float:
    """Tumour-like lesions per run that hit nothing known, at an operating point."""
    wrong = sum(f.suspicious and not f.true and f.probability >= point for s in scores for f in s.found)
    return wrong / len(scores) if scores else float("nan")


def operating_point(scores: Sequence[MarrowScore], allowed: float) -> float:
    """Lowest probability at which there are at most so many false positives per run."""
    wrong = sorted((f.probability for s in scores for f in s.found if f.suspicious and not f.true), reverse=True)
    keep = int(allowed * len(scores))
    return float(np.nextafter(wrong[keep], 1)) if len(wrong) > keep else 0.0


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """Mean F1 over the kinds that occur, of (true, found) kinds of found lesions."""
    kinds = sorted({true for true, _ in pairs})
    scores = []
    for kind in kinds:
        right = sum(t == kind and f == kind for t, f in pairs)
        called, there = sum(f == kind for _, f in pairs), sum(t == kind for t, _ in pairs)
        scores.append(2 * right / (called + there) if called + there else 0.0)
    return float(np.mean(scores)) if scores else float("nan")


def area_under_curve(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Probability that a positive has the higher score (Mann-Whitney); ties count half."""
    if not positive or not negative:
        return float("nan")
    p, n = np.asarray(positive)[:, None], np.asarray(negative)[None]
    return float(((p > n) + 0.5 * (p == n)).mean())


def calibration_error(probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error: mean distance of probability and outcome over equal bins, by their counts."""
    values, true = np.asarray(probabilities), np.asarray(outcomes, dtype=float)
    place = np.minimum((values * bins).astype(int), bins - 1)
    total = 0.0
    for n in range(bins):
        here = place == n
        if here.any():
            total += here.mean() * abs(float(values[here].mean() - true[here].mean()))
    return float(total)
