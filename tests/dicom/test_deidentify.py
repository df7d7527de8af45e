"""A copy without identifiers: by the standard's table, consistent over files and runs, and still the same study."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date

import pydicom
import pytest
from pydicom.datadict import get_private_entry
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.tag import Tag
from pydicom.uid import UID, ImplicitVRLittleEndian

from spinemri.dicom.confidentiality import DEFAULT, TABLE, Action, Option, action_of, codes_of_methods
from spinemri.dicom.deidentify import SAFE_PRIVATE, Rules, without_identifiers
from spinemri.dicom.deidentify_folder import deidentify_folder
from spinemri.dicom.pseudonyms import Pseudonyms
from spinemri.dicom.seg import load_seg
from spinemri.dicom.values import lenient
from spinemri.dicom.vocabulary import cleaned, is_term, words_of
from spinemri.errors import InputError
from spinemri.pipeline import analyze
from spinemri.report.write import write
from spinemri.series import patient_key
from tests.batch.small_study import KEY, OPTIONS, edit, true_networks, write_study
from tests.cli.command import run
from tests.dicom.series_builder import SeriesWriter, item, sagittal_geometry, unlike_voxels
from tests.report.validators import faults

GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)
WHO = Pseudonyms(KEY, patient_key("P1"))
RULES = Rules(WHO, DEFAULT)


def kept(rules: Rules = RULES, **values: object) -> Dataset:
    with lenient():
        return without_identifiers(item(**values), rules)


# The rows that matter most here, as PS3.15 table E.1-1 of 2026c has them.
@pytest.mark.parametrize(
    ("keyword", "options", "action"),
    [
        ("PatientName", (), Action.EMPTY),
        ("PatientID", (), Action.DUMMY),
        ("PatientBirthDate", DEFAULT, Action.EMPTY),
        ("StudyInstanceUID", (), Action.UID),
        ("FrameOfReferenceUID", DEFAULT, Action.UID),
        ("FrameOfReferenceUID", {Option.UIDS}, Action.KEEP),
        ("ReferencedSOPInstanceUID", (), Action.UID),
        ("StudyDate", (), Action.EMPTY),
        ("StudyDate", {Option.DATES}, Action.CLEAN),
        ("StudyDate", {Option.FULL_DATES}, Action.KEEP),
        ("SeriesDescription", (), Action.REMOVE),
        ("SeriesDescription", {Option.DESCRIPTORS}, Action.CLEAN),
        ("PatientAge", (), Action.REMOVE),
        ("PatientAge", {Option.PATIENT}, Action.KEEP),
        ("DeviceSerialNumber", (), Action.DUMMY),
        ("DeviceSerialNumber", {Option.DEVICE}, Action.KEEP),
        ("InstitutionName", (), Action.DUMMY),
        ("InstitutionName", {Option.INSTITUTION}, Action.KEEP),
        ("RequestAttributesSequence", (), Action.REMOVE),
        ("OriginalAttributesSequence", DEFAULT, Action.REMOVE),
        ("ContentSequence", {Option.STRUCTURED}, Action.CLEAN),
        ("Rows", (), None),
    ],
)
def test_actions_are_those_of_the_standard(keyword, options, action):
    assert action_of(pydicom.datadict.tag_for_keyword(keyword), options) is action


def test_the_table_is_that_of_another_implementation():
    fields = pytest.importorskip(
        "dicomanonymizer.dicom_anonymization_databases.dicomfields_2026c", reason="no dicom-anonymizer with 2026c"
    )
    other = {
        tag[0] << 16 | tag[1]: name.removesuffix("_TAGS").replace("_STAR", "*").replace("_", "/")
        for name in vars(fields)
        if name.endswith("_TAGS") and name != "ALL_TAGS"
        for tag in getattr(fields, name)
        if len(tag) == 2
    }
    assert {tag: row["basic"] for tag, row in TABLE.items()} == other


def test_every_tag_of_the_table_is_one_of_the_dictionary():
    assert len(TABLE) > 600
    strange = [f"{tag:08X}" for tag in TABLE if not pydicom.datadict.dictionary_has_tag(tag)]
    assert len(strange) < 0.1 * len(TABLE), strange  # newer than the dictionary


def test_every_method_has_its_code():
    methods = codes_of_methods(frozenset(Option))
    assert getattr(codes.cid7050, methods[0]).value == "113100"
    assert len({getattr(codes.DCM, name).value for name in methods}) == 1 + len(Option)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("sag T1 tse MUSTERMANN", "sag T1 tse"),
        ("T1_tse_sag_384 +C", "T1_tse_sag_ +C"),
        ("T1 sag without contrast", "T1 sag without contrast"),
        ("*tse2d1_15", "*tse2d1"),
        ("HWS Müller 3.11.47", "HWS"),
        ("MUSTERMANN", ""),
        ("vertebral body L4", "vertebral body L4"),
        ("T20251103", ""),
    ],
)
def test_texts_keep_known_words_alone(text, left):
    assert cleaned(text) == left


def test_a_person_whose_name_is_a_known_word_loses_the_word():
    assert cleaned("sag T1 Short", words_of("SHORT^JOHN")) == "sag T1"


def test_coded_strings_are_those_of_the_standard():
    assert is_term("INVERSION_RECOVERY")
    assert not is_term("MUSTERMANN")
    made = kept(ImageType=["ORIGINAL", "PRIMARY", "M", "MUSTERMANN"], PatientPosition="HFS", ScanOptions="MUSTERMANN")
    assert list(made.ImageType) == ["ORIGINAL", "PRIMARY", "M", "OTHER"]
    assert (made.PatientPosition, made.ScanOptions) == ("HFS", "")


def test_codes_keep_the_meaning_of_their_dictionary_and_others_go():
    known = item(CodeValue="51282000", CodingSchemeDesignator="SCT", CodeMeaning="MUSTERMANN")
    strange = item(CodeValue="MUSTERMANN", CodingSchemeDesignator="99HOSPITAL", CodeMeaning="MUSTERMANN")
    made = kept(AnatomicRegionSequence=[known, strange])
    assert [(code.CodeValue, code.CodeMeaning) for code in made.AnatomicRegionSequence] == [("51282000", "Vertebra")]


def test_text_of_a_structured_report_goes_whole_and_numbers_stay():
    number = item(
        ValueType="NUM",
        ConceptNameCodeSequence=[item(CodeValue="HEIGHT_ANT", CodingSchemeDesignator="99SPINEMRI", CodeMeaning="x")],
        MeasuredValueSequence=[item(NumericValue=24.5)],
    )
    words = item(
        ValueType="TEXT",
        ConceptNameCodeSequence=[item(CodeValue="121071", CodingSchemeDesignator="DCM", CodeMeaning="Finding")],
        TextValue="no fracture in MUSTERMANN",
    )
    person = item(
        ValueType="PNAME",
        ConceptNameCodeSequence=[item(CodeValue="121008", CodingSchemeDesignator="DCM", CodeMeaning="x")],
        PersonName="MUSTERMANN",
    )
    made = kept(ContentSequence=[number, words, person])
    assert made.ContentSequence[0].MeasuredValueSequence[0].NumericValue == 24.5
    assert made.ContentSequence[0].ConceptNameCodeSequence[0].CodeMeaning == "Anterior vertebral height"
    assert made.ContentSequence[1].TextValue == "REMOVED"
    assert "MUSTERMANN" not in str(made)


def test_private_groups_curves_and_overlays_go_also_within_sequences():
    inner = item(StudyDescription="x")
    inner.private_block(0x0029, "SIEMENS CSA", create=True).add_new(1, "LO", "MUSTERMANN")
    dataset = item(ReferencedStudySequence=[], RealWorldValueMappingSequence=[inner])
    dataset.add_new(0x50000010, "US", 2)
    dataset.add_new(0x60003000, "OB", b"xx")
    made = without_identifiers(dataset, RULES)
    assert not [element for element in made.iterall() if element.tag.is_private]
    assert 0x50000010 not in made
    assert 0x60003000 not in made


def test_safe_private_numbers_stay_on_request_alone():
    dataset = Dataset()
    block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "800")
    block.add_new(0x10, "LO", "MUSTERMANN")
    assert not without_identifiers(dataset, RULES)
    made = without_identifiers(dataset, replace(RULES, options=DEFAULT | {Option.SAFE_PRIVATE}))
    assert [str(element.value) for element in made] == ["SIEMENS MR HEADER", "800"]


def test_what_is_listed_as_safe_is_known_to_pydicom_as_a_number_of_that_vendor():
    """pydicom took its dictionary of private attributes from GDCM; the standard's table is named in the code."""
    kinds = {
        (creator, group, element): get_private_entry(Tag(group, 0x1000 | element), creator)[0]
        for creator, group, element in SAFE_PRIVATE
    }
    assert len(kinds) == 7
    assert set(kinds.values()) <= {"IS", "DS", "FL", "FD"}


def test_dates_move_by_one_constant_of_the_patient_and_times_stay():
    made = kept(StudyDate="20200229", AcquisitionDateTime="20200310101500.5", StudyTime="101500", ContentDate="2020")
    moved = date.fromisoformat(made.StudyDate)
    assert (date(2020, 2, 29) - moved).days == WHO.days
    assert made.AcquisitionDateTime[8:] == "101500.5"
    assert (date.fromisoformat(made.AcquisitionDateTime[:8]) - moved).days == 10
    assert (made.StudyTime, made.ContentDate) == ("101500", "")
    assert Pseudonyms(KEY, "other").days != WHO.days
    assert Pseudonyms(b"another key of some length", WHO.patient).days != WHO.days
    basic = kept(replace(RULES, options=frozenset()), StudyDate="20200229", StudyTime="101500")
    assert (basic.StudyDate, basic.StudyTime) == ("", "")
    full = kept(replace(RULES, options=frozenset({Option.FULL_DATES})), StudyDate="20200229")
    assert full.StudyDate == "20200229"


def test_uids_are_the_same_wherever_they_stand_and_classes_stay():
    reference = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.4", ReferencedSOPInstanceUID="1.2.3.4")
    made = kept(SOPInstanceUID="1.2.3.4", FrameOfReferenceUID="1.2.9", ReferencedImageSequence=[reference])
    other = kept(SourceImageSequence=[reference], FrameOfReferenceUID="1.2.9")
    new = made.SOPInstanceUID
    assert UID(new).is_valid
    assert new != "1.2.3.4"
    assert made.ReferencedImageSequence[0].ReferencedSOPInstanceUID == new
    assert other.SourceImageSequence[0].ReferencedSOPInstanceUID == new
    assert other.FrameOfReferenceUID == made.FrameOfReferenceUID
    assert made.ReferencedImageSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.4"
    assert kept(replace(RULES, options=frozenset({Option.UIDS})), StudyInstanceUID="1.2.3").StudyInstanceUID == "1.2.3"


def test_a_number_that_is_zero_stays_and_one_that_is_none_goes():
    made = kept(RescaleIntercept=0, MeasuredValueSequence=[item(NumericValue=0)], RescaleSlope=1)
    assert (made.RescaleIntercept, made.MeasuredValueSequence[0].NumericValue, made.RescaleSlope) == (0, 0, 1)
    strange = Dataset()
    tag = pydicom.datadict.tag_for_keyword("EchoTime")
    strange[tag] = RawDataElement(
        pydicom.tag.Tag(tag), "DS", 10, b"MUSTERMANN", 0, is_implicit_VR=False, is_little_endian=True
    )
    with lenient():
        made = without_identifiers(strange, RULES)
    assert "MUSTERMANN" not in str(made)


def test_objects_of_the_copy_obey_the_standard_as_those_of_the_source_do(tmp_path):
    write_study(tmp_path / "study" / "a", 1)
    case = analyze(tmp_path / "study", true_networks(), OPTIONS)
    write(case, tmp_path / "study" / "ours", formats=("dicom-seg", "dicom-sr", "rtstruct"))
    (tmp_path / "copy").mkdir()
    deidentify_folder(tmp_path / "study", tmp_path / "copy", KEY, DEFAULT)
    made = [path for path in (tmp_path / "copy").rglob("*.dcm") if pydicom.dcmread(path).Modality != "MR"]
    assert len(made) == 3
    assert [faults(path) for path in made] == [[], [], []]


def test_the_age_of_the_very_old_is_not_told():
    assert kept(PatientAge="097Y").PatientAge == "090Y"
    assert kept(PatientAge="062Y").PatientAge == "062Y"


def test_the_copy_gives_the_same_numbers_and_its_segmentation_fits_it(tmp_path):
    write_study(tmp_path / "study" / "MUSTERMANN", 1, "PID4711")
    original = analyze(tmp_path / "study", true_networks(), OPTIONS)
    write(original, tmp_path / "study" / "ours", formats=("dicom-seg", "dicom-sr", "rtstruct", "key-images"))
    (tmp_path / "copy").mkdir()
    account = deidentify_folder(tmp_path / "study", tmp_path / "copy", KEY, DEFAULT)
    again = deidentify_folder(tmp_path / "study", tmp_path / "copy", KEY, DEFAULT)  # the same names, the same bytes
    assert (again.written, again.patients) == (account.written, account.patients)
    files = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert len(files) == account.written
    assert account.patients == {original.analysis.patient}  # report and copy can be joined

    copied = analyze(tmp_path / "copy", true_networks(), OPTIONS)
    assert [(m.id, m.value) for m in copied.analysis.measurements] == [
        (m.id, m.value) for m in original.analysis.measurements
    ]
    assert copied.analysis.patient_age_years == original.analysis.patient_age_years

    kinds = {pydicom.dcmread(path).Modality: path for path in files}
    assert {"MR", "SEG", "SR", "RTSTRUCT"} <= set(kinds)
    seg, image = pydicom.dcmread(kinds["SEG"]), pydicom.dcmread(kinds["MR"])
    assert seg.FrameOfReferenceUID == image.FrameOfReferenceUID
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == image.SeriesInstanceUID
    assert set(load_seg(kinds["SEG"]).segments.values()) == set(
        load_seg(next((tmp_path / "study" / "ours").glob("segmentation*.dcm"))).segments.values()
    )
    report = pydicom.dcmread(kinds["SR"])
    assert any(element.keyword == "NumericValue" for element in report.iterall())
    assert "PID4711" not in str(report)


def test_an_enhanced_image_keeps_geometry_and_pixels(tmp_path):
    writer = SeriesWriter(tmp_path / "in", header={"ImageComments": "MUSTERMANN", "PatientAge": None})
    path = writer.enhanced(GRID, VOXELS)
    (tmp_path / "out").mkdir()
    deidentify_folder(tmp_path / "in", tmp_path / "out", KEY, DEFAULT)
    (made,) = map(pydicom.dcmread, (tmp_path / "out").rglob("*.dcm"))
    source = pydicom.dcmread(path)
    assert made.PixelData == source.PixelData
    places = [
        [frame.PlanePositionSequence[0].ImagePositionPatient for frame in one.PerFrameFunctionalGroupsSequence]
        for one in (made, source)
    ]
    assert places[0] == places[1]
    assert made.PatientIdentityRemoved == "YES"
    assert made.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [code.CodeValue for code in made.DeidentificationMethodCodeSequence] == [
        "113100",
        "113105",
        "113104",
        "113107",
        "113108",
    ]
    assert made.PatientAge == "060Y"  # the birth date told it
    assert made.PatientID == made.PatientName == WHO.name


REFUSED = {
    "burned into": {"BurnedInAnnotation": "YES"},
    "Secondary Capture": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
    "X-Ray Radiation Dose SR": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67"},
    "Encapsulated PDF": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"},
    "screenshot": {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    "colour": {"PhotometricInterpretation": "RGB"},
    "without pixels": {"PixelData": None},
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_may_show_a_person_is_refused_with_the_reason(tmp_path, why):
    SeriesWriter(tmp_path / "in", header=REFUSED[why]).classic(GRID, VOXELS, [0])
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=f"nothing to de-identify among 1 files: 1 files: .*{why}"):
        deidentify_folder(tmp_path / "in", tmp_path / "out", KEY, DEFAULT)
    assert not list((tmp_path / "out").iterdir())


def test_a_file_without_preamble_is_copied_and_a_truncated_one_refused(tmp_path):
    whole, cut = SeriesWriter(tmp_path / "in").classic(GRID, VOXELS, [0, 1])
    dataset = pydicom.dcmread(whole)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.preamble = None
    del dataset.file_meta
    pydicom.dcmwrite(whole, dataset, implicit_vr=True, little_endian=True)
    cut.write_bytes(cut.read_bytes()[:-50])
    (tmp_path / "out").mkdir()
    account = deidentify_folder(tmp_path / "in", tmp_path / "out", KEY, DEFAULT)
    assert account.written == 1
    assert dict(account.refused) == {"pixels are missing: a truncated file": 1}


def test_the_command_tells_what_was_refused_and_what_may_show_a_face(tmp_path):
    files = write_study(tmp_path / "MUSTERMANN", 1, "PID4711")
    edit(files, BodyPartExamined="CSPINE")
    edit(files[:1], BurnedInAnnotation="YES")
    outcome = run("deidentify", tmp_path / "MUSTERMANN", "-o", tmp_path / "copy", "--token-key", tmp_path / "key")
    assert outcome.code == 0
    assert "1 files refused: text is burned into the pixels" in outcome.err
    assert "1 series may show a face in profile" in outcome.err
    assert re.fullmatch(rf"written: {len(files) - 1} files of 1 series of 1 patients\n", outcome.out)
    account = json.loads((tmp_path / "copy" / "deidentification.json").read_text())
    assert account["files_refused"] == {"text is burned into the pixels": 1}
    assert "MUSTERMANN" not in json.dumps(account) + outcome.err + outcome.out


def test_the_command_leaves_nothing_when_it_fails(tmp_path):
    write_study(tmp_path / "in", 1)
    for given, said in (
        (("-o", tmp_path / "in" / "copy"), "lies in the folder with the originals"),
        (("-o", tmp_path / "copy", "--basic", "--option", "dates"), "--basic with --option"),
        (("-o", tmp_path / "copy", "--option", "dates", "--option", "full-dates"), "expected one of them"),
        (("-o", tmp_path / "copy", "--token-key", tmp_path / "copy" / "key"), "must not lie in the output folder"),
    ):
        outcome = run("deidentify", tmp_path / "in", *given)
        assert outcome.code == 2
        assert said in outcome.err
    (tmp_path / "empty").mkdir()
    assert run("deidentify", tmp_path / "empty", "-o", tmp_path / "copy").code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "in"]
