"""``spinemri compare``: what it refuses before any network is loaded."""

from __future__ import annotations

import pytest

from spinemri.convert import write_nifti
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


def test_a_dicom_report_of_volumes_is_refused_before_any_network_is_loaded(tmp_path):
    study(tmp_path / "a", "PID4711", "20240110")
    (tmp_path / "b").mkdir()
    write_nifti(VOXELS, GRID, tmp_path / "b" / "person_T1w.nii.gz")
    told = ("-o", tmp_path / "out", "--token-key", tmp_path / "key", "--force", "--formats", "dicom-sr")
    outcome = run("compare", tmp_path / "a", tmp_path / "b", *told)
    assert (outcome.code, outcome.out) == (2, "")
    assert "examination 1 did not come from DICOM" in " ".join(outcome.err.split())
    assert not (tmp_path / "out").exists()


def test_a_dicom_report_of_two_patients_is_refused_even_if_they_are_compared(tmp_path):
    outcome = compare(tmp_path, ("PID4711", "20240110"), ("PID4712", "20240601"), "--force", "--formats", "dicom-sr")
    assert outcome.code == 2
    assert "examination 1 is not known to be of the patient of the baseline" in " ".join(outcome.err.split())
    assert not [word for word in ("PID471", "MUSTERMANN", "2024") if word in outcome.err]


def test_an_unknown_format_is_refused(tmp_path):
    outcome = run("compare", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "out", "--formats", "docx")
    assert outcome.code == 2
    assert "'docx': expected some of json, txt, csv, html, dicom-sr" in " ".join(outcome.err.split())
