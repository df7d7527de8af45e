"""How far sizes of lesions repeat that the network outlined, from synthetic people who are in no table.

Each person has two lesions that do not change and is examined on several days: posture, slice position, slice distance,
pixels, signals and noise differ. Masks of the anatomy are true, outlines of lesions are the network's. Printed for
every size of a lesion: how many pairs, how many lie beyond the minimal detectable change, and the standard deviation of
one value, the root mean square of the differences over the root of 2; for volumes in percent of their mean. Outlines
of which a part is lost now and then count, for they are what a follow-up would call a change.
The rows ``repeatability.lesion_*`` of ``norms.csv`` are changed by hand, with what was printed.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.compare.quantities import LESION_SIZES
from spinemri.compare.study import Examination, compare_examinations
from spinemri.evaluate.follow_up import Acquired, State, examined
from spinemri.networks import lesion_predictor
from spinemri.series import Contrast
from spinemri.synthesis import morphometry as sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spinemri.segment.lesion_predictor import LesionPredictor

FIRST_SEED = 58_000  # the table of follow-up begins with 52000
REGIONS = ((sizes.T12, sizes.S1), (sizes.T1 + 5, sizes.T1 + 9))
CONTRASTS = (Contrast.T1W, Contrast.STIR)


class Pair(NamedTuple):
    """One size of a lesion on two days, the least that would be called a change, and what was called."""

    name: str
    values: tuple[float, float]
    mdc: float
    called: bool


def main() -> None:
    """Compare and print."""
    options = _options()
    predictor, found = lesion_predictor(device=options.device), []
    for seed in range(FIRST_SEED, FIRST_SEED + options.people):
        found += pairs(seed, predictor, options.days)
        print(f"{seed - FIRST_SEED + 1} of {options.people} people", flush=True)
    for name in LESION_SIZES:
        mine = [one for one in found if one.name == name]
        if not mine:
            continue
        values = np.array([one.values for one in mine])
        scale = values.mean(axis=1) / 100 if name == "lesion_volume" else np.ones(len(values))
        sd = float(np.sqrt(np.mean((np.diff(values, axis=1)[:, 0] / scale) ** 2) / 2))
        beyond = sum(one.called for one in mine)
        print(f"{name}: {len(mine)} pairs, {beyond} called a change, standard deviation {sd:.3g}")


def pairs(seed: int, predictor: LesionPredictor, days: int) -> Iterator[Pair]:
    """Sizes of the lesions of one person on every pair of days."""
    rng = np.random.default_rng([seed, 82])
    low, high = REGIONS[seed % len(REGIONS)]
    state = State({}, {int(n): float(rng.uniform(6, 11)) for n in rng.choice(np.arange(low, high), 2, replace=False)})
    cases = []
    for day in range(days):
        spacing, pixel, offset = rng.uniform((3.3, 0.65, -2.2), (5.0, 1.0, 2.2)).tolist()
        how = Acquired(spacing, pixel, offset, (low, high), contrasts=CONTRASTS, posture=day, look=day)
        cases.append(Examination(examined(seed, state, how, predictor)))
    for one, other in combinations(cases, 2):
        for change in compare_examinations((one, other)).comparison.steps[0].changes:
            if change.name in LESION_SIZES and None not in (change.baseline, change.later, change.mdc):
                values = float(change.baseline or 0.0), float(change.later or 0.0)
                yield Pair(change.name, values, float(change.mdc or 0.0), change.verdict.called)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--days", type=int, default=3, help="examinations of each")
    parser.add_argument("--device", default="auto", help="of the network")
    return parser.parse_args()


if __name__ == "__main__":
    main()
