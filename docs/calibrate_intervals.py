"""How wide intervals have to be in masks that the network drew, from rendered people who are in no table.

Prints for every measurement which share of truths the intervals cover as they are, and how many times as wide they
would have to be to cover 95 %; how far the narrowest sacs are off; and how many large bulges of discs are seen. Rows
``interval.mask_…`` of ``norms.csv`` are changed by hand, with what was printed.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

from spinemri.evaluate.measured_images import ImageScore, score_image
from spinemri.networks import default_predictor

if TYPE_CHECKING:
    from spinemri.evaluate.measurements import Compared
    from spinemri.segment.predictor import Predictor

FIRST_SEED = 8000  # the tables begin with 9000
_NOTHING = 1e-9
_NO_BULGE_MM, _SEEN_MM, _LARGE_MM = 0.8, 1.5, 2.5
_SAC, _TIGHT = ("dural_sac_ap", "dural_sac_area"), 0.15  # of the sacs, those that matter most
_loaded: list[Predictor] = []


def main() -> None:
    """Score and print."""
    options = _options()
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), _load) as pool:
        scores = list(pool.map(_score, range(FIRST_SEED, FIRST_SEED + options.people)))
    compared = [one for score in scores for one in score.compared]
    _tell_intervals(compared)
    _tell_sacs(compared)
    _tell_bulges(compared)


def _tell_intervals(compared: list[Compared]) -> None:
    for name in dict.fromkeys(one.name for one in compared):
        mine = [one for one in compared if one.name == name]
        errors = np.abs([one.error for one in mine])
        halves = np.array([(one.high - one.low) / 2 for one in mine])
        covered = float(np.mean([one.covered for one in mine]))
        times = float(np.quantile(errors / np.maximum(halves, _NOTHING), 0.95))
        print(
            f"{name}: {len(mine)}, covered {covered:.0%}, mean absolute error {errors.mean():.2f}; "
            f"{times:.2f} times as wide for 95 %"
        )


def _tell_sacs(compared: list[Compared]) -> None:
    for name in _SAC:
        tight = sorted((one for one in compared if one.name == name), key=lambda one: one.true)
        tight = tight[: round(_TIGHT * len(tight))]
        if tight:
            print(f"{name}, the narrowest {len(tight)}: bias {np.mean([one.error for one in tight]):.2f}")


def _tell_bulges(compared: list[Compared]) -> None:
    bulges = [one for one in compared if one.name == "disc_bulge_mm"]
    large, none = ([one for one in bulges if one.true > _LARGE_MM], [one for one in bulges if one.true < _NO_BULGE_MM])
    for what, some in ((f"above {_LARGE_MM} mm", large), (f"below {_NO_BULGE_MM} mm", none)):
        if some:
            seen, bias = sum(one.found > _SEEN_MM for one in some), np.mean([one.error for one in some])
            print(f"bulges {what}: {len(some)}, {seen} found above {_SEEN_MM} mm, bias {bias:.2f}")


def _load() -> None:
    _loaded[:] = [default_predictor(threads=1)]


def _score(seed: int) -> ImageScore:
    return score_image(seed, _loaded[0])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
