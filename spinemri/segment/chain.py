"""Naming is decoding: the bodies of a column, head to foot, walk down the ladder of levels, one rung each.

Eleven or thirteen thoracic, four or six lumbar vertebrae are rungs left out or added, with the share of people who have
them. Evidence for each body is a row of log-likelihoods over levels; rows of any origin add up. The best walk gives
the names (Viterbi), the sum over all walks gives how sure each name is (forward-backward). The sum also holds walks in
which a vertebra was missed or counted twice, so that a long count is less sure than a short one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
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
    """

    levels: tuple[Level, ...]
    posterior: Floats
    confidence: Floats

    @property
    def expected_share(self) -> float:
        """Share of the names that is expected to be right."""
        return float(self.confidence.mean())


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
_START = np.ones(len(LADDER))
for _name, _share in (
    ("T12", 1 - FEWER_THORACIC),
    ("T13", EXTRA_THORACIC),
    ("L5", 1 - FEWER_LUMBAR),
    ("L6", EXTRA_LUMBAR),
):
    _START[RUNG[Level(_name)]] = _share
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


def decode(rows: Floats, slots: Sequence[int], doubt: Sequence[float] | None = None) -> Decoding | None:
    """Names of bodies from their rows of evidence.

    Parameters
    ----------
    rows : (n, len(LADDER)) or (m, n, len(LADDER)) log-likelihoods; with m, the rows under each of m equally likely
        ideas about the person (size, for instance), over which the sum is taken
    slots : (n,) place of each body in the count, ascending; skipped numbers are vertebrae that were not found
    doubt : (n - 1,) chance of a miscount in each step; ``MISCOUNT`` when None

    Returns
    -------
    The decoding, or None when no walk fits (a user's word and the count contradict each other, or too many bodies).
    """
    rows = rows[None] if rows.ndim == 2 else rows
    gaps = [after - before for before, after in pairwise(slots)]
    doubt = [MISCOUNT] * len(gaps) if doubt is None else doubt
    down = [steps_down(gap, doubt=chance) for gap, chance in zip(gaps, doubt, strict=True)]
    peak = rows.max(axis=(0, 2))
    if not np.all(np.isfinite(peak)):
        return None
    likelihood = np.exp(rows - peak[:, None])
    posterior, ideas = _all_walks(likelihood, down)
    walk = _best_walk(rows[int(ideas.argmax())], [steps_down(gap, doubt=0.0) for gap in gaps])
    if walk is None or not np.isfinite(ideas.max()):
        return None
    return Decoding(tuple(LADDER[rung] for rung in walk), posterior, posterior[np.arange(len(walk)), walk])


def _all_walks(likelihood: Floats, down: list[Floats]) -> tuple[Floats, Floats]:
    """Posterior (n, levels) summed over ideas and walks, and each idea's log-likelihood (m,)."""
    forward, backward = likelihood.copy(), np.ones_like(likelihood)
    forward[:, 0] *= _START
    log = np.zeros(len(likelihood))
    for n in range(likelihood.shape[1]):
        if n:
            forward[:, n] *= forward[:, n - 1] @ down[n - 1]
        total = forward[:, n].sum(axis=1)
        with np.errstate(divide="ignore"):
            log += np.log(total)
        forward[:, n] /= np.maximum(total, _TINY)[:, None]
    for n in range(likelihood.shape[1] - 2, -1, -1):
        backward[:, n] = (backward[:, n + 1] * likelihood[:, n + 1]) @ down[n].T
        backward[:, n] /= np.maximum(backward[:, n].sum(axis=1, keepdims=True), _TINY)
    both = forward * backward
    both /= np.maximum(both.sum(axis=2, keepdims=True), _TINY)
    top = float(log.max()) if np.isfinite(log.max()) else 0.0
    weight = np.exp(log - top)
    return np.tensordot(weight / max(float(weight.sum()), _TINY), both, axes=1), log


def _best_walk(rows: Floats, exact: list[Floats]) -> NDArray[np.intp] | None:
    """Rungs of the likeliest walk without a miscount (Viterbi); None when there is none."""
    score, back = rows[0] + np.log(_START), []
    for row, step in zip(rows[1:], exact, strict=True):
        with np.errstate(divide="ignore"):
            options = score[:, None] + np.log(step)
        back.append(options.argmax(axis=0))
        score = options.max(axis=0) + row
    if not np.isfinite(score.max()):
        return None
    walk = [int(score.argmax())]
    for pointers in reversed(back):
        walk.append(int(pointers[walk[-1]]))
    return np.array(walk[::-1])
