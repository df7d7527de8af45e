from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from spinemri.finding import Certainty, Finding
from spinemri.report.dicom_key_images import write_key_images
from spinemri.report.dicom_source import read_sources
from tests.report import dicom_phantom as phantom
from tests.report.dicom_phantom import CENTRE, LEVEL, ORIENTATIONS
from tests.report.validators import faults

SAC = ("L6-S1.dural_sac_ap",)


def with_findings(case, *findings, lesions=()):
    analysis = case.analysis.model_copy(update={"findings": findings, "lesions": lesions})
    return replace(case, analysis=analysis)


def finding(certainty=Certainty.PRESENT, **values):
    return Finding(id="f.1", kind="thecal_sac_narrowing", certainty=certainty, statement="Narrow.", **values)


@pytest.fixture(scope="module", params=ORIENTATIONS.values(), ids=ORIENTATIONS.keys())
def case(request, tmp_path_factory):
    return phantom.case_of(phantom.series_of(tmp_path_factory.mktemp("source"), request.param))


def shown(case, folder):
    """(UID, frame) of every image that is selected."""
    write_key_images(case, folder)
    document = pydicom.dcmread(folder / "key_images.dcm")
    found = set()
    for item in document.ContentSequence:
        for reference in item.get("ReferencedSOPSequence", ()):
            frames = reference.get("ReferencedFrameNumber")
            several = frames if isinstance(frames, pydicom.multival.MultiValue) else [frames]
            found |= {(reference.ReferencedSOPInstanceUID, frame) for frame in several}
    return found


def image_at(case, point):
    """(UID, frame) of the image whose plane is nearest to a patient point, from the source files alone."""
    found = {}
    for file in case.images[0].series.files:
        source = pydicom.dcmread(file.path)
        groups = source.get("PerFrameFunctionalGroupsSequence")
        shared = source if groups is None else source.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
        axes = np.array(shared.ImageOrientationPatient, dtype=float)
        for n, plane in enumerate([source] if groups is None else [g.PlanePositionSequence[0] for g in groups]):
            offset = (np.array(point) - np.array(plane.ImagePositionPatient, dtype=float)) @ np.cross(
                axes[:3], axes[3:]
            )
            found[source.SOPInstanceUID, n + 1 if groups else None] = abs(offset)
    return min(found, key=found.get)


def test_a_finding_shows_the_images_that_it_was_measured_on(case, tmp_path):
    points = case.analysis.measurement(*SAC).points
    assert len({image_at(case, point) for point in points}) in {1, 2}
    assert shown(with_findings(case, finding(evidence=SAC)), tmp_path) == {image_at(case, point) for point in points}


def test_a_finding_without_points_shows_the_middle_of_its_vertebra_and_a_lesion_its_own(case, tmp_path):
    assert shown(with_findings(case, finding(levels=(LEVEL,))), tmp_path) == {image_at(case, CENTRE)}
    aside = tuple((CENTRE + np.array([-9.0, 3.0, 5.0])).tolist())
    lesion = case.analysis.lesions[0].model_copy(update={"centre": aside})
    both = with_findings(case, finding(levels=(LEVEL,)), lesions=(lesion,))
    assert shown(both, tmp_path) == {image_at(case, CENTRE), image_at(case, aside)}


def test_dciodvfy_finds_no_error_and_the_patient_is_that_of_the_source(case, tmp_path):
    write_key_images(with_findings(case, finding(levels=(LEVEL,), evidence=SAC)), tmp_path)
    assert faults(tmp_path / "key_images.dcm") == []
    made, source = pydicom.dcmread(tmp_path / "key_images.dcm"), read_sources(case)[0].header
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate"):
        assert made[name].value == source[name].value
    assert (made.Modality, made.ConceptNameCodeSequence[0].CodeMeaning) == ("KO", "Of Interest")


@pytest.mark.parametrize("certainty", [Certainty.ABSENT, Certainty.NOT_ASSESSABLE])
def test_what_is_not_reported_shows_nothing_and_no_document_is_written(certainty, tmp_path):
    case = phantom.case_of(phantom.series_of(tmp_path / "source", ORIENTATIONS["sagittal"]))
    write_key_images(with_findings(case, finding(certainty, levels=(LEVEL,))), tmp_path)
    assert not (tmp_path / "key_images.dcm").exists()
