"""Writes docs/examination.md: what the shipped models say of whole oncologic examinations of synthetic people."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from spinemri.dicom.write import StudyHeader, write_series
from spinemri.evaluate.examination import examination
from spinemri.evaluate.examination_claims import Said, claims
from spinemri.networks import load_networks
from spinemri.pipeline import Options, analyze
from spinemri.report.write import write

HERE = Path(__file__).parent
FULL, FIRST_SEED = 20, 100
ABOUT = (
    "Each examination is rendered to DICOM (`spinemri/evaluate/examination.py`): cervical, thoracic and lumbar "
    "station, sagittal T1w and STIR and axial T2w; metastases in 8 to 11 vertebrae of all regions; one lumbar body "
    "with 30 to 50 % height loss, filled with tumour up to the pedicles, which bulges into the canal and towards the "
    "right foramina; a free cord. The shipped models read it, the shipped rules grade it. `contradicted` is the "
    'opposite of the truth said outright; silence and "not assessable" are `absent`.'
)


def main() -> None:
    """Render, analyse and count."""
    options = _options()
    networks = load_networks(options.device)
    counts: dict[str, Counter[Said]] = {}
    start = time.perf_counter()
    for n in range(options.people):
        truth = examination(FIRST_SEED + n)
        with tempfile.TemporaryDirectory() as name:
            for image in truth.images:
                write_series(image, Path(name) / image.series.label, StudyHeader("EXAMINATION"))
            case = analyze(Path(name), networks, Options(token_key=b"examination-key!"))
            found = claims(truth, case.analysis)
            if options.keep:
                write(case, options.keep / str(FIRST_SEED + n), overwrite=True)
        for claim, said in found.items():
            counts.setdefault(claim, Counter())[said] += 1
        missed = ", ".join(f"{claim}: {said}" for claim, said in found.items() if said is not Said.PRESENT)
        print(
            f"{n + 1} of {options.people}, {time.perf_counter() - start:.0f} s; {missed or 'all present'}", flush=True
        )
    text = "\n".join(_page(counts, options.people))
    options.page.write_text(text, encoding="utf-8")
    print(text)


def _page(counts: dict[str, Counter[Said]], people: int) -> list[str]:
    by = f"docs/{Path(sys.argv[0]).name} --people {people}"
    rows = [f"| {claim} | {' | '.join(str(found[said]) for said in Said)} |" for claim, found in counts.items()]
    return [
        "# A whole examination",
        "",
        f"Made by `{by}`. {people} people. {ABOUT}",
        "",
        f"| statement of such a report | {' | '.join(said.value for said in Said)} |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=HERE / "examination.md", help="file to write")
    parser.add_argument("--people", type=int, default=FULL, help="examinations")
    parser.add_argument("--keep", type=Path, help="folder for the reports of all examinations")
    parser.add_argument("--device", default="auto", help="of the networks")
    return parser.parse_args()


if __name__ == "__main__":
    main()
