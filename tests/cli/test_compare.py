"""``spinemri compare``: what it refuses before any network is loaded."""

from __future__ import annotations

import pytest

from tests.cli.command import run
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels

GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)


def study(folder, person, day):
    uid = f"1.2.826.0.1.{sum(map(ord, person + day))}"
    header = {"StudyDate": day, "PatientName": "MUSTERMANN^HANS"}
    SeriesWriter(folder, patient=person, study=uid, series=f"{uid}.2", header=header).classic(GRID, VOXELS)
    return folder


def compare(tmp_path, first, second, *options):
    folders = [study(tmp_path / name, *what) for name, what in (("a", first), ("b", second))]
    return run("compare", *folders, "-o", tmp_path / "out", "--token-key", tmp_path / "key", *options)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (("PID4711", "20240110"), ("PID4712", "20240601"), "not known to be of the same person"),
        (("PID4711", "20240601"), ("PID4711", "20240110"), "143 days before"),
    ],
    ids=["another person", "another order"],
)
def test_what_cannot_be_compared_is_refused_in_one_line_that_names_nobody(tmp_path, first, second, why):
    outcome = compare(tmp_path, first, second)
    assert (outcome.code, outcome.out) == (2, "")
    assert why in " ".join(outcome.err.split())
    assert not [word for word in ("PID471", "MUSTERMANN", "2024", str(tmp_path)) if word in outcome.err]
    assert not (tmp_path / "out").exists()


def test_a_full_output_folder_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("x")
    outcome = run("compare", tmp_path / "none", tmp_path / "nothing", "-o", tmp_path / "out")
    assert outcome.code == 2
    assert "not empty" in outcome.err
