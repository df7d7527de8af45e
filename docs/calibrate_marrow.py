"""Fit the lesion bundle's calibration, operating point and detection limits, on people and subjects kept for tuning.

Writes them into the bundle's metadata. Validation people and the subjects of ``make prove`` are never looked at here.
"""

from __future__ import annotations

import argparse
import json
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from spinemri.evaluate.marrow import area_under_curve, calibration_error, operating_point, sensitivity
from spinemri.evaluate.marrow_sets import SEQUENCES, Run, runs, score_run
from spinemri.networks import default_predictor, lesion_predictor
from spinemri.segment.bundle import METADATA
from spinemri.segment.lesion_input import CHANNEL_OF, CHANNELS
from spinemri.segment.lesion_model import Calibration, load_lesion_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.evaluate.marrow import MarrowScore

_ALLOWED = 0.15  # tumour-like false positives per healthy study
_WANTED = 0.9
_LEAST_POINT = 0.35  # least operating point, whatever the false positives here; that of benign changes
_SIZES_MM = np.arange(5.0, 26.0, 1.0)
_ENOUGH = 12
_loaded: list[object] = []


def main() -> None:
    """Run, fit, write."""
    options = _options()
    healthy = options.healthy or options.people  # they decide the operating point: a rare false alarm needs many
    plan = [*runs("healthy", healthy, tuning=True), *runs("kinds", options.people, tuning=True)]
    for sequences in SEQUENCES:
        plan += runs("tumours", options.people // 2, tuning=True, sequences=sequences)
    if options.data.is_dir():
        plan += [*runs("clean", 1, tuning=True), *runs("implants", options.images, tuning=True)]
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), _load) as pool:
        scores = list(pool.map(_score, plan, [options.data] * len(plan)))
    calibration = fit(scores)
    recalibrated = [_with(calibration, score) for score in scores]
    # real people as they are count as a group of their own: simulated ones are many and easy
    groups = [[s for r, s in zip(plan, recalibrated, strict=True) if r.what == what] for what in ("healthy", "clean")]
    point = max(*(operating_point(group, _ALLOWED) for group in groups if group), _LEAST_POINT)
    limits = {}
    for sequences in SEQUENCES:
        key = "+".join(sorted((CHANNEL_OF[c] for c in sequences), key=CHANNELS.index))
        chosen = [
            s for r, s in zip(plan, recalibrated, strict=True) if r.what == "tumours" and r.sequences == sequences
        ]
        limits[key] = detection_limit(chosen, point)
    probabilities, outcomes = _pairs(recalibrated)
    print(f"{len(plan)} runs, {len(outcomes)} candidates; calibration {calibration}; operating point {point:.3f}")
    print(f"expected calibration error here {calibration_error(probabilities, outcomes):.3f}; limits {limits}")
    print(f"AUC of candidates {area_under_curve(*_parted(probabilities, outcomes)):.3f}")
    print(f"sensitivity at 1 mL and more {sensitivity(recalibrated, point, (1000.0, 1e9))}")
    points = {"operating_point": round(point, 4), "benign_point": _LEAST_POINT}
    _write({"calibration": vars(calibration), **points, "detection_limits_mm": limits})


def fit(scores: Sequence[MarrowScore]) -> Calibration:
    """Logistic calibration that makes the candidates' outcomes most likely, held a little towards a flat line.

    Of two candidates as clear, the larger one is never called the less likely.
    """
    found = [f for s in scores for f in s.found]
    means = np.clip([f.mean for f in found], 1e-4, 1 - 1e-4)
    table = np.stack([np.ones(len(found)), np.log(means / (1 - means)), np.log([f.volume_mm3 for f in found])], axis=1)
    true = np.array([f.true for f in found], dtype=float)

    def cost(weights: np.ndarray) -> float:
        odds = table @ weights
        return float(np.mean(np.logaddexp(0, odds) - true * odds) + 1e-3 * np.sum(weights[1:] ** 2))

    best = optimize.minimize(cost, np.array([0.0, 1.0, 0.2]), bounds=[(None, None), (0, None), (0, None)]).x
    return Calibration(*(round(float(v), 4) for v in best))


def detection_limit(scores: Sequence[MarrowScore], point: float) -> float | None:
    """Smallest diameter (mm, of a ball of the lesion's volume) from which 9 in 10 are found; None if there is none."""
    for diameter in _SIZES_MM:
        share, count = sensitivity(scores, point, (math.pi / 6 * diameter**3, 1e9))
        if count < _ENOUGH:
            return None
        if share >= _WANTED:
            return float(diameter)
    return None


def _with(calibration: Calibration, score: MarrowScore) -> MarrowScore:
    """The score with its probabilities calibrated anew; those of known lesions follow from what found them."""
    found = tuple(replace(f, probability=calibration.probability(f.mean, f.volume_mm3)) for f in score.found)
    new = dict(zip([f.probability for f in score.found], [f.probability for f in found], strict=True))
    known = tuple(
        replace(k, probability=new.get(k.probability, 0.0), tumour_probability=new.get(k.tumour_probability, 0.0))
        for k in score.known
    )
    return replace(score, found=found, known=known)


def _pairs(scores: Sequence[MarrowScore]) -> tuple[list[float], list[bool]]:
    found = [f for s in scores for f in s.found]
    return [f.probability for f in found], [f.true for f in found]


def _parted(values: Sequence[float], outcomes: Sequence[bool]) -> tuple[list[float], list[float]]:
    pairs = list(zip(values, outcomes, strict=True))
    return [v for v, o in pairs if o], [v for v, o in pairs if not o]


def _load() -> None:
    _loaded[:] = [(default_predictor(threads=1), lesion_predictor())]


def _score(run: Run, data: Path) -> MarrowScore:
    return score_run(run, data, _loaded[0])  # type: ignore[arg-type]


def _write(values: dict[str, object]) -> None:
    path = load_lesion_model().path / METADATA
    content = json.loads(path.read_text(encoding="utf-8"))
    content["spinemri"].update(values)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--people", type=int, default=40, help="synthetic people per set")
    parser.add_argument("--healthy", type=int, help="synthetic people without a change; as --people when not given")
    parser.add_argument("--images", type=int, default=10, help="images with implants per real person")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
