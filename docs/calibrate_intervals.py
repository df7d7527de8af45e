"""How wide intervals have to be in masks that the network drew, from rendered people who are in no table.

Prints, for heights at the rims of the endplates and for angles, which share of truths the intervals cover as they are,
and the standard deviation of a rim (``interval.mask_rim`` in ``norms.csv``, mm) that would make it 95 %. A row of
``norms.csv`` is changed by hand, with what was printed.
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
    from spinemri.segment.predictor import Predictor

FIRST_SEED = 8000  # the tables begin with 9000
NAMES = ("anterior_height", "middle_height", "posterior_height", "wedge_angle", "height_loss_pct", "slip_mm")
RIMS = ("anterior_height", "posterior_height")
_loaded: list[Predictor] = []


def main() -> None:
    """Score and print."""
    options = _options()
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), _load) as pool:
        scores = list(pool.map(_score, range(FIRST_SEED, FIRST_SEED + options.people)))
    compared = [one for score in scores for one in score.compared]
    for name in NAMES:
        mine = [one for one in compared if one.name == name]
        if not mine:
            continue
        errors = np.array([one.error for one in mine])
        sds = np.array([(one.high - one.low) / 2 / 1.96 for one in mine])
        covered = float(np.mean([one.covered for one in mine]))
        more = _wanting(errors, sds) / np.sqrt(2)
        told = f"; sd of a rim for 95 %: {more:.2f} mm" if name in RIMS else ""
        print(f"{name}: {len(mine)}, covered {covered:.0%}, mean absolute error {np.abs(errors).mean():.2f}{told}")


def _wanting(errors: np.ndarray, sds: np.ndarray) -> float:
    """Standard deviation to add, in squares, so that 95 % of the errors lie within 1.96 of the sum."""
    steps = np.arange(0.0, 5.0, 0.02)
    return float(next((s for s in steps if np.mean(np.abs(errors) <= 1.96 * np.hypot(sds, s)) >= 0.95), steps[-1]))


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
