from __future__ import annotations

import io
import subprocess
from dataclasses import replace

import pydicom
import pypdf
import pytest

from spinemri.report.dicom_pdf import write_dicom_pdf
from spinemri.report.pdf import to_pdf, write_pdf
from tests.report import dicom_phantom as phantom
from tests.report.dicom_phantom import ORIENTATIONS
from tests.report.validators import faults, tool


@pytest.fixture(scope="module")
def case(lesion_case, tmp_path_factory):
    return phantom.on_files(lesion_case, tmp_path_factory.mktemp("pdf"))


@pytest.fixture(scope="module")
def written(case, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    write_dicom_pdf(case, folder)
    return folder / "report.dcm"


def test_the_sheets_are_those_of_the_report(case, written):
    made = pydicom.dcmread(written)
    pdf = to_pdf(case)
    assert made.EncapsulatedDocumentLength == len(pdf)
    assert made.EncapsulatedDocument[: len(pdf)] == pdf
    assert len(made.EncapsulatedDocument) % 2 == 0
    assert len(pypdf.PdfReader(io.BytesIO(made.EncapsulatedDocument)).pages) >= 2


def test_sheets_that_are_there_are_not_made_again(case, tmp_path):
    write_pdf(case, tmp_path)
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7 odd")
    write_dicom_pdf(case, tmp_path)
    assert pydicom.dcmread(tmp_path / "report.dcm").EncapsulatedDocument == b"%PDF-1.7 odd"


def test_patient_and_study_are_those_of_the_source_and_every_image_is_named(case, written):
    made = pydicom.dcmread(written)
    sources = [pydicom.dcmread(file.path) for image in case.images for file in image.series.files]
    for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
        assert made[name].value == sources[0][name].value
    assert made.SeriesInstanceUID not in {source.SeriesInstanceUID for source in sources}
    assert (made.Modality, made.VerificationFlag, made.SoftwareVersions) == (
        "DOC",
        "UNVERIFIED",
        case.analysis.provenance.version,
    )
    named = {item.ReferencedSOPInstanceUID for item in made.SourceInstanceSequence}
    assert named == {source.SOPInstanceUID for source in sources}


def test_the_same_report_is_the_same_object_at_any_time(case, written, tmp_path):
    provenance = case.analysis.provenance.model_copy(update={"created": "2030-01-01T00:00:00+00:00"})
    later = replace(case, analysis=case.analysis.model_copy(update={"provenance": provenance}))
    write_dicom_pdf(later, tmp_path)
    one, two = pydicom.dcmread(written), pydicom.dcmread(tmp_path / "report.dcm")
    assert one.SOPInstanceUID == two.SOPInstanceUID
    assert one.ContentDate != two.ContentDate


@pytest.mark.parametrize("name", ["sagittal", "enhanced, oblique"])
def test_dciodvfy_finds_no_error(name, tmp_path):
    write_dicom_pdf(phantom.case_of(phantom.series_of(tmp_path / "source", ORIENTATIONS[name])), tmp_path)
    assert faults(tmp_path / "report.dcm") == []


def test_dcm2pdf_takes_the_sheets_out_again(case, written, tmp_path):
    subprocess.run([tool("dcm2pdf", "dcmtk"), written, tmp_path / "out.pdf"], check=True, timeout=60)
    assert (tmp_path / "out.pdf").read_bytes().rstrip(b"\0") == to_pdf(case).rstrip(b"\0")
