"""The DICOM SR of a comparison: where it belongs, what it refers to, and that it says what the comparison says."""

from __future__ import annotations

import io
import os
import subprocess
from dataclasses import replace

import highdicom
import pydicom
import pytest

from spinemri.codes import TABLE, UNITS, measurement_code, word
from spinemri.compare.comparison import Comparison, Verdict
from spinemri.compare.curves import NAMES
from spinemri.compare.dicom_sr import FILE_NAME, to_sr
from spinemri.compare.files import FILES, SR, formats_named, to_text, write_comparison
from spinemri.compare.tracked import last_steps, things
from spinemri.errors import OutputError
from spinemri.report.dicom_sr import write_sr
from tests.compare.conftest import DATES
from tests.report.dicom_phantom import on_files
from tests.report.test_dicom_sr import beneath, items, name_of
from tests.report.validators import faults, tool

STUDIES = ("1.2.826.0.1.21", "1.2.826.0.1.22", "1.2.826.0.1.23")
GROUP = "Measurement Group"
CHANGE = "Change since the earlier examination"


def in_files(case, folder, study, **header):
    """A synthetic examination whose series lie in files; their frame of reference gets a UID that DICOM takes."""
    grids = [replace(image.geometry, frame_of_reference_uid=f"{study}.9") for image in case.images]
    images = tuple(replace(image, geometry=grid) for image, grid in zip(case.images, grids, strict=True))
    written = on_files(replace(case, images=images), folder, study, **header).images
    images = tuple(replace(image, series=one.series) for image, one in zip(case.images, written, strict=True))
    return replace(case, images=images)


@pytest.fixture(scope="module")
def stored(three, tmp_path_factory):
    """The comparison of three dates with series in files, and a report of the baseline beside its images."""
    root, cases, folders = tmp_path_factory.mktemp("dates"), [], []
    for case, study, day in zip(three.cases, STUDIES, DATES, strict=True):
        folders.append(root / study)
        cases.append(in_files(case, folders[-1] / "images", study, StudyDate=f"{day:%Y%m%d}"))
    (folders[0] / "report").mkdir()
    write_sr(cases[0], folders[0] / "report")
    (folders[0] / "report" / "notes.txt").write_text("no DICOM")
    return replace(three, cases=tuple(cases), folders=tuple(folders))


@pytest.fixture(scope="module")
def report(stored):
    return read(to_sr(stored))


def read(content):
    return pydicom.dcmread(io.BytesIO(content))


def texts(item, name):
    return [one.TextValue for one in beneath(item, name)]


def comparisons(report):
    return [item for item in report.ContentSequence if name_of(item) == "Comparison to previous studies"]


def groups(report):
    return [item for item in items(report) if name_of(item) == GROUP]


def identifier(item):
    return texts(item, "Tracking Identifier")[0]


def uid(item):
    return beneath(item, "Tracking Unique Identifier")[0].UID


def day(group):
    return int(number(beneath(group, "Time Point Order")[0])) - 1


def number(item):
    return float(item.MeasuredValueSequence[0].NumericValue)


def unit(item):
    code = item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
    return code.CodeValue, code.CodingSchemeDesignator


def coded(item):
    code = item.ConceptCodeSequence[0]
    return code.CodeValue, code.CodingSchemeDesignator


def values(report):
    """(tracking UID of a quantity, examination) -> its content item."""
    return {(uid(item), day(g)): item for g in groups(report) for item in g.ContentSequence if is_tracked(item)}


def is_tracked(item):
    return item.ValueType == "NUM" and bool(beneath(item, "Tracking Unique Identifier"))


def test_it_belongs_to_the_latest_study_and_is_nobodys_verdict(report, stored):
    source = pydicom.dcmread(stored.cases[2].images[0].series.files[0].path)
    for keyword in ("StudyInstanceUID", "StudyDate", "PatientID", "PatientName", "PatientBirthDate", "PatientSex"):
        assert report[keyword].value == source[keyword].value
    flags = (report.VerificationFlag, report.PreliminaryFlag, report.CompletionFlag)
    assert flags == ("UNVERIFIED", "PRELIMINARY", "COMPLETE")
    assert (report.SOPClassUID, report.Modality) == (pydicom.uid.Comprehensive3DSRStorage, "SR")
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_images_of_every_date_are_its_evidence_each_in_its_own_study(report, stored):
    own, others = report.CurrentRequestedProcedureEvidenceSequence, report.PertinentOtherEvidenceSequence
    named = {
        study.StudyInstanceUID: {
            item.ReferencedSOPInstanceUID
            for series in study.ReferencedSeriesSequence
            for item in series.ReferencedSOPSequence
        }
        for study in (*own, *others)
    }
    assert [study.StudyInstanceUID for study in own] == [STUDIES[2]]
    assert set(named) == set(STUDIES)
    for case, study in zip(stored.cases, STUDIES, strict=True):
        shown = {pydicom.dcmread(f.path).SOPInstanceUID for image in case.images for f in image.series.files}
        assert shown <= named[study]
    used = {one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for one in items(report) if one.ValueType == "IMAGE"}
    assert all(used & named[study] for study in STUDIES)


def test_it_says_with_which_study_it_is_compared_and_refers_to_its_report(report, stored):
    first, before = comparisons(report)
    for item, study, date, days in ((first, 0, DATES[0], 235.0), (before, 1, DATES[1], 153.0)):
        assert STUDIES[study] == beneath(item, "Procedure Study Instance UID")[0].UID
        assert beneath(item, "Study Date")[0].Date == f"{date:%Y%m%d}"
        apart = beneath(item, "Days since the earlier examination")[0]
        assert (number(apart), unit(apart)) == (days, ("d", "UCUM"))
    prior = pydicom.dcmread(stored.folders[0] / "report" / "measurements.dcm")
    (composite,) = beneath(first, "Prior report for current patient")
    assert composite.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == prior.SOPInstanceUID
    assert beneath(before, "Prior report for current patient") == []


def test_reports_of_other_studies_and_broken_files_are_passed_over(stored, tmp_path):
    (tmp_path / "other").mkdir()
    write_sr(stored.cases[2], tmp_path / "other")
    report = (tmp_path / "other" / "measurements.dcm").read_bytes()
    (tmp_path / "other" / "cut.dcm").write_bytes(report[: len(report) // 2])
    (tmp_path / "other" / "empty.dcm").write_bytes(b"")
    os.mkfifo(tmp_path / "other" / "pipe.dcm")
    made = read(to_sr(replace(stored, folders=(tmp_path / "other", None, None))))
    assert not [item for item in items(made) if item.ValueType == "COMPOSITE"]


def test_a_study_compared_with_itself_is_its_own_evidence(stored, tmp_path):
    first = in_files(stored.cases[0], tmp_path / "same", STUDIES[2], StudyDate="20240110")
    made = read(to_sr(replace(stored, cases=(first, *stored.cases[1:]))))
    assert (made.StudyInstanceUID, made.StudyDate) == (STUDIES[2], f"{DATES[2]:%Y%m%d}")
    assert [study.StudyInstanceUID for study in made.PertinentOtherEvidenceSequence] == [STUDIES[1]]


def test_where_nothing_can_be_compared_that_is_said(stored, tmp_path):
    nothing = {"changes": (), "lesions": (), "fractures": ()}
    steps = tuple(step.model_copy(update=nothing) for step in stored.comparison.steps)
    (tmp_path / FILE_NAME).write_bytes(
        to_sr(replace(stored, comparison=stored.comparison.model_copy(update={"steps": steps})))
    )
    (group,) = groups(pydicom.dcmread(tmp_path / FILE_NAME))
    assert coded(beneath(group, CHANGE)[0]) == word("not comparable")[:2]
    assert faults(tmp_path / FILE_NAME) == []


def check_sentences(report, comparison):
    """Impression and findings are the sentences of the comparison's text; returns the impressions of each step."""
    text = " ".join(to_text(comparison).split())
    for item in comparisons(report):
        told = [*texts(item, "Impression"), *texts(item, "Finding")]
        assert len(told) > 5
        assert all(" ".join(sentence.split()) in text for sentence in told)
    return [" ".join(texts(item, "Impression")) for item in comparisons(report)]


def test_it_tells_the_comparison_in_its_own_sentences_changes_first(report, stored):
    first, _ = check_sentences(report, stored.comparison)
    for said in ("in L2 (tumour-like): grown", "in T12 (tumour-like): new", "in L4 (tumour-like): gone"):
        assert said in first
    assert "L1: new fracture-level loss of height" in first
    assert "did not change beyond" not in first


def said_of(found, change):
    """Tracking UID, item and verdict of the last date's value that a change led to."""
    name = measurement_code(change.name).meaning
    for (tracked, at), item in found.items():
        if at == 2 and name_of(item) == name and number(item) == pytest.approx(change.later, rel=1e-9):
            for verdict in beneath(item, CHANGE):
                moved = beneath(verdict, "Difference from the earlier value")
                if moved and number(moved[0]) == pytest.approx(change.change, rel=1e-9):
                    yield tracked, item, verdict


def test_every_change_has_both_values_the_difference_and_what_would_be_none(report, stored):
    found, told = values(report), 0
    for step in last_steps(stored.comparison):
        for change in (c for c in step.changes if c.verdict.called and c.change is not None):
            ((tracked, item, verdict),) = said_of(found, change)
            earlier = found[tracked, step.earlier]
            assert number(earlier) == pytest.approx(change.baseline, rel=1e-9)
            assert unit(item) == unit(earlier) == UNITS[change.unit][:2]
            assert coded(verdict) == word(change.verdict.value)[:2]
            assert number(beneath(verdict, "Minimal detectable change")[0]) == pytest.approx(change.mdc, rel=1e-9)
            told += 1
    assert told > 3


def test_lesions_are_new_grown_and_gone_by_code_under_one_uid(report):
    found = {}
    for group in groups(report):
        for verdict in beneath(group, CHANGE):
            if identifier(group).startswith("lesion") and texts(verdict, "Compared with") == ["baseline"]:
                dates = {day(g) for g in groups(report) if uid(g) == uid(group)}
                found[coded(verdict)] = (beneath(group, "Finding Site")[0].ConceptCodeSequence[0].CodeMeaning, dates)
    assert found[word("grown")[:2]] == ("L2 vertebra", {0, 1, 2})
    assert found[word("new")[:2]] == ("T12 vertebra", {2})
    assert found[word("gone")[:2]] == ("L4 vertebra", {0, 1, 2})


def test_a_lesion_that_is_gone_has_no_value_at_the_last_date(report):
    gone = next(g for g in groups(report) if day(g) == 2 and word("gone")[:2] in map(coded, beneath(g, CHANGE)))
    assert [item for item in gone.ContentSequence if is_tracked(item)] == []
    before = next(g for g in groups(report) if day(g) == 0 and uid(g) == uid(gone))
    assert "Diameter" in {name_of(item) for item in before.ContentSequence}


def test_a_new_fracture_is_coded_as_one(report):
    name = TABLE["finding", "vertebral_height_loss"].meaning
    (group,) = [g for g in groups(report) if beneath(g, name) and identifier(g) == "vertebral body L1"]
    assert coded(beneath(group, name)[0]) == word("new")[:2]
    assert len([g for g in groups(report) if uid(g) == uid(group)]) == 3


def test_what_did_not_change_stands_in_one_group_per_date_with_chief_quantities_only(report):
    stable = [g for g in groups(report) if identifier(g) == Verdict.STABLE.value]
    assert [day(g) for g in stable] == [0, 1, 2]
    tracked = [{uid(item) for item in g.ContentSequence if is_tracked(item)} for g in stable]
    assert len(tracked[2]) > 5
    assert tracked[0] == tracked[1] == tracked[2]
    chief = {measurement_code(name).meaning for name in NAMES}
    for item in (item for g in stable for item in g.ContentSequence if is_tracked(item)):
        assert name_of(item) in chief
        assert beneath(item, "Finding Site")
    assert coded(beneath(stable[2], CHANGE)[0]) == word("stable")[:2]


def test_what_cannot_be_compared_has_its_reason(report, stored):
    wanted = {
        change.reason
        for step in last_steps(stored.comparison)
        for change in step.changes
        if change.verdict is Verdict.NOT_COMPARABLE and change.name in NAMES
    }
    told = {text for item in items(report) for text in texts(item, "Reason for what is said of the change")}
    assert wanted
    assert wanted <= told
    (last,) = [g for g in groups(report) if identifier(g) == Verdict.NOT_COMPARABLE.value and day(g) == 2]
    answers = [item for item in last.ContentSequence if item.ValueType == "CODE" and beneath(item, "Finding Site")]
    assert answers
    assert {coded(item) for item in answers} == {word("not comparable")[:2]}


def test_each_date_says_how_far_it_lies_from_the_baseline(report):
    offsets = {day(g): number(beneath(g, "Longitudinal Temporal Offset from Event")[0]) for g in groups(report)}
    assert offsets == {0: 0.0, 1: 82.0, 2: 235.0}


def test_a_lesion_is_one_thing_over_all_dates(stored):
    found = things(stored.comparison, [case.analysis for case in stored.cases])
    lesions = [one for one in found if one.place.lesion]
    assert len({(one.since, one.origin) for one in lesions}) == len(lesions)
    grown = next(one for one in lesions if Verdict.GROWN in one.verdicts)
    assert (grown.since, len(grown.judged)) == (0, 2)
    new = next(one for one in lesions if Verdict.NEW in one.verdicts)
    assert (new.since, [judged.verdict for judged in new.judged]) == (2, [Verdict.NEW, Verdict.NEW])


def test_other_programs_accept_and_print_it(stored, tmp_path):
    path = tmp_path / FILE_NAME
    path.write_bytes(to_sr(stored))
    assert faults(path) == []
    printed = subprocess.run(
        [tool("dsrdump", "dcmtk"), "+Pl", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (printed.returncode, "E: " in printed.stderr) == (0, False)
    assert "L1: new fracture-level loss of height" in printed.stdout
    again = highdicom.sr.srread(path)
    l1 = [g for g in again.content.get_image_measurement_groups() if g.tracking_identifier == "vertebral body L1"]
    same = again.content.get_image_measurement_groups(tracking_uid=l1[0].tracking_uid)
    losses = [[m.value for m in g.get_measurements() if m.name.value == "HLOSS"] for g in same]
    change = last_steps(stored.comparison)[0].change("L1.height_loss_pct")
    assert (losses[0], losses[2]) == ([change.baseline], [change.later])


def test_the_same_comparison_gives_the_same_bytes_and_another_one_another_report(stored, report):
    assert to_sr(stored) == to_sr(stored)
    first = stored.comparison.steps[0]
    steps = (first.model_copy(update={"changes": first.changes[1:]}), *stored.comparison.steps[1:])
    other = replace(stored, comparison=stored.comparison.model_copy(update={"steps": steps}))
    assert read(to_sr(other)).SOPInstanceUID != report.SOPInstanceUID


def without_change(comparison) -> Comparison:
    """The comparison of the first two dates, between which nothing happened."""
    update = {"examinations": comparison.examinations[:2], "steps": comparison.steps[:1], "trends": ()}
    return comparison.model_copy(update=update)


def test_no_change_is_an_impression_of_lesions_and_height(stored):
    comparison = without_change(stored.comparison)
    two = replace(stored, comparison=comparison, cases=stored.cases[:2], folders=stored.folders[:2])
    made = read(to_sr(two))
    (impression,) = check_sentences(made, comparison)
    assert "stable" in impression
    assert "no fracture-level loss of height" in impression
    assert made.StudyInstanceUID == STUDIES[1]
    assert not [
        item for item in items(made) if name_of(item) == "Compared with" and item.RelationshipType == "HAS PROPERTIES"
    ]
    assert {identifier(g) for g in groups(made)} <= {"stable", "not comparable"}


def test_it_is_told_in_the_language_of_the_comparison(stored, tmp_path):
    german = replace(stored, comparison=stored.comparison.model_copy(update={"language": "de"}))
    made = read(to_sr(german))
    first, _ = check_sentences(made, german.comparison)
    assert "in L2 (tumorverdächtig): gewachsen" in first
    (language,) = beneath(made, "Language of Content Item and Descendants")
    assert coded(language) == ("de", "RFC5646")
    (tmp_path / FILE_NAME).write_bytes(to_sr(german))
    assert faults(tmp_path / FILE_NAME) == []


def volumes(stored, *which):
    """The examinations, some of which came from NIfTI."""
    cases = list(stored.cases)
    for n in which:
        images = [
            replace(image, series=image.series.model_copy(update={"source": "nifti"})) for image in cases[n].images
        ]
        cases[n] = replace(cases[n], images=tuple(images))
    return replace(stored, cases=tuple(cases))


@pytest.mark.parametrize("which", [(0, 1, 2), (1,), (2,)], ids=["volumes", "mixed", "volumes last"])
@pytest.mark.parametrize("formats", [["csv", SR], formats_named("all")], ids=["named", "all"])
def test_of_volumes_none_is_made_and_nothing_is_left(stored, which, formats, tmp_path):
    with pytest.raises(OutputError, match=f"format dicom-sr: examination {which[0]} did not come from DICOM"):
        write_comparison(volumes(stored, *which), tmp_path / "out", formats=formats)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("header", [{"PatientID": "P2"}, {"PatientBirthDate": "19610101"}, {"IssuerOfPatientID": "B"}])
def test_two_patients_never_share_one(stored, header, tmp_path):
    first = in_files(stored.cases[0], tmp_path / "first", STUDIES[0], **{"IssuerOfPatientID": "A", **header})
    last = in_files(stored.cases[2], tmp_path / "last", STUDIES[2], IssuerOfPatientID="A")
    with pytest.raises(OutputError, match="examination 2 is not known to be of the patient of the baseline"):
        to_sr(replace(stored, cases=(first, first, last)))


def test_files_that_are_gone_are_told(stored, tmp_path):
    moved = in_files(stored.cases[2], tmp_path / "moved", STUDIES[2])
    moved.images[0].series.files[0].path.unlink()
    gone = replace(stored, cases=(*stored.cases[:2], moved))
    with pytest.raises(OutputError, match="a file of it cannot be read any more"):
        write_comparison(gone, tmp_path / "out", formats=[SR])
    assert not (tmp_path / "out").exists()


def test_formats_are_chosen_by_name(stored, tmp_path):
    usual = write_comparison(stored, tmp_path / "usual")
    assert sorted(path.name for path in usual.iterdir()) == sorted(FILES)
    whole = write_comparison(stored, tmp_path / "whole", formats=formats_named("all"))
    assert sorted(path.name for path in whole.iterdir()) == sorted((*FILES, FILE_NAME))
    few = write_comparison(stored, tmp_path / "few", formats=formats_named("TXT"))
    assert sorted(path.name for path in few.iterdir()) == ["comparison.json", "comparison.txt"]
    only = write_comparison(stored, tmp_path / "only", formats=formats_named("dicom-sr"))
    assert (only / FILE_NAME).read_bytes() == (whole / FILE_NAME).read_bytes()
    assert formats_named(None) == ("json", "txt", "csv", "html")
    with pytest.raises(OutputError, match="'pdf': expected some of json, txt, csv, html, dicom-sr"):
        formats_named("pdf")


def test_the_other_files_hold_no_identity(stored, tmp_path):
    out = write_comparison(stored, tmp_path / "out", formats=formats_named("all"))
    for name in FILES:
        content = (out / name).read_bytes()
        assert not [mark for mark in (b"Secret", *map(str.encode, STUDIES)) if mark in content]
    assert b"Secret" in (out / FILE_NAME).read_bytes()
