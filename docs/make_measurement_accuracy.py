"""Writes the section on measurements of docs/accuracy.md, from true masks; no network and no real data are needed."""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from spinemri.evaluate.measurement_tables import TITLE, measurement_section
from spinemri.evaluate.measurements import score_measurements
from spinemri.evaluate.page import with_section

HERE = Path(__file__).parent
FULL_PEOPLE, FIRST_SEED = 200, 9000


def main() -> None:
    """Score and write the section."""
    options = _options()
    compared = []
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for number, found in enumerate(pool.map(score_measurements, range(FIRST_SEED, FIRST_SEED + options.people))):
            compared += found
            print(f"{number + 1} of {options.people}: {len(compared)} values", flush=True)
    by = "make prove" if options.people == FULL_PEOPLE else f"{Path(__file__).name} --people {options.people}"
    lines = measurement_section(compared, options.people)
    text = "\n".join([lines[0], "", f"Made by `{by}`.", *lines[1:]])
    page = options.page.read_text(encoding="utf-8") if options.page.exists() else "# Accuracy\n"
    options.page.write_text(with_section(page, TITLE, text), encoding="utf-8")
    print("\n".join(lines))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=HERE / "accuracy.md", help="file to write into")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--people", type=int, default=FULL_PEOPLE, help="random people")
    return parser.parse_args()


if __name__ == "__main__":
    main()
