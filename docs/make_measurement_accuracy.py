"""Writes the section on measurements of docs/accuracy.md: from true masks, and real bodies against readers' masks.

Without the folder of reference data (``--data``) the second part is left out, and says so.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from spinemri.evaluate.cases import validation_cases
from spinemri.evaluate.measurement_tables import TITLE, measurement_section, real_section
from spinemri.evaluate.measurements import score_measurements
from spinemri.evaluate.page import with_section
from spinemri.evaluate.real_heights import score_heights
from spinemri.pipeline import default_predictor

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
    real = _real(options.data) if options.data.is_dir() else ["No reference data were at hand for real bodies.", ""]
    by = "make prove" if options.people == FULL_PEOPLE else f"{Path(__file__).name} --people {options.people}"
    lines = [*measurement_section(compared, options.people), *real]
    text = "\n".join([lines[0], "", f"Made by `{by}`.", *lines[1:]])
    page = options.page.read_text(encoding="utf-8") if options.page.exists() else "# Accuracy\n"
    options.page.write_text(with_section(page, TITLE, text), encoding="utf-8")
    print("\n".join(lines))


def _real(data: Path) -> list[str]:
    predictor = default_predictor()
    return real_section([score_heights(case, data, predictor) for case in validation_cases() if case.lowest])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=HERE / "accuracy.md", help="file to write into")
    data = HERE.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=data, help="folder of public reference data")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--people", type=int, default=FULL_PEOPLE, help="random people")
    return parser.parse_args()


if __name__ == "__main__":
    main()
