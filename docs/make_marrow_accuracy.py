"""Writes the section on marrow lesions of docs/accuracy.md; the rest of the page is ``make_accuracy.py``'s."""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from spinemri.evaluate.diffuse import FAT, score_diffuse
from spinemri.evaluate.marrow_sets import Run, runs, score_run
from spinemri.evaluate.marrow_tables import TITLE, marrow_section
from spinemri.evaluate.page import with_section
from spinemri.networks import default_predictor, lesion_predictor
from spinemri.segment.lesion_model import load_lesion_model

if TYPE_CHECKING:
    from spinemri.evaluate.marrow import MarrowScore
    from spinemri.segment.lesion_predictor import LesionPredictor
    from spinemri.segment.predictor import Predictor

HERE = Path(__file__).parent
FULL_IMAGES, FULL_PEOPLE = 14, 100
_loaded: list[tuple[Predictor, LesionPredictor]] = []


def main() -> None:
    """Score and write the section."""
    options = _options()
    plan = [*runs("healthy", options.people), *runs("kinds", options.people)]
    if options.data.is_dir():
        plan += [*runs("clean", 1), *runs("implants", options.images)]
    sets: dict[str, list[MarrowScore]] = {}
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), _load) as pool:
        for run, score in zip(plan, pool.map(_score, plan, [options.data] * len(plan)), strict=True):
            sets.setdefault(run.what, []).append(score)
            print(score.name, [(k.kind, k.found_kind, round(k.tumour_probability, 2)) for k in score.known], flush=True)
        people = [(what, n) for what in FAT for n in range(options.people // 2)]
        said: dict[str, list[str]] = {}
        for (what, _), certainty in zip(people, pool.map(_diffuse, *zip(*people, strict=True)), strict=True):
            said.setdefault(what, []).append(certainty)
        print(said, flush=True)
    full = (options.people, options.images) == (FULL_PEOPLE, FULL_IMAGES)
    by = "make prove" if full else f"docs/make_marrow_accuracy.py --people {options.people} --images {options.images}"
    lines = marrow_section(sets, load_lesion_model(), said)
    text = "\n".join([lines[0], "", f"Made by `{by}`.", *lines[1:]]).rstrip() + "\n"
    page = options.page.read_text(encoding="utf-8") if options.page.exists() else "# Accuracy\n"
    options.page.write_text(with_section(page, TITLE, text), encoding="utf-8")
    print(f"written: {options.page.name}")


def _load() -> None:
    _loaded[:] = [(default_predictor(threads=1), lesion_predictor())]


def _score(run: Run, data: Path) -> MarrowScore:
    return score_run(run, data, _loaded[0])


def _diffuse(what: str, number: int) -> str:
    return score_diffuse(what, number, _loaded[0][0])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=HERE.parent.parent / "shared" / "data", help="folder of public reference data")
    add("--page", type=Path, default=HERE / "accuracy.md", help="file to write into")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    add("--people", type=int, default=FULL_PEOPLE, help="synthetic people per set")
    add("--images", type=int, default=FULL_IMAGES, help="images with implants per real person")
    return parser.parse_args()


if __name__ == "__main__":
    main()
