from __future__ import annotations

import re
from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.codes import TABLE, UNITS, measurement_code
from spinemri.finding import Certainty, Finding
from spinemri.measurement import Measurement, Status
from spinemri.report.dicom_seg import write_seg
from spinemri.report.dicom_sr import write_sr
from spinemri.spine import Spine
from tests.report import dicom_phantom as phantom
from tests.report.dicom_phantom import ORIENTATIONS
from tests.report.validators import faults, rendered

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


@pytest.fixture(scope="module")
def real(lesion_case, tmp_path_factory):
    """The hand-made case with lesions, its series as files, and the folder with SR and SEG."""
    folder = tmp_path_factory.mktemp("sr")
    case = phantom.on_files(lesion_case, folder)
    write_sr(case, folder)
    return case, folder, pydicom.dcmread(folder / "measurements.dcm")


def items(item):
    for child in item.get("ContentSequence", ()):
        yield child
        yield from items(child)


def name_of(item):
    return item.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in item else ""


def beneath(item, name):
    return [child for child in item.get("ContentSequence", ()) if name_of(child) == name]


def told(report):
    """Identifier -> content item, of everything that has one."""
    found = {}
    for item in items(report):
        for child in beneath(item, "Tracking Identifier"):
            found.setdefault(child.TextValue, item)
    return found


def groups(report):
    return [item for item in items(report) if name_of(item) == "Measurement Group"]


def test_every_measurement_reads_back_equal_with_its_unit(real):
    case, _, report = real
    found = told(report)
    measured = [m for m in case.analysis.measurements if m.status is Status.MEASURED]
    assert len(measured) > 50
    for m in measured:
        (value,) = found[m.id].MeasuredValueSequence
        (unit,) = value.MeasurementUnitsCodeSequence
        assert float(value.NumericValue) == pytest.approx(m.value, rel=1e-9, abs=1e-9)
        assert (unit.CodeValue, unit.CodingSchemeDesignator) == UNITS[m.unit][:2]
        name = found[m.id].ConceptNameCodeSequence[0]
        assert (name.CodeValue, name.CodingSchemeDesignator) == measurement_code(m.name)[:2]


def test_what_could_not_be_measured_is_an_answer_with_its_reason_and_never_a_number(real):
    case, _, report = real
    found = told(report)
    gaps = [m for m in case.analysis.measurements if m.status is not Status.MEASURED]
    assert len(gaps) > 10
    for m in gaps:
        item = found[m.id]
        assert (item.ValueType, item.ConceptCodeSequence[0].CodeValue) == ("CODE", "NOT_ASSESSABLE")
        assert beneath(item, "Reason why not assessable")[0].TextValue == m.reason
    numbers = {id_ for id_, item in found.items() if item.ValueType == "NUM"}
    assert numbers == {m.id for m in case.analysis.measurements} - {m.id for m in gaps}


def test_intervals_and_reference_levels_go_along(real):
    case, _, report = real
    found = told(report)
    loss = case.analysis.measurement("L1.height_loss_pct")
    up, down = (beneath(found[loss.id], f"{sign}, range of {word} measurement uncertainty")[0]
                for sign, word in (("+", "upper"), ("-", "lower")))  # fmt: skip
    reach = [float(item.MeasuredValueSequence[0].NumericValue) for item in (down, up)]
    assert reach == pytest.approx([loss.value - loss.interval[0], loss.interval[1] - loss.value])
    assert up.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "%"
    levels = [item.ConceptCodeSequence[0].CodeMeaning for item in beneath(found[loss.id], "Reference Region")]
    assert levels == ["T12 vertebra", "L2 vertebra"]


def test_every_finding_is_there_with_its_certainty_and_evidence(real):
    case, _, report = real
    found = told(report)
    values = {c: TABLE["word", c.value].value for c in Certainty}
    for finding in case.analysis.findings:
        item = found[finding.id]
        assert item.ConceptCodeSequence[0].CodeValue == values[finding.certainty]
        evidence = beneath(item, "Identifiers of the measurements it rests on")
        assert evidence[0].TextValue.split(", ") == list(finding.evidence)
        if finding.statement:
            assert beneath(item, "Comment")[0].TextValue == finding.statement


def test_grade_side_place_and_urgency_are_coded_where_codes_exist(real):
    _, _, report = real
    found = told(report)
    narrow = found["L2-L3.thecal_sac_narrowing"]
    assert beneath(narrow, "Severity (attribute)")[0].ConceptCodeSequence[0].CodeMeaning == "Moderate"
    site = beneath(narrow, "Finding Site")[0].ConceptCodeSequence[0]
    assert site.CodeMeaning == "Level of L2/L3 intervertebral disc"
    assert beneath(found["L1.vertebral_height_loss"], "Grade")[0].TextValue == "2"
    lesion = found["lesion-1.marrow_lesion"]
    assert beneath(lesion, "Laterality")[0].ConceptCodeSequence[0].CodeMeaning == "Left"
    urgency = beneath(found["marrow_involvement"], "Actionable finding category")[0].ConceptCodeSequence[0]
    assert (urgency.CodeValue, urgency.CodingSchemeDesignator) == ("RID49482", "RADLEX")


def test_vertebrae_and_lesions_refer_to_their_segments(real):
    _, folder, report = real
    labels = {}
    for path in folder.glob("*_*.dcm"):
        seg = highdicom.seg.segread(path)
        for n in seg.segment_numbers:
            labels[seg.SOPInstanceUID, n] = seg.get_segment_description(n)
    seen = []
    for group in groups(report):
        for item in beneath(group, "Referenced Segment"):
            assert group.ContentTemplateSequence[0].TemplateIdentifier == "1411"
            (image,) = item.ReferencedSOPSequence
            segment = labels[image.ReferencedSOPInstanceUID, image.ReferencedSegmentNumber]
            assert image.ReferencedSOPClassUID == SEGMENTATION
            assert beneath(group, "Tracking Identifier")[0].TextValue == segment.tracking_id
            assert segment.tracking_uid == beneath(group, "Tracking Unique Identifier")[0].UID
            seen.append(segment.segment_label)
    bodies = [f"vertebral body {level}" for level in ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")]
    assert seen == [*bodies, "lesion-1, L2", "lesion-2, L4"]


def test_canal_and_study_are_groups_without_a_segment(real):
    _, _, report = real
    canal = next(g for g in groups(report) if beneath(g, "Tracking Identifier")[0].TextValue == "thecal sac L2-L3")
    assert canal.ContentTemplateSequence[0].TemplateIdentifier == "1501"
    assert beneath(canal, "Finding")[0].ConceptCodeSequence[0].CodeValue == "THECAL_SAC"
    study = next(g for g in groups(report) if beneath(g, "Tracking Identifier")[0].TextValue == "study")
    assert {name_of(i) for i in study.ContentSequence} >= {"Diffuse marrow change", "Finding Site"}


def test_a_drawn_diameter_has_its_two_ends_in_the_patient(real):
    case, _, report = real
    m = case.analysis.measurement("L2-L3.dural_sac_ap")
    (line,) = [item for item in told(report)[m.id].ContentSequence if item.ValueType == "SCOORD3D"]
    assert np.allclose(np.reshape(line.GraphicData, (-1, 3)), m.points, atol=1e-3)
    source = pydicom.dcmread(case.images[1].series.files[0].path)
    assert line.ReferencedFrameOfReferenceUID == source.FrameOfReferenceUID


def test_it_is_unverified_preliminary_and_by_a_device(real):
    _, folder, report = real
    flags = (report.VerificationFlag, report.PreliminaryFlag, report.CompletionFlag)
    assert flags == ("UNVERIFIED", "PRELIMINARY", "COMPLETE")
    assert [i.ConceptCodeSequence[0].CodeMeaning for i in items(report) if name_of(i) == "Observer Type"] == ["Device"]
    assert [i.TextValue for i in items(report) if name_of(i) == "Device Observer Name"] == ["spinemri"]
    procedure = [i.ConceptCodeSequence[0] for i in items(report) if name_of(i) == "Procedure reported"]
    assert [(code.CodeValue, code.CodingSchemeDesignator) for code in procedure] == [("24968-0", "LN")]
    (scheme,) = report.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == "99SPINEMRI"
    assert b"tok-" not in (folder / "measurements.dcm").read_bytes()


def test_what_it_refers_to_is_named_as_evidence(real):
    _, folder, report = real
    named = {
        item.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    used = {i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in items(report) if i.ValueType == "IMAGE"}
    assert used <= named
    assert {pydicom.dcmread(path).SOPInstanceUID for path in folder.glob("*_*.dcm")} <= named


def test_dciodvfy_finds_no_error(real):
    assert faults(real[1] / "measurements.dcm") == []


def test_dsr2html_renders_names_values_and_reasons(real, tmp_path):
    case, folder, _ = real
    page = rendered(folder / "measurements.dcm", tmp_path / "sr.html")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for m in case.analysis.measurements:
        assert m.id in text
    for words in ("Vertebral height loss", "35.0 %", "the field of view cuts the body of T11", "UNVERIFIED"):
        assert words in text


def test_highdicom_reads_the_groups_back(real):
    case, folder, _ = real
    report = highdicom.sr.srread(folder / "measurements.dcm")
    volumes = report.content.get_volumetric_roi_measurement_groups()
    assert len(volumes) == 10
    l1 = next(group for group in volumes if group.tracking_identifier == "vertebral body L1")
    values = {m.name.value: m.value for m in l1.get_measurements()}
    assert values["HLOSS"] == case.analysis.measurement("L1.height_loss_pct").value
    assert len(report.content.get_image_measurement_groups()) >= 15


def test_the_same_input_gives_the_same_bytes_and_a_new_statement_another_report(tmp_path):
    case = phantom.case_of(phantom.series_of(tmp_path / "source", ORIENTATIONS["axial"]))
    findings = (Finding(id="sins", kind="sins", certainty=Certainty.ABSENT),)
    other = replace(case, analysis=case.analysis.model_copy(update={"findings": findings}))
    reports = []
    for n, one in enumerate((case, case, other)):
        (tmp_path / str(n)).mkdir()
        write_sr(one, tmp_path / str(n))
        reports.append(tmp_path / str(n) / "measurements.dcm")
    assert reports[0].read_bytes() == reports[1].read_bytes()
    assert pydicom.dcmread(reports[0]).SOPInstanceUID != pydicom.dcmread(reports[2]).SOPInstanceUID


def test_a_study_of_which_nothing_is_said_still_makes_a_report(tmp_path):
    case = phantom.case_of(phantom.series_of(tmp_path / "source", ORIENTATIONS["axial"]))
    nothing = case.analysis.model_copy(update={"measurements": (), "lesions": (), "findings": ()})
    write_sr(replace(case, analysis=nothing, lesion_masks=()), tmp_path)
    (group,) = groups(pydicom.dcmread(tmp_path / "measurements.dcm"))
    assert beneath(group, "Tracking Identifier")[0].TextValue == "study"
    assert faults(tmp_path / "measurements.dcm") == []


def test_an_angle_between_distant_levels_lies_at_both_and_few_vertebrae_are_no_examined_region(tmp_path):
    case = phantom.case_of(phantom.series_of(tmp_path / "source", ORIENTATIONS["axial"]))
    first = case.analysis.spine.vertebrae[0]
    levels = [Level(name) for name in ("T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")]
    basis = first.assignment
    spine = Spine(
        vertebrae=tuple(
            first.model_copy(update={"assignment": basis.model_copy(update={"level": level})}) for level in levels
        )
    )
    angle = Measurement(
        id="L1-S1.lumbar_lordosis", name="lumbar_lordosis", kind=StructureKind.VERTEBRAL_BODY, level=Level("L1"),
        lower=Level("S1"), value=-41.0, unit="deg",
    )  # fmt: skip
    said = case.analysis.model_copy(update={"spine": spine, "measurements": (angle,), "findings": ()})
    write_sr(replace(case, analysis=said), tmp_path)
    report = pydicom.dcmread(tmp_path / "measurements.dcm")
    (group,) = groups(report)
    sites = [item.ConceptCodeSequence[0].CodeMeaning for item in beneath(group, "Finding Site")]
    assert sites == ["L1 vertebra", "S1 vertebra"]
    assert beneath(group, "Finding")[0].ConceptCodeSequence[0].CodeMeaning == "Vertebra"
    procedure = [i.ConceptCodeSequence[0].CodeValue for i in items(report) if name_of(i) == "Procedure reported"]
    assert procedure == ["24968-0"]  # lumbar; four thoracic vertebrae come with most of these
    assert faults(tmp_path / "measurements.dcm") == []


@pytest.mark.parametrize("name", ["oblique", "enhanced, oblique"])
def test_a_variant_level_keeps_its_name_and_frames_their_number(name, tmp_path):
    case = phantom.case_of(phantom.series_of(tmp_path / "source", ORIENTATIONS[name]))
    write_seg(case, tmp_path)
    before = (tmp_path / "segmentation_2.dcm").stat().st_mtime_ns
    write_sr(case, tmp_path)
    assert (tmp_path / "segmentation_2.dcm").stat().st_mtime_ns == before  # an object that is there is not made twice
    report = pydicom.dcmread(tmp_path / "measurements.dcm")
    sites = [i.ConceptCodeSequence[0].CodeMeaning for i in items(report) if name_of(i) == "Finding Site"]
    assert set(sites) == {"L6 vertebra", "Level of L6/S1 intervertebral disc"}
    procedure = [i.ConceptCodeSequence[0].CodeValue for i in items(report) if name_of(i) == "Procedure reported"]
    assert procedure == ["18756-7"]  # one vertebra is no examined region
    canal = next(g for g in groups(report) if beneath(g, "Tracking Identifier")[0].TextValue == "thecal sac L6-S1")
    images = [i.ReferencedSOPSequence[0] for i in canal.ContentSequence if i.ValueType == "IMAGE"]
    grid = case.images[0].geometry
    drawn = grid.to_index(case.analysis.measurement("L6-S1.dural_sac_ap").points)[:, 0]
    assert images
    for image in images:
        if name == "oblique":
            assert "ReferencedFrameNumber" not in image
            source = next(
                source for file in case.images[0].series.files
                if (source := pydicom.dcmread(file.path)).SOPInstanceUID == image.ReferencedSOPInstanceUID
            )  # fmt: skip
            position = np.array(source.ImagePositionPatient, dtype=float)
        else:
            groups_ = pydicom.dcmread(case.images[0].series.files[0].path).PerFrameFunctionalGroupsSequence
            position = groups_[image.ReferencedFrameNumber - 1].PlanePositionSequence[0].ImagePositionPatient
        assert np.abs(drawn - grid.to_index(np.array(position, dtype=float))[0]).min() <= 0.51
    assert faults(tmp_path / "measurements.dcm") == []
