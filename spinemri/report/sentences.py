"""Sentences that know what they rest on, and how levels and lists are written out.

Levels that follow each other in this spine are joined (T12-L3); the order is the patient's, so a spine with L6 or
without T12 reads right.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from spinemri.report.phrases import phrases

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from spinemri.anatomy import Level
    from spinemri.measurement import Measurement

    Place = tuple[Level, ...]


@dataclass(frozen=True)
class Sentence:
    """One statement and the ids (findings, measurements, series labels) it rests on; ``tone`` is for display only.

    ``tone`` is '' for plain text, 'urgent', 'abnormal', 'borderline' or 'limit'.
    """

    text: str
    evidence: tuple[str, ...] = ()
    tone: str = ""


@dataclass(frozen=True)
class Section:
    """A heading with its sentences; ``parts`` are sub-sections."""

    title: str
    sentences: tuple[Sentence, ...] = ()
    parts: tuple[Section, ...] = ()


def level_ranges(levels: Collection[Level], spine: Sequence[Level]) -> str:
    """'T12-L3, L5': the levels in the order of this spine, neighbours joined."""
    runs: list[list[Level]] = []
    previous: Level | None = None
    for level in spine:
        if level in levels:
            if runs and previous == runs[-1][-1]:
                runs[-1].append(level)
            else:
                runs.append([level])
        previous = level
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def place_ranges(places: Collection[Place], others: Collection[Place], spine: Sequence[Level]) -> str:
    """'T11 to T12-L1, L2': places along the canal, neighbours joined; never across one of ``others`` or of none.

    Parameters
    ----------
    places : a level for mid-body, both levels for a disc
    others : places of which something else is said
    spine : levels of this spine, head to foot
    """
    at = {level: 2 * n for n, level in enumerate(spine)}
    where = {place: at[place[0]] + len(place) - 1 for place in {*places, *others} if place and place[0] in at}
    order = sorted(where, key=lambda place: where[place])
    runs: list[list[Place]] = []
    for previous, place in pairwise((None, *order)):
        if place is None or place not in places:
            continue
        if runs and previous == runs[-1][-1] and where[place] - where[runs[-1][-1]] <= 2:
            runs[-1].append(place)
        else:
            runs.append([place])
    named = [["-".join(map(str, place)) for place in (run[0], run[-1])] for run in runs]
    return ", ".join(
        first if first == last else phrases.FROM_TO.format(first=first, last=last) for first, last in named
    )


def ids(measurements: Collection[Measurement]) -> tuple[str, ...]:
    """The measurements' ids."""
    return tuple(m.id for m in measurements)
