"""How well a model draws what readers drew: Dice on people it has never seen, inside the labelled extent.

Lateral slices are harder than central ones, and sets differ by a pixel in where a border lies; so each figure also
stands for the central 21 mm alone, and for the border moved one pixel in and out.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.segment.model import load_model
from spinemri.segment.predictor import Predictor
from spinemri.segment.preprocess import neighbours, normalise
from spinemri.training.export import checkpoint_state
from spinemri.training.real import VALIDATION, labelled_cases, load_case

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.training.real import LabelledCase, LabelledVolume

_CENTRAL_MM = 21.0
_SLICE_MM = {"vb2": 2.0}  # spacing of slices per set; 4 mm elsewhere


@dataclass(frozen=True)
class Score:
    """Dice of one case, 0 to 1: all slices, the central 21 mm, and with the found border one pixel out and in."""

    case: LabelledCase
    dice: float
    central: float
    wider: float
    narrower: float


def score_case(volume: LabelledVolume, predictor: Predictor) -> Score:
    """Compare what the model finds with the labelled structure of one case, on the working grid."""
    stacks = neighbours(normalise(volume.slices), predictor.model.slices, volume.stride)
    found = (predictor.class_probabilities(stacks).argmax(1) == volume.target).numpy()
    extent = volume.extent.numpy()
    truth = volume.labelled.numpy() & extent
    cross = ndimage.generate_binary_structure(2, 1)[None]
    wider, narrower = ndimage.binary_dilation(found, cross), ndimage.binary_erosion(found, cross)
    seen = np.flatnonzero(truth.any((1, 2)))
    reach = _CENTRAL_MM / 2 / _SLICE_MM.get(volume.case.set, 4.0)
    central = np.abs(np.arange(len(truth)) - (seen[0] + seen[-1]) / 2) <= reach
    return Score(
        volume.case,
        dice(found & extent, truth),
        dice((found & extent)[central], truth[central]),
        dice(wider & extent, truth),
        dice(narrower & extent, truth),
    )


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Twice the overlap over the sum of two masks; 1 when both are empty."""
    total = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / total if total else 1.0


def table(scores: list[Score]) -> str:
    """Markdown table of the scores, a row per case and a mean per set."""
    lines = [
        "| set | case | structure | Dice | central 21 mm | border +1 px | border -1 px |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(score.case.set for score in scores):
        rows = [score for score in scores if score.case.set == name]
        lines += [_row(name, s.case.case, s.case.structure, [s]) for s in rows]
        lines.append(_row(f"**{name}**", f"mean of {len(rows)}", rows[0].case.structure, rows))
    return "\n".join(lines)


def real_table(root: Path, predictor: Predictor) -> str:
    """Markdown table of a model's scores on every validation case of the labelled sets under ``root``."""
    return table([score_case(load_case(case, root, predictor.model), predictor) for case in labelled_cases(VALIDATION)])


def _row(name: str, case: str, structure: str, scores: list[Score]) -> str:
    means = np.mean([(s.dice, s.central, s.wider, s.narrower) for s in scores], axis=0)
    return " | ".join([f"| {name}", case, structure.replace("_", " "), *(f"{m:.3f}" for m in means)]) + " |"


def main(arguments: list[str] | None = None) -> None:
    """``python -m spinemri.training.validate --real DIR --out TABLE.md``: write the table for a model."""
    parser = argparse.ArgumentParser(prog="python -m spinemri.training.validate")
    parser.add_argument("--real", type=Path, required=True, help="folder of labelled sets")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--model", default=None, help="bundle name or folder")
    parser.add_argument("--checkpoint", type=Path, help="weights to use in place of the bundle's")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    model = load_model(options.model)
    predictor = Predictor(model, threads=options.threads)
    if options.checkpoint:
        predictor.network.load_state_dict(checkpoint_state(options.checkpoint))
    options.out.write_text(real_table(options.real, predictor) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
