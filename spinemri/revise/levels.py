"""Right names of some bodies give the names of all bodies of their column: the others follow in the count.

Bodies of one frame of reference, or of series that share a vertebra, are one column. A reader who says that 'L1' is T12
moves the whole column by one; several words are all kept, and the likeliest count of vertebrae that holds them is taken
(six lumbar, eleven thoracic ones are legal, as in ``segment/ladder.py``). An accepted name is a word too where another
name of the column is corrected. A rejected name is no word: its body keeps its place in the count; where the words hold
only without it, or with it only in a spine five times as rare (own choice), it is no vertebra.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import InputError
from spinemri.language import Phrases
from spinemri.segment.chain import decode
from spinemri.segment.ladder import LADDER, RUNG, steps_down
from spinemri.segment.levels import LEVEL_ORDER, count_from
from spinemri.segment.reconcile import steps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from spinemri.anatomy import Level
    from spinemri.spine import Spine

    Names = dict[Level, Level | None]
    Frames = Mapping[str, str | None]

phrases = Phrases("revise.levels")

_RARER = 5.0


def named_again(spine: Spine, frames: Frames, given: Mapping[Level, Level], rejected: Collection[Level]) -> Names:
    """The name of every vertebra when the reader's words hold; None for what is no vertebra.

    Parameters
    ----------
    frames : series_uid -> frame of reference
    given : level as it is called -> level that the reader gave it; equal where the name was accepted
    rejected : levels whose name was rejected

    Raises
    ------
    InputError
        No count of vertebrae holds every word on a column.
    """
    names: Names = {}
    for levels in columns(spine, frames):
        words = {level: given[level] for level in levels if level in given}
        if all(was == now for was, now in words.items()):
            names |= {level: level for level in levels}
        else:
            names |= _counted(levels, words, [level for level in levels if level in rejected])
    return names


def columns(spine: Spine, frames: Frames) -> list[list[Level]]:
    """Levels of each column, head to foot: vertebrae that share a frame of reference, or a vertebra that has two."""
    found: list[tuple[set[str | None], list[Level]]] = []
    for vertebra in spine.vertebrae:
        own = {frames[uid] for uid in vertebra.seen_in}
        joined = [one for one in found if one[0] & own]
        found = [one for one in found if one not in joined]
        levels = [level for _, held in joined for level in held]
        found.append((own.union(*(held for held, _ in joined)), [*levels, vertebra.level]))
    return [sorted(levels, key=lambda level: level.rank) for _, levels in found]


def in_series(levels: Iterable[Level], names: Names) -> dict[Level, Level]:
    """The new name of every level that a series speaks of, those of vertebrae that nobody saw counted on."""
    found = {level: new for level, new in names.items() if new is not None}
    for level in levels:
        if level not in names and (new := _counted_on(level, names)) is not None and new not in found.values():
            found[level] = new
    return found


def _counted(levels: Sequence[Level], words: Mapping[Level, Level], rejected: Sequence[Level]) -> Names:
    slots = np.cumsum([0, *(steps(upper, lower) for upper, lower in pairwise(levels))]).tolist()
    whole, share = _walk(dict(zip(levels, slots, strict=True)), words)
    gone = [sum(level in rejected for level in levels[:n]) for n in range(len(levels))]
    closed = {v: s - n for v, s, n in zip(levels, slots, gone, strict=True) if v not in rejected}
    without, other = _walk(closed, words) if rejected else ({}, 0.0)
    if other > _RARER * share:
        return {**dict.fromkeys(rejected), **without}
    if share > 0:
        return whole
    said = ", ".join(
        phrases.ACCEPTED.format(was=was) if was == now else phrases.RENAMED.format(was=was, now=now)
        for was, now in words.items()
    )
    if len(words) == 1:
        raise InputError(f"review: {said}: there is no room for the other {len(levels) - 1} vertebrae from C2 to S5")
    raise InputError(
        f"review: level names contradict each other: {said}: no count of the {len(levels)} vertebrae holds them all; "
        "names without a verdict follow the corrected ones"
    )


def _walk(slots: Mapping[Level, int], words: Mapping[Level, Level]) -> tuple[Names, float]:
    """The likeliest names that hold the words, with the share of people who have such a spine; 0 where none does.

    Parameters
    ----------
    slots : level as it is called -> its place in the count
    """
    rows = np.zeros((len(slots), len(LADDER)))
    for row, level in zip(rows, slots, strict=True):
        if level in words:
            row[[rung for other, rung in RUNG.items() if other != words[level]]] = -np.inf
    places = list(slots.values())
    decoding = decode(rows, places) if np.isfinite(rows.max(axis=1)).all() else None
    if decoding is None:
        return {}, 0.0
    gaps = [steps_down(after - before, doubt=0.0) for before, after in pairwise(places)]
    rungs = pairwise(RUNG[level] for level in decoding.levels)
    share = float(np.prod([gap[upper, lower] for gap, (upper, lower) in zip(gaps, rungs, strict=True)]))
    return dict(zip(slots, decoding.levels, strict=True)), share


def _counted_on(level: Level, names: Names) -> Level | None:
    """The new name of a level that is no vertebra of the spine, counted from the nearest one."""
    known = [other for other, new in names.items() if new is not None and other.is_relative == level.is_relative]
    if not known:
        return level
    nearest = min(known, key=lambda other: abs(_down(other, level)))
    new = names[nearest]
    return level if new is None or new == nearest else count_from(new, _down(nearest, level))


def _down(start: Level, level: Level) -> int:
    """Vertebrae from one level down to another; negative upwards."""
    if start in LEVEL_ORDER and level in LEVEL_ORDER:
        return LEVEL_ORDER.index(level) - LEVEL_ORDER.index(start)
    upper, lower = sorted((start, level), key=lambda v: v.rank)
    return steps(upper, lower) * (1 if lower == level else -1)
