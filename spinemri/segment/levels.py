"""Vertebrae are named from all that is seen: sacrum, C2, what the bodies look like, their order, or what the user says.

The names are the likeliest walk down the levels (``chain.py``), each with its probability. Six lumbar, eleven or
thirteen thoracic vertebrae are legal, never an error. Where too few names would be right, bodies are V1, V2 … from the
top; the names are then relative and say so. A body that must be there but was not found keeps its place in the count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level
from spinemri.errors import LevelError, quoted
from spinemri.language import Phrases
from spinemri.segment.appearance import appearance_rows
from spinemri.segment.chain import Decoding, decode
from spinemri.segment.ladder import MISCOUNT
from spinemri.segment.landmarks import Landmarks, landmark_rows, s1_is_cut
from spinemri.spine import LevelAssignment, LevelBasis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.segment.appearance import Appearance

phrases = Phrases("segment.levels")

LEVEL_ORDER = tuple(
    Level(f"{region}{n}") for region, count in (("C", 7), ("T", 12), ("L", 5), ("S", 5)) for n in range(1, count + 1)
)
"""C1 to S5 of a spine without numbering variants."""

LEAST_EXPECTED_SHARE = 0.8
"""Names are given when at least this share of them is expected to be right, variants that look the same left aside. A
wrong level harms more than a missing one helps, here four times as much."""

LEAST_WITHOUT_LANDMARK = 0.95
"""The same when neither sacrum nor C2 supports the names, or the field ends in what seems S1: looks alone were wrong
at 0.85 in people whose sacrum was not recognised."""

"""Ends every warning that says why names are relative; it is void once another series has given the names."""

_IRREGULAR = 0.03  # chance of a miscount somewhere in a series with a jump in its distances, a collapse for instance
_MOST_RELATIVE = 30


@dataclass(frozen=True)
class Anchor:
    """What the user says: the body that is ``index``-th from the bottom of the picture (1 = lowest) is ``level``."""

    index: int
    level: Level

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """Anchor from text such as 'L5=2': the second body from the bottom is L5. Raises LevelError otherwise."""
        match = re.fullmatch(r"\s*([A-Za-z]{1,2}\d{1,2})\s*=\s*(\d{1,2})\s*", text)
        if not match or int(match[2]) < 1:
            raise LevelError(
                f"anchor {quoted(text)}: expected LEVEL=N such as L5=2, the second body counted from the bottom"
            )
        level = Level.parse(match[1])
        if level.is_relative:
            raise LevelError(f"anchor {quoted(text)}: expected a true level such as L5, found the relative {level}")
        return cls(int(match[2]), level)


def count_from(level: Level, steps: int) -> Level | None:
    """Level ``steps`` below (positive) or above a level; None beyond C1 or S5.

    L6 and T13 are reached only when they are the start: above L6 comes L5, below it S1; above T13 T12, below it L1.
    """
    if level in LEVEL_ORDER:
        place = LEVEL_ORDER.index(level) + steps
    else:
        above = {"L6": Level("L5"), "T13": Level("T12")}[level.name]
        if steps == 0:
            return level
        place = LEVEL_ORDER.index(above) + steps + (1 if steps < 0 else 0)
    return LEVEL_ORDER[place] if 0 <= place < len(LEVEL_ORDER) else None


def name_levels(
    slots: Sequence[int],
    landmarks: Landmarks,
    anchor: Anchor | None = None,
    appearance: Appearance | None = None,
    looks: NDArray[np.float64] | None = None,
) -> tuple[tuple[LevelAssignment, ...], tuple[str, ...]]:
    """Names of bodies with what they rest on.

    Parameters
    ----------
    slots : place of each body in the count from the head, ascending; a number is skipped where no body was found
    landmarks : what in the image anchors the count
    anchor : what the user says; it overrules the image
    appearance : sizes and posture of the bodies; None when only the landmarks are to count
    looks : (n, len(LADDER)) evidence of the level reader, if one looked

    Returns
    -------
    One assignment per body (fewer when the user's word puts bodies beyond S5), and warnings.

    Raises
    ------
    LevelError
        If the user's anchor points to a body that is not there, or names levels above C1.
    """
    if not slots:
        return (), ()
    if anchor is not None:
        return _from_user(slots, anchor), ()
    warnings = []
    missing = slots[-1] - slots[0] + 1 - len(slots)
    if missing:
        warnings.append(phrases.VERTEBRAL_BODIES_BETWEEN_OTHERS_WERE.format(missing=missing))
    rows = landmark_rows(slots, landmarks)
    seen = np.zeros((1, *rows.shape)) if appearance is None else appearance_rows(appearance)
    if looks is not None:
        seen = seen + looks
    gaps = np.diff(slots)
    doubt = MISCOUNT + (0.0 if landmarks.regular else _IRREGULAR / max(1, len(gaps)))
    decoding = decode(rows, slots, [min(0.3, doubt + 0.05 * (gap - 1)) for gap in gaps], seen)
    if decoding is None:
        return relative(slots), (*warnings, _why_relative(slots, landmarks, None))
    bases = [_basis(level, slots, decoding.levels, landmarks) for level in decoding.levels]
    doubtful = LevelBasis.ASSUMED in bases or (LevelBasis.FROM_C2 not in bases and s1_is_cut(slots, landmarks))
    least = LEAST_WITHOUT_LANDMARK if doubtful else LEAST_EXPECTED_SHARE
    if decoding.expected_share < least:
        return relative(slots), (*warnings, _why_relative(slots, landmarks, decoding))
    warnings += _variants(slots, decoding)
    if LevelBasis.ASSUMED in bases:
        warnings.append(phrases.LEVEL_NAMES_ARE_ASSUMED_FROM)
    return assign(decoding, bases), tuple(warnings)


def assign(decoding: Decoding, bases: Sequence[LevelBasis]) -> tuple[LevelAssignment, ...]:
    """Assignments of a decoding, with what each name rests on."""
    named = zip(decoding.levels, bases, decoding.confidence, strict=True)
    return tuple(
        LevelAssignment(level=level, basis=basis, confidence=float(np.clip(sure, 0, 1))) for level, basis, sure in named
    )


def unsure_names(series: Iterable[Sequence[LevelAssignment]]) -> tuple[str, ...]:
    """A word on each run of levels whose names are less sure, in every series, than names should be on the whole.

    Parameters
    ----------
    series : assignments of each series, head to foot, under names that agree between series
    """
    sure: dict[Level, float] = {}
    for names in series:
        for name in names:
            if not name.level.is_relative:
                sure[name.level] = max(name.confidence, sure.get(name.level, 0.0))
    runs = groupby(sorted(sure), key=lambda level: sure[level] < LEAST_EXPECTED_SHARE)
    return tuple(_unsure([*levels], sure) for doubtful, levels in runs if doubtful)


def _unsure(levels: list[Level], sure: Mapping[Level, float]) -> str:
    phrase = phrases.NAMES_UNSURE if len(levels) > 1 else phrases.NAME_UNSURE
    shares = [100 * sure[level] for level in levels]
    return phrase.format(first=levels[0], last=levels[-1], low=min(shares), high=max(shares))


def relative(slots: Sequence[int], first: int | None = None) -> tuple[LevelAssignment, ...]:
    """Relative names V1, V2 … from the top, or from the slot ``first``; at most 30."""
    first = slots[0] if first is None else first
    names = [Level(f"V{slot - first + 1}") for slot in slots if slot - first < _MOST_RELATIVE]
    return tuple(LevelAssignment(level=name, basis=LevelBasis.ASSUMED, confidence=0.0) for name in names)


def _why_relative(slots: Sequence[int], landmarks: Landmarks, decoding: Decoding | None) -> str:
    if decoding is None:
        return phrases.BODIES_SEEN_FIT_NO_COUNT.format(relative_names=phrases.RELATIVE_NAMES)
    seen = [name for name, mark in ((phrases.SACRUM, landmarks.s1), ("C2", landmarks.c2)) if mark is not None]
    if not seen:
        return phrases.NEITHER_SACRUM_NOR_C2_SEEN.format(relative_names=phrases.RELATIVE_NAMES)
    best = phrases.WOULD_SURE.format(
        first=decoding.levels[0], last=decoding.levels[-1], share=100 * decoding.expected_share
    )
    if landmarks.c2 is None and s1_is_cut(slots, landmarks):
        return phrases.FIELD_ENDS_IN_LOWEST.format(best=best, relative_names=phrases.RELATIVE_NAMES)
    return phrases.WHAT_BODIES_LOOK_LIKE_DO.format(
        items=phrases.AND.join(seen), best=best, relative_names=phrases.RELATIVE_NAMES
    )


def _variants(slots: Sequence[int], decoding: Decoding) -> list[str]:
    """A word on each numbering variant among the names."""
    names = {level.name for level in decoding.levels}
    found = [phrases.NAMED.format(name=name) for name in ("T13", "L6") if name in names]
    for gone, above, below in (("T12", "T11", "L1"), ("L5", "L4", "S1")):
        places = {level.name: slot for level, slot in zip(decoding.levels, slots, strict=True)}
        if above in places and below in places and places[below] - places[above] == 1:
            found.append(phrases.MISSING.format(gone=gone))
    return [phrases.NUMBERING_VARIANT_OR_MISCOUNT_VERTEBRAE.format(items=", ".join(found))] if found else []


def _basis(level: Level, slots: Sequence[int], levels: Sequence[Level], landmarks: Landmarks) -> LevelBasis:
    """What a name rests on: a landmark that the names agree with; C2 for all above the sacrum when both are seen."""
    held = dict(zip(slots, levels, strict=True))
    from_c2 = landmarks.c2 is not None and held.get(landmarks.c2[0]) == Level("C2")
    from_sacrum = landmarks.s1 is not None and _agrees(landmarks.s1[0], slots, levels)
    if from_c2 and (level.region != "S" or not from_sacrum):
        return LevelBasis.FROM_C2
    return LevelBasis.FROM_SACRUM if from_sacrum else LevelBasis.ASSUMED


def _agrees(slot: int, slots: Sequence[int], levels: Sequence[Level]) -> bool:
    """Whether the names put the upper end of the sacrum at most one level from where it was seen."""
    sacral = [s for s, level in zip(slots, levels, strict=True) if level.region == "S"]
    upper = min(sacral) if sacral else slots[-1] + 1
    return levels[-1].region in "LS" and abs(upper - slot) <= 1


def _from_user(slots: Sequence[int], anchor: Anchor) -> tuple[LevelAssignment, ...]:
    if anchor.index > len(slots):
        raise LevelError(f"anchor {anchor.level}={anchor.index}: only {len(slots)} vertebral bodies were found")
    named = []
    for slot in slots:
        level = count_from(anchor.level, slot - slots[-anchor.index])
        if level is None and slot < slots[-anchor.index]:
            raise LevelError(
                f"anchor {anchor.level}={anchor.index}: {len(slots)} bodies were found, they reach above C1"
            )
        if level is not None:
            named.append(LevelAssignment(level=level, basis=LevelBasis.USER, confidence=1.0))
    return tuple(named)
