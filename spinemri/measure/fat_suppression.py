"""Whether fat is dark where a series means it to be: on STIR and on fat-suppressed T2w."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.quality import QualityCheck

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.measure.upright import Upright

    Floats = NDArray[np.floating]
    Mask = NDArray[np.bool_]

phrases = Phrases("measure.fat_suppression")

FAT_LIMIT = 2.0
"""Signal of fat / muscle. Metastases have 2.09 times, red marrow 1.28 times the signal of muscle on such series (Park &
Huh): where fat has as much, fatty marrow cannot be told from a lesion. A limit of our own that rests on these."""

_BRIGHTEST = 95.0  # percentile of a bright-fat series behind the spine from which it is fat
_LEAST_CONTRAST = 1.5  # fat / muscle on the bright-fat series; less is no fat
_UNDER_SKIN_MM = (2.0, 8.0)
_FEW = 100
_PARTS = 3  # upper, middle and lower


def fat_suppression(view: Upright) -> QualityCheck:
    """Signal of subcutaneous fat over that of back muscle, in the worst third of the spine's height.

    Definition: medians of the fat-suppressed series. Fat is the brightest 5 % between spine and skin on a T1w or T2w
    series of the same frame of reference; muscle see ``Upright.muscle``. Without such a series fat is what lies 2 to
    8 mm under the skin. ``levels`` are the bodies in the thirds that fail.

    Known failure: a surface coil makes fat under the skin up to twice as bright as the same fat would be in the spine,
    so a value between 1 and 3 may rest on it; suppression may fail in front of the spine only. Without a bright-fat
    series the place of the skin is a guess.
    """
    if not np.isfinite(view.rear_of(view.bodies)).all():
        return _unknown(phrases.NO_VERTEBRAL_BODY_SEEN)
    fat, muscle = _tissues(view)
    ratios = [_ratio(view, fat, muscle, rows) for rows in _thirds(view)]
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return _unknown(phrases.TOO_LITTLE_FAT_OR_MUSCLE)
    bright = [n for n, ratio in enumerate(ratios) if ratio is not None and ratio > FAT_LIMIT]
    where = (
        ""
        if len(bright) == len(known)
        else phrases.THIRD.format(items=phrases.AND.join([*phrases["PARTS"].values()][n] for n in bright))
    )
    line = phrases.SERIES_FAT_TIMES_AS_BRIGHT.format(
        label=view.series.label, value=max(known), where=where, limit=FAT_LIMIT
    )
    return QualityCheck(
        name="fat_suppression",
        value=round(max(known), 2),
        unit="1",
        limit=FAT_LIMIT,
        passed=not bright,
        reason=line if bright else "",
        levels=_levels_in(view, bright),
    )


def _tissues(view: Upright) -> tuple[Mask, Mask]:
    """Fat under the skin and muscle behind the spine."""
    guide = view.companion
    if guide is None:
        return _band(view, _UNDER_SKIN_MM), view.muscle
    fat = _brightest(guide, _band(guide, (_UNDER_SKIN_MM[0], np.inf)))
    return view.carried(guide, fat), view.muscle


def _brightest(guide: Upright, region: Mask) -> Mask:
    """The brightest twentieth of a region in each third of the spine, as far as it is clearly brighter than muscle."""
    found = np.zeros_like(region)
    for rows in _thirds(guide):
        signal, part, muscle = guide.signal[:, rows], region[:, rows], guide.muscle[:, rows]
        if part.any() and muscle.any():
            least = _LEAST_CONTRAST * np.median(signal[muscle])
            found[:, rows] = part & (signal >= max(np.percentile(signal[part], _BRIGHTEST), least))
    return found


def _band(view: Upright, under_skin_mm: tuple[float, float]) -> Mask:
    """What lies between spine and skin, so far under the skin."""
    depth = (view.skin[..., None] - np.arange(view.signal.shape[2])) * view.spacing[2]
    behind = np.arange(view.signal.shape[2]) > view.rear_of(view.spine)[:, None]
    inside = (depth >= under_skin_mm[0]) & (depth <= under_skin_mm[1]) & (view.skin >= 0)[..., None]
    return np.asarray(inside & behind & (view.labels == 0))


def _thirds(view: Upright) -> list[slice]:
    """Rows of the upper, middle and lower third of the bodies' height."""
    rows = np.flatnonzero(view.bodies.any(axis=(0, 2)))
    cuts = np.linspace(rows[0], rows[-1] + 1, _PARTS + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(cuts)]


def _ratio(view: Upright, fat: Mask, muscle: Mask, rows: slice) -> float | None:
    signal = view.signal[:, rows]
    samples = signal[fat[:, rows]], signal[muscle[:, rows]]
    if min(sample.size for sample in samples) < _FEW:
        return None
    return float(np.median(samples[0])) / max(float(np.median(samples[1])), 1e-6)


def _levels_in(view: Upright, parts: list[int]) -> tuple[Level, ...]:
    """Bodies whose middle lies in the given thirds."""
    thirds = _thirds(view)
    found = []
    for structure in view.segmentation.of_kind(StructureKind.VERTEBRAL_BODY):
        values = [v for v, known in view.segmentation.structures.items() if known == structure]
        rows = np.flatnonzero(np.isin(view.labels, values).any(axis=(0, 2)))
        inside = rows.size and any(thirds[n].start <= rows.mean() < thirds[n].stop for n in parts)
        if inside and structure.level is not None:
            found.append(structure.level)
    return tuple(found)


def _unknown(reason: str) -> QualityCheck:
    return QualityCheck(name="fat_suppression", unit="1", limit=FAT_LIMIT, reason=reason)
