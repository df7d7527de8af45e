"""Writes the section on axial slices of docs/accuracy.md: random people, and the cords of real necks.

Without the folder of reference data (``--data``) the part on real necks is left out.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.evaluate.axial_tables import TITLE, axial_section
from spinemri.evaluate.cases import load_image, load_truth, validation_cases
from spinemri.evaluate.measured_axial import axial_person, dice, score_axial, segmented
from spinemri.evaluate.page import with_section
from spinemri.networks import axial_predictor
from spinemri.orientation import stack_axes
from spinemri.series import Plane

if TYPE_CHECKING:
    from spinemri.evaluate.cases import ValidationCase
    from spinemri.segment.predictor import Predictor

HERE = Path(__file__).parent
FULL_PEOPLE, FIRST_SEED = 60, 9000
NECKS = ("errsm_11", "errsm_23")


def main() -> None:
    """Score and write the section."""
    options = _options()
    predictor = axial_predictor(options.device)
    dices, true, model = [], [], []
    start = time.perf_counter()
    for n in range(options.people):
        person = axial_person(FIRST_SEED + n)
        masks = segmented(person, predictor)
        dices.append((person.region, dice(person, masks)))
        true += score_axial(person, person.truths)
        model += score_axial(person, masks)
        print(f"{n + 1} of {options.people} people, {time.perf_counter() - start:.0f} s", flush=True)
    necks = [case for case in validation_cases() if case.set in NECKS] if options.data.is_dir() else []
    real = [_neck(case, options.data, predictor) for case in necks]
    lines = axial_section(dices, true, model, real)
    by = "make prove" if options.people == FULL_PEOPLE else f"docs/{Path(sys.argv[0]).name} --people {options.people}"
    text = options.page.read_text(encoding="utf-8") if options.page.exists() else "# Accuracy\n"
    made = "\n".join([lines[0], "", f"Made by `{by}`.", *lines[1:]])
    options.page.write_text(with_section(text, TITLE, made), encoding="utf-8")
    print("\n".join(lines))


def _neck(case: ValidationCase, data: Path, predictor: Predictor) -> tuple[str, ...]:
    """Cord of a real neck in axial slices, against the mask drawn by hand where it was drawn."""
    image = load_image(case, data)
    drawn = load_truth(case, data, image.geometry).mask
    cord = next(value for value, name in predictor.model.classes.items() if name == StructureKind.CORD.value)
    found = predictor.classify(image).classes == cord
    axis, *_ = stack_axes(image.geometry, Plane.AXIAL)
    drawn, found = (np.moveaxis(mask, axis, 0) for mask in (drawn, found))
    planes = drawn.any(axis=(1, 2))
    drawn, found = drawn[planes], found[planes]
    areas, true = (np.count_nonzero(mask, axis=(1, 2)) for mask in (found, drawn))
    score = 2 * np.count_nonzero(drawn & found) / (true.sum() + areas.sum())
    return case.set, str(len(true)), f"{score:.3f}", f"{100 * float(np.mean(np.abs(areas - true) / true)):.1f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=HERE / "accuracy.md", help="file to write into")
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data", help="reference data")
    parser.add_argument("--people", type=int, default=FULL_PEOPLE, help="random people")
    parser.add_argument("--device", default="auto", help="of the network")
    return parser.parse_args()


if __name__ == "__main__":
    main()
