"""The levels that bodies walk down, who has which of them, and what theirs look like.

Eleven or thirteen thoracic, four or six lumbar vertebrae are rungs left out or added, with the share of people who have
them. What a body looks like hardly tells who has one vertebra more or fewer: no network here has learnt from such
people, and the last lumbar vertebra looks like L5 whatever its number. So in most of them a level looks like the usual
one as far from the sacrum, from T7 down, and from C2 above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LADDER: tuple[Level, ...] = tuple(
    Level(f"{region}{n}")
    for region, numbers in (("C", range(2, 8)), ("T", range(1, 14)), ("L", range(1, 7)), ("S", range(1, 6)))
    for n in numbers
)
"""Every level that a body can have, C2 to S5 with T13 and L6; C1 has no body."""

RUNG: dict[Level, int] = {level: n for n, level in enumerate(LADDER)}

# Presacral vertebrae on whole-spine MR of 418 patients: 5.3 % have one more, 5.3 % one fewer (Tins & Balain, Insights
# Imaging 2016;7:199). Which region differs: of 5 people with one more 4 had L6, 1 had T13; of 7 with one fewer 5 lacked
# T12, 2 lacked L5 (Carrino et al., Radiology 2011;259:196).
EXTRA_LUMBAR, EXTRA_THORACIC = 0.042, 0.011
FEWER_LUMBAR, FEWER_THORACIC = 0.015, 0.038

MISCOUNT = 0.001
"""Chance per step that a vertebra was missed, or one counted twice, without a sign of it (a choice: 1 in 20 spines)."""

_THORACIC = {
    11: FEWER_THORACIC,
    12: (1 - FEWER_THORACIC) * (1 - EXTRA_THORACIC),
    13: (1 - FEWER_THORACIC) * EXTRA_THORACIC,
}
_LUMBAR = {4: FEWER_LUMBAR, 5: (1 - FEWER_LUMBAR) * (1 - EXTRA_LUMBAR), 6: (1 - FEWER_LUMBAR) * EXTRA_LUMBAR}
_USUAL = 12, 5
_COUNTED_FROM_ABOVE = Level("T6")

_AS_COUNTED = 0.8
"""Of people with another number (a choice): in lumbar images of such painted people the level reader was always one
off and as sure as in others, in images from C2 to the sacrum it was mostly right."""


@dataclass(frozen=True, eq=False)
class _People:
    """People with the same vertebrae, which look alike.

    Parameters
    ----------
    has : (len(LADDER),) their share of all people at the levels that they have, else 0
    step : (from, to) 1 where a level is the next one below
    looks : (len(LADDER),) rung whose looks each of their levels has
    """

    has: Floats
    step: Floats
    looks: NDArray[np.intp]


def _rungs(thoracic: int, lumbar: int) -> NDArray[np.intp]:
    """Those that people with so many vertebrae have, head to foot."""
    last = {"T": thoracic, "L": lumbar}
    return np.array([rung for rung, level in enumerate(LADDER) if level.number <= last.get(level.region, level.number)])


def _people(thoracic: int, lumbar: int, share: float) -> list[_People]:
    """Those with so many vertebrae: whose levels look as they are called, or as usual ones as far from the sacrum."""
    rungs, usual = _rungs(thoracic, lumbar), _rungs(*_USUAL)
    has, step = np.zeros(len(LADDER)), np.zeros((len(LADDER), len(LADDER)))
    has[rungs], step[rungs[:-1], rungs[1:]] = share, 1.0
    as_called = np.arange(len(LADDER))
    if (thoracic, lumbar) == _USUAL:
        return [_People(has, step, as_called)]
    more, as_counted = thoracic + lumbar - sum(_USUAL), as_called.copy()
    for place, rung in enumerate(rungs):
        as_counted[rung] = usual[place if LADDER[rung] <= _COUNTED_FROM_ABOVE else place - more]
    return [_People((1 - _AS_COUNTED) * has, step, as_called), _People(_AS_COUNTED * has, step, as_counted)]


_EVERYONE = tuple(
    people for (t, a), (n, b) in product(_THORACIC.items(), _LUMBAR.items()) for people in _people(t, n, a * b)
)
_STEPS = np.stack([people.step for people in _EVERYONE])

LOOKS = np.stack([people.looks for people in _EVERYONE])
"""(people, len(LADDER)) rung whose looks a level has, in each kind of people."""

START = np.stack([people.has for people in _EVERYONE])
START /= START.sum()
"""(people, len(LADDER)) probability of kind of people and level of a body of which nothing is known."""


def steps_of_each(count: int, *, doubt: float = MISCOUNT) -> Floats:
    """(people, from, to) probability of going down ``count`` levels in each kind of people.

    ``doubt`` is the chance of one more and of one less.
    """
    exact = np.linalg.matrix_power(_STEPS, count)
    if doubt <= 0:
        return np.asarray(exact)
    more, less = np.linalg.matrix_power(_STEPS, count + 1), np.linalg.matrix_power(_STEPS, count - 1)
    return np.asarray((1 - 2 * doubt) * exact + doubt * (more + less))


def steps_down(count: int, *, doubt: float = MISCOUNT) -> Floats:
    """(from, to) the same among all people who have the level that the way starts from."""
    of_all = (START[:, :, None] * steps_of_each(count, doubt=doubt)).sum(axis=0)
    return np.asarray(of_all / START.sum(axis=0)[:, None])


def above_s1(count: int) -> Floats:
    """(len(LADDER),) probability of each level that S1 lies ``count`` places below it; negative is above it."""
    s1 = RUNG[Level("S1")]
    steps = steps_down(abs(count), doubt=0.0)
    return np.asarray(steps[:, s1] if count >= 0 else steps[s1])
