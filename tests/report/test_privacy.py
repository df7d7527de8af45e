from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

from spinemri.report.write import write
from tests.report import cases

MARKERS = ("MUSTERMANN", "1.2.840.99.77", "/home/", "101112.131415", "IM_4711", "WARD-9")


def planted():
    """Identifiers wherever the images carry them; the analysis itself holds none."""
    case = cases.case(patient_path=Path("/home/MUSTERMANN/IM_4711.dcm"))
    images = [
        replace(
            image,
            series=image.series.model_copy(update={"description": "MUSTERMANN WARD-9", "region": "WARD-9"}),
            warnings=("read /home/MUSTERMANN/IM_4711.dcm",),
        )
        for image in case.images
    ]
    return replace(case, images=tuple(images))


def test_writers_print_only_what_the_analysis_holds(tmp_path):
    case = planted()
    assert case.analysis.series[0].series.files[0].path == Path("/home/MUSTERMANN/IM_4711.dcm")
    out = write(case, tmp_path / "out")
    files = sorted(out.iterdir())
    assert len(files) == 7
    for path in files:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        for marker in (*MARKERS, str(tmp_path)):
            assert marker.encode() not in data, f"{marker} in {path.name}"


def test_pages_for_people_name_no_file(result):
    for name in ("report.html", "report.txt", "measurements.csv"):
        text = (result / name).read_text(encoding="utf-8")
        for skipped in ("notes.pdf", "readme.txt", "IM_0077", "export/"):
            assert skipped not in text
