"""Writes docs/accuracy.md: the product against its minimum figures, on real labelled images and on synthetic studies.

The real images are no part of the repository: without the folder given by ``--data`` that part says so. It takes hours;
``--quick`` takes one case of every kind, to see that it runs.
"""

from __future__ import annotations

import argparse
import os
import platform
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from spinemri.errors import SpineMRIError
from spinemri.evaluate import tables
from spinemri.evaluate.bars import BARS
from spinemri.evaluate.cases import validation_cases
from spinemri.evaluate.cut_fields import CutField, cases_to_cut, cut_fields_section, score_cut_fields
from spinemri.evaluate.phantoms import PhantomScore, passes, score_phantom, summary
from spinemri.evaluate.pictures import draw_cases, worst_cases
from spinemri.evaluate.real import score_images
from spinemri.evaluate.regions import CONTRASTS, FIRST_SEED, REGIONS, score_region
from spinemri.evaluate.variants import FIELDS, VariantScore, score_variant, variants_section
from spinemri.networks import default_predictor
from spinemri.synthesis.numbering import Numbering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.evaluate.cases import ValidationCase
    from spinemri.evaluate.real import CaseScore
    from spinemri.evaluate.regions import RegionScore
    from spinemri.segment.predictor import Predictor
    from spinemri.series import Contrast

HERE = Path(__file__).parent
SETS = (  # title, seeds, anterior height loss in turn
    ("as `spinemri phantom` makes them", range(100, 150), (35.0,)),
    ("from slight to severe fractures", range(150, 170), (20.0, 27.0, 43.0, 50.0, 58.0)),
)
REAL = (
    "People the model has never seen, by the fixed list `spinemri/evaluate/validation.csv`, on each image's own grid, "
    "inside the labelled extent. Figures are those of the final named segmentation; `raw` is the Dice of the network's "
    "classes before they are cleaned and named. Sets differ by about a pixel in where a reader draws the border, so "
    "the Dice with the found border moved by one pixel is given too. A body that lies mostly beyond the labelled ones "
    "is not judged where its corner reaches across the plane that ends them. `bodies` counts labelled bodies that were "
    "found exactly once. No healthy T1 with STIR, no marrow lesion, and no sac, cord or posterior elements beyond "
    "those below are labelled in any real image here."
)
WORST = 8
FULL = 50  # synthetic people per region, and synthetic studies per set
VARIANT_PEOPLE = 8  # each with every number of vertebrae


_loaded: list[Predictor] = []  # of this process, see ``_load``


def main() -> None:
    """Score and write the page."""
    options = _options()
    predictor = default_predictor(options.model, threads=1)
    beside = f" and {predictor.outlines.model.label}" if predictor.outlines else ""
    made = f"model {predictor.model.label}{beside} on {platform.machine()}, Python {platform.python_version()}"
    quick = ["**A quick run over a few cases: no figure of it counts.**", ""] if options.quick else []
    full = (options.people, options.studies) == (FULL, FULL)
    less = f"docs/make_accuracy.py --people {options.people} --studies {options.studies}"
    by = "make prove" if full else less
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), _load, (options.model,)) as pool:
        text = ["# Accuracy", "", f"Made by `{by}` with {made}.", "", *quick, *_real(options, predictor, pool),
                *_regions(options, pool), *_variants(options, pool), *_chain(options, pool)]  # fmt: skip
    options.page.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")
    print(f"written: {options.page.name}")


def _load(model: str | None) -> None:
    """Give this process a predictor of its own, with one thread: as many processes as cores are faster than threads."""
    _loaded[:] = [default_predictor(model, threads=1)]


def _score_real(cases: Sequence[ValidationCase], data: Path) -> list[CaseScore]:
    return list(score_images(cases, data, _loaded[0]))


def _score_cut(case: ValidationCase, data: Path) -> list[CutField]:
    return list(score_cut_fields(case, data, _loaded[0]))


def _score_person(region: str, number: int, contrasts: Sequence[Contrast]) -> list[RegionScore]:
    return list(score_region(region, [number], _loaded[0], contrasts))


def _score_variant(numbering: Numbering, field: str, number: int) -> VariantScore:
    return score_variant(numbering, field, number, _loaded[0])


def _score_study(seed: int, loss: float) -> PhantomScore | str:
    try:
        return score_phantom(seed, _loaded[0], loss)
    except SpineMRIError as error:
        return f"- seed {seed}: {error}"


def _real(options: argparse.Namespace, predictor: Predictor, pool: ProcessPoolExecutor) -> list[str]:
    lines = ["## Real images", ""]
    if not options.data.is_dir():
        return [*lines, "Not measured here: the public reference data (`../shared/data`) are absent.", ""]
    cases = validation_cases()
    if options.quick:
        first = {(case.set, case.structure): case for case in reversed(cases)}
        cases = tuple(case for case in cases if case in first.values() and case.set in {"vb1", "tptbox", "crops"})
    images = dict.fromkeys(case.image for case in cases)
    cuts = [pool.submit(_score_cut, case, options.data) for case in cases_to_cut()[: 1 if options.quick else None]]
    tasks = [pool.submit(_score_real, [c for c in cases if c.image == image], options.data) for image in images]
    scores = [score for task in tasks for score in task.result()]
    for score in scores:
        print(score.case.set, score.case.case, score.case.structure, f"{score.dice:.3f}", flush=True)
    if options.pictures:
        unlabelled = [case for case in cases if not case.structure]
        draw_cases([*worst_cases(scores, WORST), *unlabelled], options.data, predictor, options.pictures)
    return [
        *lines, REAL, "",
        "### Against the minimum figures", "", tables.bars_table(BARS, scores), "",
        "### Per data set, contrast and structure", "", tables.sets_table(scores), "",
        "### Per case", "", tables.cases_table(scores), "",
        *cut_fields_section([score for task in cuts for score in task.result()]),
    ]  # fmt: skip


def _regions(options: argparse.Namespace, pool: ProcessPoolExecutor) -> list[str]:
    people, contrasts = (1, CONTRASTS[:1]) if options.quick else (options.people, CONTRASTS)
    tasks = [pool.submit(_score_person, region, n, contrasts) for region in REGIONS for n in range(people)]
    scores = []
    for task in tasks:
        scores += task.result()
        print(scores[-1], flush=True)
    said = (
        f"{people} random people per region (seeds from {FIRST_SEED}), with fractures, narrowings and lesions as they "
        "come, each in one contrast in turn, sagittal stacks of 4 x 0.9 x 0.9 mm; Dice of the final segmentation, "
        "truth by construction. Bodies count where the field shows them whole; without C2 or the sacrum in the field "
        "nothing anchors a name. Axial blocks are not among them: the model reads sagittal series."
    )
    return ["## Synthetic test set", "", said, "", tables.regions_table(scores), ""]


def _variants(options: argparse.Namespace, pool: ProcessPoolExecutor) -> list[str]:
    people = 1 if options.quick else min(VARIANT_PEOPLE, options.people)
    asked = [(numbering, field, n) for n in range(people) for field in FIELDS for numbering in Numbering]
    tasks = [pool.submit(_score_variant, *one) for one in asked]
    return variants_section([task.result() for task in tasks])


def _chain(options: argparse.Namespace, pool: ProcessPoolExecutor) -> list[str]:
    said = "`spinemri phantom` studies (sagittal T1, STIR and T2) that no training saw; truth by construction."
    lines = ["## Synthetic studies, the whole job", "", said, ""]
    for title, seeds, losses in SETS:
        count = 1 if options.quick else min(len(seeds), options.studies)
        lines += _studies(title, seeds[:count], losses, pool)
    return lines


def _studies(title: str, seeds: range, losses: tuple[float, ...], pool: ProcessPoolExecutor) -> list[str]:
    tasks = [pool.submit(_score_study, seed, losses[place % len(losses)]) for place, seed in enumerate(seeds)]
    found = [task.result() for task in tasks]
    scores = [score for score in found if isinstance(score, PhantomScore)]
    failures = [failure for failure in found if isinstance(failure, str)]
    print(*scores, sep="\n", flush=True)
    lines = [
        f"### {title[0].upper()}{title[1:]}", "",
        f"Seeds {seeds.start} to {seeds.stop - 1}, anterior height loss {', '.join(f'{v:g}' for v in losses)} %.", "",
    ]  # fmt: skip
    if not scores:
        return [*lines, "None could be analysed:", "", *failures, ""]
    figures = summary(scores, len(failures))
    kept = tables.yes(kept=passes(figures) and not failures)
    rows = [(name, f"{value:.3g}") for name, value in figures.items()]
    rows += [("studies that could not be analysed", str(len(failures)))]
    rows += [("limits kept (loss: median 5, worst 8 points; sac: median 1 mm)", kept)]
    return [*lines, tables.chain_table(figures), "", tables.markdown(("figure", "value"), rows), "", _rows(scores), "",
            *failures, ""]  # fmt: skip


def _rows(scores: list[PhantomScore]) -> str:
    heads = ("seed", "fractured", "named", "loss true", "found", "narrowed", "sac true mm", "found", "levels right",
             "heights mm")  # fmt: skip
    rows = [
        (s.seed, s.fractured, s.named or "not found", f"{s.loss_true:.1f}", tables.number(s.loss_found, 1), s.narrowed,
         f"{s.sac_true:.1f}", tables.number(s.sac_found, 1), f"{s.levels_right} of {s.levels}",
         tables.number(s.height_error, 1))
        for s in scores
    ]  # fmt: skip
    return tables.markdown(heads, rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", type=Path, default=HERE.parent.parent / "shared" / "data", help="folder of public reference data")
    add("--page", type=Path, default=HERE / "accuracy.md", help="file to write")
    add("--model", help="bundle name or folder; the bundled one by default")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    add("--people", type=int, default=FULL, help="synthetic people per region")
    add("--studies", type=int, default=FULL, help="synthetic studies of the whole job, at most, per set")
    add("--pictures", type=Path, help="folder outside any repository for pictures of the worst real cases")
    add("--quick", action="store_true", help="one case of every kind")
    return parser.parse_args()


if __name__ == "__main__":
    main()
