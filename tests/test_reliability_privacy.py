"""Nothing leaks: marks in every element that can hold text, and none of them in anything that is written."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
import reliability_marks as marks
import reliability_privacy as privacy
from pyarrow import parquet
from reportlab.pdfgen.canvas import Canvas

ROOT = Path(__file__).resolve().parents[1]
MARK = "ZQX0A1B2"


@pytest.fixture(scope="module")
def series(tmp_path_factory) -> Path:
    """One series of the sample study, its middle slices."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "4_T2w").mkdir()
    for path in sorted((ROOT / "sample_data" / "4_T2w").iterdir())[3:12]:
        shutil.copy(path, folder / "4_T2w")
    return folder


def test_no_mark_in_what_analyze_and_batch_write_and_print(series):
    found = privacy.leaks_of_analysis(series, ("--no-lesions",))
    assert found.found == ()
    assert found.planted > 10_000
    assert found.files > 30


@pytest.mark.parametrize(
    ("way", "planted", "files"),
    [
        (privacy.leaks_of_given_files, 10_000, 60),
        (privacy.leaks_of_compare, 30_000, 7),
        (privacy.leaks_of_server, 10_000, 40),
    ],
    ids=["reviews, masks, volumes, refusals", "compare", "a DICOMweb server"],
)
def test_no_mark_in_what_other_commands_write_and_print(series, way, planted, files):
    found = way(series, ("--no-lesions", "--threads", "1"))
    assert found.found == ()
    assert found.planted > planted
    assert found.files > files


def test_no_mark_in_a_cohort_with_a_mark_in_place_of_each_value_that_is_read(series):
    found = privacy.leaks_of_cohort(series, ("--no-lesions",))
    assert found.found == ()
    assert found.planted > 30_000
    assert found.files > 150


def test_no_mark_in_a_copy_without_identifiers(series):
    found = privacy.leaks_of_deidentify(series)
    assert found.found == ()
    assert found.planted > 10_000
    assert found.files == 9 + 2  # slices, the account of it, what was printed


def pdf(path: Path) -> None:
    canvas = Canvas(str(path))
    canvas.drawString(50, 50, MARK)
    canvas.save()


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.json", json.dumps({"a": MARK}))


WAYS_OUT = {
    "a.txt": lambda path: path.write_text(MARK.lower()),
    "wide.txt": lambda path: path.write_text(MARK, encoding="utf-16"),
    "a.nii.gz": lambda path: path.write_bytes(gzip.compress(MARK.encode())),
    "a.zip": zipped,
    "a.pdf": pdf,
    "a.html": lambda path: path.write_bytes(base64.b64encode(b"x" * 300 + MARK.encode())),
    "a.parquet": lambda path: parquet.write_table(pa.table({"a": [MARK]}), path),
    f"{MARK}.txt": lambda path: path.write_text(""),
    "a.csv": lambda path: path.write_text("2.25.471147114700001"),
    "b.csv": lambda path: path.write_text("1947-11-03"),
}


@pytest.mark.parametrize("name", WAYS_OUT)
def test_the_search_finds_a_mark_however_it_is_packed(tmp_path, name):
    WAYS_OUT[name](tmp_path / name)
    found, files, searched = marks.search([tmp_path])
    assert found
    assert (files, searched > 0) == (1, True)
