"""DICOM objects among the other formats: asked for, refused where there is no DICOM source, known as our own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from spinemri.convert import write_nifti
from spinemri.errors import OutputError
from spinemri.report.write import DEFAULT_FORMATS, WITH_IDENTITY, WRITERS, formats_named, is_result, write
from tests.cli.command import run
from tests.report import dicom_phantom as phantom
from tests.report.dicom_phantom import ORIENTATIONS

MASKS = {"segmentation_2.dcm", "lesions_2.dcm"}
OBJECTS = {*MASKS, "measurements.dcm", "contours_2.dcm", "report.dcm", "key_images.dcm"}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return phantom.case_of(phantom.series_of(tmp_path_factory.mktemp("source"), ORIENTATIONS["sagittal"]))


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_dicom_objects_are_written_when_asked_for_and_known_as_our_own(case, tmp_path):
    out = write(case, tmp_path / "out", formats=[*WITH_IDENTITY])
    assert names(out) == {"report.json", *OBJECTS}
    assert is_result(out)
    assert write(case, out, formats=["json"], overwrite=True) == out
    assert names(out) == {"report.json"}


def test_a_report_brings_the_masks_it_refers_to(case, tmp_path):
    out = write(case, tmp_path / "out", formats=["dicom-sr"])
    assert names(out) == {"report.json", "measurements.dcm", *MASKS}


def test_the_identity_of_the_source_is_in_no_other_format(case, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    WRITERS["json"](case, folder)
    WRITERS["csv"](case, folder)
    source = pydicom.dcmread(case.images[0].series.files[0].path)
    for path in folder.iterdir():
        for identifier in (source.StudyInstanceUID, source.SeriesInstanceUID, str(source.PatientName)):
            assert identifier.encode() not in path.read_bytes()


def test_formats_as_a_user_types_them():
    assert formats_named(None) == DEFAULT_FORMATS
    assert not set(DEFAULT_FORMATS) & set(WITH_IDENTITY)
    assert formats_named("all") == tuple(WRITERS)
    assert formats_named("CSV, dicom-seg") == ("json", "csv", "dicom-seg")
    with pytest.raises(OutputError, match="'docx': expected some of json"):
        formats_named("html,docx")


@pytest.mark.parametrize("name", WITH_IDENTITY)
def test_a_study_that_is_not_dicom_is_refused_in_one_line(case, name, tmp_path):
    image = case.images[0]
    volume = replace(image, series=image.series.model_copy(update={"source": "nifti"}))
    with pytest.raises(OutputError, match=f"format {name}: series 2 did not come from DICOM") as refused:
        write(replace(case, images=(volume,)), tmp_path / "out", formats=["csv", name])
    assert "\n" not in str(refused.value)
    assert names(tmp_path) == set()


def test_the_command_refuses_before_the_long_work(case, tmp_path):
    image = case.images[0]
    (tmp_path / "volumes").mkdir()
    write_nifti(image.voxels.astype(np.uint16), image.geometry, tmp_path / "volumes" / "person_T2w.nii.gz")
    outcome = run("analyze", tmp_path / "volumes", "-o", tmp_path / "out", "--formats", "all")
    assert outcome.code == 2
    assert "did not come from DICOM" in " ".join(outcome.err.split())
    assert "expected some of json, html" in " ".join(outcome.err.split())
    assert not (tmp_path / "out").exists()
    assert "'docx'" in run("analyze", tmp_path / "volumes", "-o", tmp_path / "out", "--formats", "docx").err
