"""Naming is decoding: the bodies of a column, head to foot, walk down the ladder of levels, one rung each.

Eleven or thirteen thoracic, four or six lumbar vertebrae are rungs left out or added, with the share of people who have
them. Evidence for each body is a row of log-likelihoods over levels; rows of any origin add up. The best walk gives
the names (Viterbi), the sum over all walks gives how sure each name is (forward-backward). The sum also holds walks in
which a vertebra was missed or counted twice, so that a long count is less sure than a short one.

What a body looks like hardly tells who has one vertebra more or fewer: no network here has learnt from such people, and
the last lumbar vertebra looks like L5 whatever its number. So in most of them looks count for the usual level as far
from the sacrum, from T7 down, and from C2 above it. A lumbar series leaves variants nearly as likely as they are
among people.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

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

_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Decoding:
    """The best walk down the ladder.

    Parameters
    ----------
    levels : name of each body, head to foot
    posterior : (n, len(LADDER)) probability of each level for each body, all walks counted
    confidence : (n,) posterior of the chosen names
    alike : (n,) probability that each body has its chosen name, or looks like it in people with another number
    """

    levels: tuple[Level, ...]
    posterior: Floats
    confidence: Floats
    alike: Floats

    @property
    def expected_share(self) -> float:
        """Share of the names that is expected to be right if the person has the vertebrae that these names say."""
        return float(self.alike.mean())


def _one_step() -> Floats:
    """(from, to) probability of the next level below."""
    table = np.zeros((len(LADDER), len(LADDER)))

    def put(upper: str, **lower: float) -> None:
        for name, share in lower.items():
            table[RUNG[Level(upper)], RUNG[Level(name)]] = share

    for upper, lower in pairwise(LADDER):
        put(upper.name, **{lower.name: 1.0})
    put("T11", T12=1 - FEWER_THORACIC, L1=FEWER_THORACIC)
    put("T12", T13=EXTRA_THORACIC, L1=1 - EXTRA_THORACIC)
    put("L4", L5=1 - FEWER_LUMBAR, S1=FEWER_LUMBAR)
    put("L5", L6=EXTRA_LUMBAR, S1=1 - EXTRA_LUMBAR)
    return table


_STEP = _one_step()


@dataclass(frozen=True, eq=False)
class _People:
    """People with the same vertebrae, which look alike.

    Parameters
    ----------
    share : of all people
    has : (len(LADDER),) whether they have this level
    step : (from, to) 1 where a level is the next one below
    looks : (len(LADDER),) rung whose looks each of their levels has
    """

    share: float
    has: NDArray[np.bool_]
    step: Floats
    looks: NDArray[np.intp]


def _people(thoracic: int, lumbar: int, share: float) -> list[_People]:
    """Those with so many vertebrae: whose levels look as they are called, or as usual ones as far from the sacrum."""
    has = np.array([v.number <= {"T": thoracic, "L": lumbar}.get(v.region, v.number) for v in LADDER])
    rungs, usual = np.flatnonzero(has), [n for n, v in enumerate(LADDER) if v.name not in _NOT_USUAL]
    step = np.zeros((len(LADDER), len(LADDER)))
    step[rungs[:-1], rungs[1:]] = 1.0
    more = thoracic + lumbar - _USUAL_COUNT
    as_called, as_counted = np.arange(len(LADDER)), np.arange(len(LADDER))
    for place, rung in enumerate(rungs):
        as_counted[rung] = usual[place if LADDER[rung] <= _COUNTED_FROM_ABOVE else place - more]
    if (thoracic, lumbar) == (12, 5):
        return [_People(share, has, step, as_called)]
    called = _People((1 - _AS_COUNTED) * share, has, step, as_called)
    return [called, _People(_AS_COUNTED * share, has, step, as_counted)]


_NOT_USUAL, _USUAL_COUNT = ("T13", "L6"), 17
_COUNTED_FROM_ABOVE = Level("T6")
_AS_COUNTED = 0.8
"""Of people with another number (a choice): in lumbar images of such painted people the level reader was always one
off and as sure as in others, in images from C2 to the sacrum it was mostly right."""
_THORACIC = {
    11: FEWER_THORACIC,
    12: (1 - FEWER_THORACIC) * (1 - EXTRA_THORACIC),
    13: (1 - FEWER_THORACIC) * EXTRA_THORACIC,
}
_LUMBAR = {4: FEWER_LUMBAR, 5: (1 - FEWER_LUMBAR) * (1 - EXTRA_LUMBAR), 6: (1 - FEWER_LUMBAR) * EXTRA_LUMBAR}
_EVERYONE = tuple(
    people for (t, a), (n, b) in product(_THORACIC.items(), _LUMBAR.items()) for people in _people(t, n, a * b)
)
_SHARES = np.array([people.share for people in _EVERYONE])
_HAS = np.stack([people.has for people in _EVERYONE]).astype(float)
_STEPS = np.stack([people.step for people in _EVERYONE])
_LOOKS = np.stack([people.looks for people in _EVERYONE])
_START = _SHARES[:, None] * _HAS
_START /= _START.sum()


def steps_down(count: int, *, doubt: float = MISCOUNT) -> Floats:
    """(from, to) probability of going down ``count`` levels when ``doubt`` is the chance of one more or one less."""
    exact = np.linalg.matrix_power(_STEP, count)
    if doubt <= 0:
        return np.asarray(exact)
    more, less = np.linalg.matrix_power(_STEP, count + 1), np.linalg.matrix_power(_STEP, count - 1)
    return np.asarray((1 - 2 * doubt) * exact + doubt * (more + less))


def above_s1(count: int) -> Floats:
    """(len(LADDER),) probability of each level that S1 lies ``count`` places below it; negative is above it."""
    s1 = RUNG[Level("S1")]
    steps = np.linalg.matrix_power(_STEP, abs(count))
    return np.asarray(steps[:, s1] if count >= 0 else steps[s1])


def decode(
    rows: Floats, slots: Sequence[int], doubt: Sequence[float] | None = None, looks: Floats | None = None
) -> Decoding | None:
    """Names of bodies from their rows of evidence.

    Parameters
    ----------
    rows : (n, len(LADDER)) log-likelihoods of names
    slots : (n,) place of each body in the count, ascending; skipped numbers are vertebrae that were not found
    doubt : (n - 1,) chance of a miscount in each step; ``MISCOUNT`` when None
    looks : (m, n, len(LADDER)) log-likelihoods of usual levels that the bodies look like, under each of m equally
        likely ideas about the person (size, for instance), over which the sum is taken

    Returns
    -------
    The decoding, or None when no walk fits (a user's word and the count contradict each other, or too many bodies).
    """
    gaps = [after - before for before, after in pairwise(slots)]
    doubt = [MISCOUNT] * len(gaps) if doubt is None else doubt
    evidence = rows + (np.zeros((1, 1, *rows.shape)) if looks is None else np.moveaxis(looks[:, :, _LOOKS], 2, 0))
    peak = evidence.max(axis=(0, 1, 3))
    if not np.all(np.isfinite(peak)):
        return None
    likelihood = np.broadcast_to(np.exp(evidence - peak[:, None]), (len(_EVERYONE), *evidence.shape[1:]))
    down = [_down(gap, chance) for gap, chance in zip(gaps, doubt, strict=True)]
    posterior, ideas = _all_walks(likelihood, down)
    best = int(np.logaddexp.reduce(ideas, axis=0).argmax())
    exact = [_down(gap, 0.0) for gap in gaps]
    walks = [_best_walk(evidence[v % len(evidence), best], v, exact) for v in range(len(_EVERYONE))]
    score, who = max((walk[0], v) for v, walk in enumerate(walks))
    if not np.isfinite(score) or not np.isfinite(ideas.max()):
        return None
    return _decoding(walks[who][1], who, posterior)


def _decoding(walk: NDArray[np.intp], who: int, posterior: Floats) -> Decoding:
    """The walk of some people with how sure its names are, and how sure what its bodies look like.

    Parameters
    ----------
    posterior : (people, n, len(LADDER))
    """
    places = np.arange(len(walk))
    alike = _LOOKS[:, None, :] == _LOOKS[who][walk][None, :, None]
    alike[:, places, walk] = True
    levels = posterior.sum(axis=0)
    looks = (posterior * alike).sum(axis=(0, 2))
    return Decoding(tuple(LADDER[rung] for rung in walk), levels, levels[places, walk], looks)


def _down(count: int, doubt: float) -> Floats:
    """(people, from, to) probability of going down ``count`` levels, in each kind of people; see ``steps_down``."""
    exact = np.linalg.matrix_power(_STEPS, count)
    if doubt <= 0:
        return np.asarray(exact)
    more, less = np.linalg.matrix_power(_STEPS, count + 1), np.linalg.matrix_power(_STEPS, count - 1)
    return np.asarray((1 - 2 * doubt) * exact + doubt * (more + less))


def _all_walks(likelihood: Floats, down: list[Floats]) -> tuple[Floats, Floats]:
    """Posterior (people, n, levels) summed over ideas and walks, and log-likelihood (people, m) of people and idea."""
    forward, backward = likelihood.copy(), np.ones_like(likelihood)
    forward[:, :, 0] *= _START[:, None]
    log = np.zeros(likelihood.shape[:2])
    for n in range(likelihood.shape[2]):
        if n:
            forward[:, :, n] *= forward[:, :, n - 1] @ down[n - 1]
        total = forward[:, :, n].sum(axis=2)
        with np.errstate(divide="ignore"):
            log += np.log(total)
        forward[:, :, n] /= np.maximum(total, _TINY)[..., None]
    for n in range(likelihood.shape[2] - 2, -1, -1):
        backward[:, :, n] = (backward[:, :, n + 1] * likelihood[:, :, n + 1]) @ down[n].swapaxes(1, 2)
        backward[:, :, n] /= np.maximum(backward[:, :, n].sum(axis=2, keepdims=True), _TINY)
    both = forward * backward
    both /= np.maximum(both.sum(axis=3, keepdims=True), _TINY)
    top = float(log.max()) if np.isfinite(log.max()) else 0.0
    weight = np.exp(log - top)
    weight /= max(float(weight.sum()), _TINY)
    return np.einsum("vm,vmnl->vnl", weight, both), log


def _best_walk(rows: Floats, who: int, exact: list[Floats]) -> tuple[float, NDArray[np.intp]]:
    """Score and rungs of the likeliest walk of some people without a miscount (Viterbi); -inf when there is none."""
    with np.errstate(divide="ignore"):
        score, back = rows[0] + np.log(_START[who]), []
        for row, step in zip(rows[1:], exact, strict=True):
            options = score[:, None] + np.log(step[who])
            back.append(options.argmax(axis=0))
            score = options.max(axis=0) + row
    walk = [int(score.argmax())]
    for pointers in reversed(back):
        walk.append(int(pointers[walk[-1]]))
    return float(score.max()), np.array(walk[::-1])
