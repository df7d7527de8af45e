from __future__ import annotations

import re
from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.codes import PRIVATE_SCHEME, VERTEBRAL_CANAL
from spinemri.dicom.seg import load_seg
from spinemri.errors import OutputError
from spinemri.report.dicom_seg import write_seg
from spinemri.report.dicom_sr import write_sr
from tests.report import dicom_phantom as phantom
from tests.report.dicom_phantom import ORIENTATIONS, STRUCTURES
from tests.report.validators import faults

SEGMENTS = dict(enumerate(sorted(STRUCTURES), start=1))


@pytest.fixture(scope="module", params=ORIENTATIONS.values(), ids=ORIENTATIONS.keys())
def written(request, tmp_path_factory):
    """The case of a series in one orientation, and the folder with its SEG objects."""
    folder = tmp_path_factory.mktemp("seg")
    case = phantom.case_of(phantom.series_of(folder / "source", request.param))
    write_seg(case, folder)
    return case, folder


def volume_of(path):
    """Segment numbers, and the patient point of every voxel as highdicom understands the object."""
    volume = highdicom.seg.segread(path).get_volume(combine_segments=True, dtype=np.uint16)
    index = np.stack(np.indices(volume.spatial_shape), axis=-1)
    return volume.array, index @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def test_what_is_where_in_the_patient_survives_every_orientation(written):
    case, folder = written
    found, points = volume_of(folder / "segmentation_2.dcm")
    expected = phantom.truth(points)
    assert np.array_equal(np.vectorize({0: 0, **SEGMENTS}.get)(found), expected)
    assert [(found == n).sum() for n in SEGMENTS] == [
        (case.segmentations[0].voxels == value).sum() for value in SEGMENTS.values()
    ]


def test_left_stays_left_and_right_stays_right(written):
    _, folder = written
    names = {value: n for n, value in SEGMENTS.items()}
    found, points = volume_of(folder / "segmentation_2.dcm")
    body, arch = (points[found == names[v]].mean(axis=0) for v in (26, 66))
    lesions, there = volume_of(folder / "lesions_2.dcm")
    lesion = there[lesions == 1].mean(axis=0)
    assert arch[0] - body[0] == pytest.approx(15, abs=1.5)  # +x is left in LPS
    assert lesion[0] - body[0] == pytest.approx(-8.2, abs=1.5)


def test_every_frame_names_the_image_it_lies_on(written):
    case, folder = written
    positions = {}
    for file in case.images[0].series.files:
        source = pydicom.dcmread(file.path)
        groups = source.get("PerFrameFunctionalGroupsSequence")
        for n, plane in enumerate([source] if groups is None else [g.PlanePositionSequence[0] for g in groups]):
            positions[source.SOPInstanceUID, n + 1 if groups else None] = plane.ImagePositionPatient
    for name in ("segmentation_2.dcm", "lesions_2.dcm"):
        seg = pydicom.dcmread(folder / name)
        assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID
        instances = [
            item.ReferencedSOPInstanceUID for item in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
        ]
        assert sorted(instances) == sorted({uid for uid, _ in positions})
        for frame in seg.PerFrameFunctionalGroupsSequence:
            (image,) = frame.DerivationImageSequence[0].SourceImageSequence
            assert image.ReferencedSOPClassUID == source.SOPClassUID
            there = positions[image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")]
            assert np.allclose(frame.PlanePositionSequence[0].ImagePositionPatient, there, atol=1e-3)


def test_a_seg_belongs_to_the_patient_and_the_study_of_its_source(written):
    case, folder = written
    source = pydicom.dcmread(case.images[0].series.files[0].path)
    seg = pydicom.dcmread(folder / "segmentation_2.dcm")
    kept = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyInstanceUID", "StudyDate")
    assert [seg[name].value for name in kept] == [source[name].value for name in kept]
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    assert (seg.Modality, seg.SegmentationType, seg.SegmentsOverlap) == ("SEG", "BINARY", "NO")
    assert (seg.Manufacturer, seg.SoftwareVersions) == ("spinemri", "0.2.0")
    assert b"tok-" not in (folder / "segmentation_2.dcm").read_bytes()


def test_dciodvfy_finds_no_error(written):
    _, folder = written
    assert [faults(folder / name) for name in ("segmentation_2.dcm", "lesions_2.dcm")] == [[], []]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    case = phantom.case_of(phantom.series_of(folder / "source", ORIENTATIONS["oblique"]))
    write_seg(case, folder)
    return case, folder


def described(path):
    seg = highdicom.seg.segread(path)
    return {seg.get_segment_description(n).segment_label: seg.get_segment_description(n) for n in seg.segment_numbers}


def test_segments_are_named_as_in_the_report_and_coded(one):
    _, folder = one
    found = described(folder / "segmentation_2.dcm")
    assert list(found) == ["vertebral body L6", "posterior elements L6", "disc L6-S1", "thecal sac", "cord"]
    body, disc = found["vertebral body L6"], found["disc L6-S1"]
    assert body.segmented_property_type.meaning == "Vertebra"
    assert (body.anatomic_regions[0].value, body.anatomic_regions[0].scheme_designator) == ("LEVEL_L6", PRIVATE_SCHEME)
    assert disc.segmented_property_type.scheme_designator == PRIVATE_SCHEME
    assert found["cord"].segmented_property_type.value == "2748008"
    assert (found["cord"].algorithm_type.value, found["cord"].anatomic_regions) == ("AUTOMATIC", [])


def test_a_sac_is_no_vertebral_canal(one):
    _, folder = one
    kinds = {name: d.segmented_property_type for name, d in described(folder / "segmentation_2.dcm").items()}
    assert kinds["thecal sac"].scheme_designator == PRIVATE_SCHEME
    assert VERTEBRAL_CANAL.value not in {kind.value for kind in kinds.values()}


def test_a_lesion_is_a_lesion_at_its_vertebra(one):
    _, folder = one
    (label, lesion), *others = described(folder / "lesions_2.dcm").items()
    assert (label, others) == ("lesion-1, L6", [])
    assert lesion.segmented_property_category.meaning == "Morphologically Abnormal Structure"
    assert (lesion.segmented_property_type.meaning, lesion.anatomic_regions[0].meaning) == ("Lesion", "L6 vertebra")
    assert lesion.tracking_id == "lesion-1"


def test_a_segment_says_which_model_drew_it(one):
    _, folder = one
    for name, model, checksum in (
        ("segmentation_2", "spine_anatomy", "5c" * 32),
        ("lesions_2", "marrow_lesion", "e1" * 32),
    ):
        for segment in pydicom.dcmread(folder / f"{name}.dcm").SegmentSequence:
            (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
            assert (algorithm.AlgorithmName, segment.SegmentAlgorithmName) == (model, model)
            assert algorithm.AlgorithmParameters == f"model sha256={checksum}"
            assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"


def test_a_mask_by_another_tool_says_whose_it_is(one, tmp_path):
    case, _ = one
    mask = replace(case.segmentations[0], made_by="totalspineseg-step2 (mask.nii.gz)")
    write_seg(replace(case, segmentations=(mask,)), tmp_path)
    segment = pydicom.dcmread(tmp_path / "segmentation_2.dcm").SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert segment.SegmentAlgorithmName == "totalspineseg-step2 (mask.nii.gz)"


def test_our_own_reader_takes_it_as_a_label_map(one):
    case, folder = one
    read = load_seg(folder / "segmentation_2.dcm")
    assert list(read.segments.values()) == [str(STRUCTURES[value]) for value in SEGMENTS.values()]
    here = case.segmentations[0]
    for n, value in SEGMENTS.items():
        there = read.geometry.to_patient(np.argwhere(read.voxels == n).mean(axis=0))
        assert np.allclose(there, here.geometry.to_patient(np.argwhere(here.voxels == value).mean(axis=0)), atol=0.01)


def test_the_same_input_gives_the_same_bytes_and_another_mask_another_object(one, tmp_path):
    case, folder = one
    write_seg(case, tmp_path)
    for name in ("segmentation_2.dcm", "lesions_2.dcm"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    voxels = case.segmentations[0].voxels.copy()
    voxels[tuple(np.argwhere(voxels == 26)[0])] = 0
    write_seg(replace(case, segmentations=(replace(case.segmentations[0], voxels=voxels),)), tmp_path)
    first, other = (pydicom.dcmread(path / "segmentation_2.dcm") for path in (folder, tmp_path))
    assert first.SOPInstanceUID != other.SOPInstanceUID
    assert first.SeriesInstanceUID != other.SeriesInstanceUID


def test_a_later_analysis_differs_only_in_its_times(one, tmp_path):
    case, folder = one
    later = case.analysis.provenance.model_copy(update={"created": "2027-01-02T03:04:05+00:00", "seconds": {"read": 9}})
    write_seg(replace(case, analysis=case.analysis.model_copy(update={"provenance": later})), tmp_path)
    first, other = (pydicom.dcmread(path / "segmentation_2.dcm") for path in (folder, tmp_path))
    differing = {e.keyword for e in first if e != other[e.tag]}
    assert differing
    assert all(re.search("(Date|Time)$", keyword) for keyword in differing)


def test_a_missing_slice_is_left_out_and_the_others_stay_in_place(tmp_path):
    image = phantom.series_of(tmp_path / "source", ORIENTATIONS["coronal"])
    gone = image.series.files[8]
    gone.path.unlink()
    files = tuple(file for file in image.series.files if file != gone)
    case = phantom.case_of(replace(image, series=image.series.model_copy(update={"files": files}), missing_slices=(8,)))
    write_seg(case, tmp_path)
    found, points = volume_of(tmp_path / "segmentation_2.dcm")
    expected = phantom.truth(points)
    k = case.images[0].geometry.to_index(points)[..., 0]
    expected[np.abs(k - 8) < 0.5] = 0
    assert np.array_equal(np.vectorize({0: 0, **SEGMENTS}.get)(found), expected)


def test_a_header_that_breaks_the_standard_gives_an_object_that_does_not(tmp_path):
    broken = {
        "PatientSex": "W", "PatientBirthDate": "", "StudyTime": None, "StudyDate": None, "StudyID": None,
        "PatientName": "Müller^Zoë", "SpecificCharacterSet": "ISO_IR 100", "FrameOfReferenceUID": None,
    }  # fmt: skip
    image = phantom.series_of(tmp_path / "source", ORIENTATIONS["sagittal"], **broken)
    write_seg(phantom.case_of(image), tmp_path)
    seg = pydicom.dcmread(tmp_path / "segmentation_2.dcm")
    assert str(seg.PatientName) == "Müller^Zoë"
    assert (seg.PatientSex, seg.StudyDate) == ("", "")
    assert seg.FrameOfReferenceUID
    assert faults(tmp_path / "segmentation_2.dcm") == []


def test_a_name_that_highdicom_minds_is_kept_and_repeated_nowhere(tmp_path, caplog, capsys):
    image = phantom.series_of(tmp_path / "source", ORIENTATIONS["sagittal"], PatientName="SECRETNAME")
    case = phantom.case_of(image)
    write_seg(case, tmp_path)
    write_sr(case, tmp_path)
    assert pydicom.dcmread(tmp_path / "measurements.dcm").PatientName == "SECRETNAME"
    assert "SECRETNAME" not in caplog.text + "".join(capsys.readouterr())


def test_files_that_are_gone_or_exchanged_are_refused_in_one_line(tmp_path):
    image = phantom.series_of(tmp_path / "source", ORIENTATIONS["sagittal"])
    case = phantom.case_of(image)
    path = image.series.files[0].path
    moved = pydicom.dcmread(path)
    moved.ImagePositionPatient = [0, 0, 9999]
    moved.save_as(path)
    with pytest.raises(OutputError, match=r"series 2: a file of it holds another image"):
        write_seg(case, tmp_path)
    path.write_text("a letter")
    with pytest.raises(OutputError, match=r"series 2: a file of it is no DICOM image any more"):
        write_seg(case, tmp_path)
    path.unlink()
    with pytest.raises(OutputError, match="series 2: a file of it cannot be read any more") as refused:
        write_seg(case, tmp_path)
    assert str(path) not in str(refused.value)


def test_a_vertebra_with_a_code_is_its_own_region(one, tmp_path):
    case, _ = one
    levels = {26: Structure(StructureKind.VERTEBRAL_BODY, Level("L5"))}
    mask = replace(case.segmentations[0], structures={**STRUCTURES, **levels})
    write_seg(replace(case, segmentations=(mask,)), tmp_path)
    body = described(tmp_path / "segmentation_2.dcm")["vertebral body L5"]
    assert (body.segmented_property_type.value, body.anatomic_regions) == ("49668003", [])


def test_slices_that_share_a_uid_are_not_referred_to(tmp_path):
    image = phantom.series_of(tmp_path / "in", ORIENTATIONS["sagittal"], SOPInstanceUID="1.2.3.4")
    with pytest.raises(OutputError, match=r"^series 2: two slices have one SOP Instance UID"):
        write_seg(phantom.case_of(image), tmp_path)
