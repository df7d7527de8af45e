"""Where one vertebra ends and the next begins: at discs, whose distances change only slowly along a spine.

Evidence for a disc (disc label, or missing bone) is summed across the column; the best set of places is found by
dynamic programming, which lets regular spacing overrule a thin bridge between two bodies or a crack within one. A disc
parts two vertebrae once, however tall it is: discs balloon into broken endplates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.segment.column import BODY, DISC, SACRUM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_CENTRAL_MM = 11.0
_PITCH_MM = np.arange(9, 56)
_REGULARITY = 0.6
_THRESHOLD = 0.35
_ABSENCE = 0.5
_ALL_DISC = 0.55  # evidence above that of nothing at all: a disc
_REFERENCE_MM = 51
_LEAST_SHARE = 0.2
_SACRUM_MM = 42
_MISSED_DISC_MM = 9  # the most of a hole on either side that may be a disc that was missed


@dataclass(frozen=True, eq=False)
class Profile:
    """What lies across the column per millimetre of its length (sampled every 1 mm).

    Parameters
    ----------
    start_mm : arc length of the first sample
    body, disc, sacrum : (n,) mm2 within 11 mm of the midline
    reference : (n,) mm2 of a full cross-section nearby
    """

    start_mm: float
    body: Floats
    disc: Floats
    sacrum: Floats
    reference: Floats

    @property
    def separation(self) -> Floats:
        """(n,) evidence for a place between two vertebrae: 1 = nothing but disc, 0.5 = nothing at all, 0 = bone.

        Nothing at all over more than a disc's height is a vertebra that was missed: within it there is no evidence.
        """
        bone = (self.body + self.sacrum) / self.reference
        disc = np.clip(self.disc / self.reference, 0, 1)
        nothing = np.clip(1 - bone - disc, 0, 1)
        missed = ndimage.binary_erosion(nothing > _ABSENCE, iterations=_MISSED_DISC_MM)
        return np.asarray(np.clip(disc + _ABSENCE * np.where(missed, 0, nothing), 0, 1))


def profile(place: Floats, values: NDArray[np.integer], voxel_mm3: float) -> Profile | None:
    """Cross-sections along the column, from its first body or disc to 42 mm of sacrum below the last.

    Parameters
    ----------
    place : (N, 3) column coordinates (mm) of voxels
    values : (N,) their semantic classes
    voxel_mm3 : volume of a voxel

    Returns
    -------
    The profile, or None when no bone lies on the curve.
    """
    central = np.abs(place[:, 1]) <= _CENTRAL_MM
    low = float(np.floor(place[:, 0].min())) - 1.0
    count = int(place[:, 0].max() - low) + 3

    def area(*classes: int) -> Floats:
        chosen = central & np.isin(values, classes)
        total = np.bincount((place[chosen, 0] - low).astype(int), minlength=count)
        return np.asarray(ndimage.gaussian_filter1d(total * voxel_mm3, 1.0), dtype=np.float64)

    body, disc, sacrum = area(BODY), area(DISC), area(SACRUM)
    reference = ndimage.percentile_filter(body + disc, 80, size=_REFERENCE_MM, mode="constant")
    reference = np.maximum(reference, 0.4 * float(reference.max()))
    filled = np.flatnonzero(body + disc > _LEAST_SHARE * reference)
    if reference.max() <= 0 or len(filled) == 0:
        return None
    first, last = int(filled[0]), int(filled[-1])
    below = sacrum[last : last + _SACRUM_MM] > _LEAST_SHARE * reference[last : last + _SACRUM_MM]
    gap = np.flatnonzero(np.convolve(below, np.ones(8), "full")[7 : len(below)] == 0)
    last += int(gap[0]) if len(gap) else int(below.sum() > 0) * len(below)
    keep = slice(first, last + 1)
    return Profile(low + first, body[keep], disc[keep], sacrum[keep], np.asarray(reference[keep], dtype=np.float64))


def find_separators(separation: Floats, *, cut_above: bool) -> list[int]:
    """Samples (mm from the start) at which the column is parted into vertebrae, head to foot.

    Parameters
    ----------
    separation : (n,) evidence per mm, see :class:`Profile`
    cut_above : whether the field of view cuts the top, so that the first vertebra may be short

    Returns
    -------
    Indices into ``separation``; the stretches before the first and after the last belong to the end vertebrae.
    """
    n, pitches = len(separation), len(_PITCH_MM)
    gain = separation - _THRESHOLD
    ratio = np.log(_PITCH_MM[:, None] / _PITCH_MM[None, :])  # row: this pitch, column: the one before
    penalty = _REGULARITY * ratio**2
    score = np.full((n, pitches), -np.inf)  # separator at i, distance to the one before
    back = np.full((n, pitches), -1)
    opening = np.full(n, -np.inf)  # separator at i is the first
    opening[: int(_PITCH_MM[-1]) + 1] = gain[: int(_PITCH_MM[-1]) + 1]
    disc_from = _disc_from(separation)
    for i in range(n):
        for p, pitch in enumerate(_PITCH_MM):
            j = i - int(pitch)
            if j < 0:
                break
            if j >= disc_from[i]:
                continue
            before = score[j] - penalty[p]
            best = int(before.argmax())
            value = float(before[best])
            first = opening[j] - _end_penalty(j, int(pitch), two_sided=not cut_above and 4 * j > int(pitch))
            if first > value:
                value, best = first, -1
            score[i, p], back[i, p] = value + gain[i], best
    return _trace(score, back, opening)


def _disc_from(separation: Floats) -> NDArray[np.intp]:
    """(n,) where the disc begins in which a sample lies; the sample after it where there is none."""
    after_bone = np.where(separation > _ALL_DISC, 0, np.arange(1, len(separation) + 1))
    return np.maximum.accumulate(after_bone)


def _end_penalty(length: int, pitch: int, *, two_sided: bool) -> float:
    """Price of an end stretch that is longer (or, when it is whole, much shorter) than its neighbour."""
    if length <= 0:
        return 0.0
    change = float(np.log(length / (0.9 * pitch)))
    return _REGULARITY * change**2 if change > 0 or two_sided else 0.0


def _trace(score: Floats, back: NDArray[np.integer], opening: Floats) -> list[int]:
    n = len(opening)
    best, place, state = 0.0 if n <= _PITCH_MM[-1] else -np.inf, -1, -1
    for i in range(max(0, n - int(_PITCH_MM[-1]) - 1), n):
        if opening[i] > best:
            best, place, state = float(opening[i]), i, -1
        for p, pitch in enumerate(_PITCH_MM):
            value = score[i, p] - _end_penalty(n - 1 - i, int(pitch), two_sided=False)
            if value > best:
                best, place, state = float(value), i, p
    found = []
    while place >= 0:
        found.append(place)
        if state < 0:
            break
        place, state = place - int(_PITCH_MM[state]), int(back[place, state])
    return found[::-1]
