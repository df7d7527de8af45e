"""Writes a section of docs/accuracy.md: real images given twice, once on another grid; nothing has changed.

The second time, each series is resampled to pixels an eighth larger, moved by 0.4 pixels and a quarter of a slice,
without its outermost slices and a sixteenth of the field at the head's and the foot's end, under other UIDs and another
frame of reference. Both are analysed by the shipped models; whatever is called a change is a false one. Without the
folder of studies (``--data``) nothing is written.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spinemri.compare.comparison import Verdict
from spinemri.compare.study import Examination, compare_examinations
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.evaluate.page import with_section
from spinemri.evaluate.regrid import Regrid, regridded
from spinemri.networks import load_networks
from spinemri.pipeline import Options, analyze, read_study

if TYPE_CHECKING:
    from spinemri.compare.comparison import Step

HERE = Path(__file__).parent
TITLE = "## Follow-up: real images given twice"
STUDIES = ("AKa", "DzZ", "errsm20")
OPTIONS = Options(token_key=b"real images twice")
AGAIN = Regrid(larger=1.125, slices=0.25, pixels=0.4, cropped=1 / 16)


def main() -> None:
    """Compare and write."""
    options = _options()
    folders = [options.data / name for name in STUDIES if (options.data / name).is_dir()]
    if not folders:
        sys.exit(f"no studies in {options.data.name}")
    networks, rows, total = load_networks(options.device), [], np.zeros(2, dtype=int)
    for folder in folders:
        with tempfile.TemporaryDirectory() as name:
            for image in read_study(folder, OPTIONS).images:
                write_series(regridded(image, AGAIN), Path(name) / image.series.label, StudyHeader("AGAIN"))
            two = [Examination(analyze(place, networks, OPTIONS)) for place in (folder, Path(name))]
        step = compare_examinations(two, forced=True).comparison.steps[0]
        compared, told = _judged(step)
        total += np.array([compared, len(told)])
        names = "named alike" if step.naming.shift == 0 else step.naming.statement
        rows.append(f"| {folder.name} | {names} | {compared} | {len(told)} | {', '.join(told) or '–'} |")
        print(rows[-1], flush=True)
    text = "\n".join([*_head(int(total[0]), int(total[1])), *rows, ""])
    options.page.write_text(with_section(options.page.read_text(encoding="utf-8"), TITLE, text), encoding="utf-8")


def _judged(step: Step) -> tuple[int, list[str]]:
    """How many quantities, lesions and fractures were compared, and which are called a change."""
    verdicts = [(change.id, change.verdict) for change in step.changes]
    verdicts += [(f"lesion at {lesion.place}", lesion.verdict) for lesion in step.lesions]
    verdicts += [(f"fracture of {fracture.place}", fracture.verdict) for fracture in step.fractures]
    compared = [(name, verdict) for name, verdict in verdicts if verdict is not Verdict.NOT_COMPARABLE]
    return len(compared), [f"{name} {verdict.value}" for name, verdict in compared if verdict.called]


def _head(compared: int, called: int) -> list[str]:
    return [
        TITLE,
        "",
        f"Made by `docs/{Path(sys.argv[0]).name}`, with the shipped models.",
        "",
        (
            "Each study is analysed as it is, and again after its series were resampled to pixels "
            f"{100 * AGAIN.larger - 100:.3g} % larger, moved by {AGAIN.pixels:g} pixels and {AGAIN.slices:g} slices, "
            f"and cropped: the outermost slices and 1/{round(1 / AGAIN.cropped)} of the field at either end are gone."
            f" Nothing has changed: {called} of {compared} that were compared are called a change (bar: none)."
        ),
        "",
        "| study | levels | compared | called a change | which |",
        "|---|---|---|---|---|",
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    shared = HERE.parent.parent / "shared" / "data" / "dicom-studies"
    parser.add_argument("--data", type=Path, default=shared, help="folder of DICOM studies")
    parser.add_argument("--page", type=Path, default=HERE / "accuracy.md", help="file to write into")
    parser.add_argument("--device", default="auto", help="of the networks")
    return parser.parse_args()


if __name__ == "__main__":
    main()
