"""Writes the sections on measurements of docs/accuracy.md: from true masks, synthetic fractures, real bodies against
readers' masks, and from the model's masks on rendered images.

Without the folder of reference data (``--data``) the part on real bodies is left out, and says so. With ``--images 0``
the section on the model's masks stays as it is.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from spinemri.evaluate import measurement_tables as tables
from spinemri.evaluate.cases import validation_cases
from spinemri.evaluate.measured_fractures import score_fractures
from spinemri.evaluate.measured_images import ImageScore, score_image
from spinemri.evaluate.measurements import score_measurements
from spinemri.evaluate.page import with_section
from spinemri.evaluate.real_heights import score_heights
from spinemri.networks import default_predictor
from spinemri.plot import bland_altman, to_svg

if TYPE_CHECKING:
    from collections.abc import Callable

    from spinemri.segment.predictor import Predictor

HERE = Path(__file__).parent
FULL_PEOPLE, FULL_IMAGES, FIRST_SEED = 200, 30, 9000

_loaded: list[Predictor] = []  # of this process, see ``_load``


def main() -> None:
    """Score and write the sections."""
    options = _options()
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        compared = _each(pool, score_measurements, options.people, "people in true masks")
        bodies = _each(pool, score_fractures, options.people, "people with fractures")
    flat = [[one for person in found for one in person] for found in (compared, bodies)]
    real = (
        _real(options.data, options.page)
        if options.data.is_dir()
        else ["No reference data were at hand for real bodies.", ""]
    )
    sections = {
        tables.TITLE: [*tables.measurement_section(flat[0], options.people), *real],
        tables.FRACTURES_TITLE: tables.fractures_section(flat[1], options.people),
    }
    if options.images:
        with ProcessPoolExecutor(options.jobs, get_context("spawn"), _load) as pool:
            scores = _each(pool, _score_image, options.images, "people in the model's masks")
        sections[tables.IMAGES_TITLE] = tables.images_section(scores)
    _write(options.page, sections, _maker(options))


def _each(pool: ProcessPoolExecutor, score: Callable[[int], object], people: int, what: str) -> list:
    """Scores of some people, with a line about each."""
    start, found = time.perf_counter(), []
    for one in pool.map(score, range(FIRST_SEED, FIRST_SEED + people)):
        found.append(one)
        print(f"{len(found)} of {people} {what}, {time.perf_counter() - start:.0f} s", flush=True)
    return found


def _load() -> None:
    """Give this process a predictor of its own, with one thread."""
    _loaded[:] = [default_predictor(threads=1)]


def _score_image(seed: int) -> ImageScore:
    return score_image(seed, _loaded[0])


def _write(page: Path, sections: dict[str, list[str]], by: str) -> None:
    text = page.read_text(encoding="utf-8") if page.exists() else "# Accuracy\n"
    for title, lines in sections.items():
        made = "\n".join([lines[0], "", f"Made by `{by}`.", *lines[1:]])
        text = with_section(text, title, made)
        print("\n".join(lines))
    page.write_text(text, encoding="utf-8")


def _maker(options: argparse.Namespace) -> str:
    if (options.people, options.images) == (FULL_PEOPLE, FULL_IMAGES):
        return "make prove"
    return f"docs/{Path(sys.argv[0]).name} --people {options.people} --images {options.images}"


def _real(data: Path, page: Path) -> list[str]:
    """The part on real bodies; its Bland-Altman figures go into the folder ``images`` beside the page."""
    predictor = default_predictor()
    scores = [score_heights(case, data, predictor) for case in validation_cases() if case.lowest]
    figures = {}
    for name, pairs in tables.height_pairs(scores).items():
        readers, found = zip(*pairs, strict=True)
        title, file = f"Heights of bodies of {name}: the model's minus readers'", f"images/heights_{name}.svg"
        figure = bland_altman(readers, found, title=f"{name}, model − readers", unit="mm")
        (page.parent / file).parent.mkdir(parents=True, exist_ok=True)
        (page.parent / file).write_text(to_svg(figure, title, "A Bland-Altman plot."), encoding="utf-8")
        figures[name] = file
    return tables.real_section(scores, figures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=HERE / "accuracy.md", help="file to write into")
    data = HERE.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=data, help="folder of public reference data")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--people", type=int, default=FULL_PEOPLE, help="random people in true masks")
    parser.add_argument("--images", type=int, default=FULL_IMAGES, help="random people rendered and segmented")
    return parser.parse_args()


if __name__ == "__main__":
    main()
