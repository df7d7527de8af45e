"""Naming is decoding: the bodies of a column, head to foot, walk down the ladder of levels, one rung each.

Numbering variants are kinds of people with a ladder of their own, as many as there are (``ladder.py``). Evidence for
each body is a row of log-likelihoods over levels; rows of any origin add up. The best walk gives the names (Viterbi),
the sum over all walks gives how sure each name is (forward-backward). The sum also holds walks in which a vertebra was
missed or counted twice, so that a long count is less sure than a short one. Looks alone leave variants nearly as likely
as they are among people.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from spinemri.segment.ladder import LADDER, LOOKS, MISCOUNT, START, steps_of_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level

    Floats = NDArray[np.float64]

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
    looks = np.zeros((1, *rows.shape)) if looks is None else looks
    evidence = rows + np.moveaxis(looks[:, :, LOOKS], 2, 0)
    peak = evidence.max(axis=(0, 1, 3))
    if not np.all(np.isfinite(peak)):
        return None
    down = [steps_of_each(gap, doubt=chance) for gap, chance in zip(gaps, doubt, strict=True)]
    posterior, ideas = _all_walks(np.exp(evidence - peak[:, None]), down)
    best = int(np.logaddexp.reduce(ideas, axis=0).argmax())
    exact = [steps_of_each(gap, doubt=0.0) for gap in gaps]
    walks = [_best_walk(likely[best], who, exact) for who, likely in enumerate(evidence)]
    score, who = max((score, who) for who, (score, _) in enumerate(walks))
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
    alike = LOOKS[:, None, :] == LOOKS[who][walk][None, :, None]
    alike[:, places, walk] = True
    levels = posterior.sum(axis=0)
    looks = (posterior * alike).sum(axis=(0, 2))
    return Decoding(tuple(LADDER[rung] for rung in walk), levels, levels[places, walk], looks)


def _all_walks(likelihood: Floats, down: list[Floats]) -> tuple[Floats, Floats]:
    """Posterior (people, n, levels) summed over ideas and walks, and log-likelihood (people, m) of people and idea."""
    forward, backward = likelihood.copy(), np.ones_like(likelihood)
    forward[:, :, 0] *= START[:, None]
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
        score, back = rows[0] + np.log(START[who]), []
        for row, step in zip(rows[1:], exact, strict=True):
            options = score[:, None] + np.log(step[who])
            back.append(options.argmax(axis=0))
            score = options.max(axis=0) + row
    walk = [int(score.argmax())]
    for pointers in reversed(back):
        walk.append(int(pointers[walk[-1]]))
    return float(score.max()), np.array(walk[::-1])
