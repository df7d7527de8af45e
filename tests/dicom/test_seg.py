"""DICOM SEG objects, written by highdicom with empty frames left out, come back voxel by voxel in the patient."""

from __future__ import annotations

import warnings

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from spinemri.convert import write_nifti
from spinemri.dicom.seg import load_labels, load_seg
from spinemri.errors import InputError, SeriesError
from spinemri.series import Contrast
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels

GRID = sagittal_geometry(7, 17.0)
SEGMENTS = {1: "cord", 3: "L5", 41: "L1"}


def sources(folder):
    empty = dict.fromkeys(("AccessionNumber", "ReferringPhysicianName", "StudyID", "PositionReferenceIndicator"), "")
    writer = SeriesWriter(folder, number=2, series="1.2.826.0.1.1.2", preset="T2w", header=empty)
    writer.classic(GRID, unlike_voxels(GRID))
    read = [pydicom.dcmread(path) for path in sorted(folder.rglob("*")) if path.is_file()]
    return sorted(read, key=lambda d: np.dot(d.ImagePositionPatient, GRID.axes[:, 0]))


def description(number, label):
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.SpinalCord,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
    )


def write_seg(folder, masks, kind="BINARY", **options):
    """SEG of (segment, slice, row, column) masks, in the order of ``SEGMENTS`` numbered from 1 up."""
    images = sources(folder / "images")
    stack = np.stack(masks, axis=-1)
    names = [description(n, label) for n, label in enumerate(list(SEGMENTS.values())[: len(masks)], start=1)]
    seg = highdicom.seg.Segmentation(
        source_images=images,
        pixel_array=stack.astype(np.float32 if kind == "FRACTIONAL" else np.uint8),
        segmentation_type=kind,
        segment_descriptions=names,
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        **options,
    )
    path = folder / "mask.dcm"
    seg.save_as(path)
    return path


def sparse():
    """Three segments: one in slices 1 and 4 only, one in 2, one in 4; slices 0, 3, 5 and 6 stay empty."""
    masks = np.zeros((3, *GRID.shape), dtype=bool)
    masks[0, 1, 2:6, 3:9] = masks[0, 4, 3:5, 1:4] = True
    masks[1, 2, 8:12, 5:10] = True
    masks[2, 4, 7:13, 6:8] = True
    return list(masks)


def points_of(voxels, geometry, value):
    return geometry.to_patient(np.argwhere(voxels == value))


@pytest.mark.parametrize("omit", [True, False])
def test_every_labelled_voxel_is_where_it_was_drawn(tmp_path, omit):
    masks = sparse()
    voxels, geometry, names, series = load_seg(write_seg(tmp_path, masks, omit_empty_frames=omit))
    assert names == {1: "cord", 2: "L5", 3: "L1"}
    assert series == "1.2.826.0.1.1.2"
    assert geometry.frame_of_reference_uid == GRID.frame_of_reference_uid
    assert sorted(np.unique(voxels).tolist()) == [0, 1, 2, 3]
    for n, mask in enumerate(masks, start=1):
        found, expected = points_of(voxels, geometry, n), GRID.to_patient(np.argwhere(mask))
        assert len(found) == len(expected)
        nearest = np.linalg.norm(found[:, None] - expected[None], axis=2).min(axis=0)
        assert nearest.max() < 0.01
    assert geometry.spacing == pytest.approx(GRID.spacing, abs=1e-4)


def test_the_grid_is_that_of_the_stored_frames(tmp_path):
    geometry = load_seg(write_seg(tmp_path, sparse())).geometry
    assert geometry.shape == (4, *GRID.shape[1:])  # slices 1 to 4, the empty third among them


def test_a_frame_of_reference_that_is_no_uid_is_not_quoted_in_a_warning(tmp_path):
    path = write_seg(tmp_path, sparse())
    uid = GRID.frame_of_reference_uid.encode()
    content = path.read_bytes()
    assert content.count(uid) == 1
    path.write_bytes(content.replace(uid, b"SMITH^JOHN".ljust(len(uid), b"\0")[: len(uid)]))
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        load_seg(path)
    assert not shown


def test_a_label_map_keeps_numbers_that_do_not_follow_each_other(tmp_path):
    voxels = np.zeros(GRID.shape, dtype=np.uint8)
    voxels[1, 2:6, 3:9], voxels[4, 7:13, 6:8] = 1, 41
    seg = highdicom.seg.Segmentation(
        sources(tmp_path / "images"), voxels, "LABELMAP", [description(1, "cord"), description(41, "L1")],
        generate_uid(), 9, generate_uid(), 1, "test", "test", "1", "1",
    )  # fmt: skip
    seg.save_as(tmp_path / "mask.dcm")
    found, geometry, names, _ = load_seg(tmp_path / "mask.dcm")
    assert {n: names[n] for n in (1, 41)} == {1: "cord", 41: "L1"}
    expected = GRID.to_patient(np.argwhere(voxels == 41))
    assert np.abs(np.sort(points_of(found, geometry, 41), axis=0) - np.sort(expected, axis=0)).max() < 0.01


def test_a_mask_that_overlaps_or_is_fractional_is_refused(tmp_path):
    masks = sparse()
    masks[1] = masks[1] | masks[0]
    named = "segments in the file: 1 'cord', 2 'L5', 3 'L1'$"
    with pytest.raises(SeriesError, match=f"overlap.*; {named}"):
        load_seg(write_seg(tmp_path / "a", masks))
    with pytest.raises(SeriesError, match=f"fractional.*; {named}"):
        load_seg(write_seg(tmp_path / "b", sparse(), kind="FRACTIONAL"))


def test_a_mask_whose_frames_lie_askew_is_refused_with_its_segments(tmp_path):
    path = write_seg(tmp_path, sparse())
    seg = pydicom.dcmread(path)
    for n, frame in enumerate(seg.PerFrameFunctionalGroupsSequence):
        x, y, z = frame.PlanePositionSequence[0].ImagePositionPatient
        frame.PlanePositionSequence[0].ImagePositionPatient = [x, y, z + 0.7 * n * n]
    seg.save_as(path)
    with pytest.raises(InputError, match=r"^labels mask\.dcm: .*; segments in the file: 1 'cord', 2 'L5', 3 'L1'$"):
        load_labels(path)


@pytest.mark.parametrize(("count", "series"), [(0, None), (1, "1.2.826.0.1.1.2"), (2, None)])
def test_a_mask_that_refers_to_no_series_or_several_names_none(tmp_path, count, series):
    path = write_seg(tmp_path, sparse())
    seg = pydicom.dcmread(path)
    (one,) = seg.ReferencedSeriesSequence
    other = pydicom.Dataset()
    other.SeriesInstanceUID = "1.2.3"
    seg.ReferencedSeriesSequence = [one, other][:count]
    seg.save_as(path)
    assert load_seg(path).series_uid == series


def test_a_file_that_is_no_mask_is_refused_by_its_name(tmp_path):
    sources(tmp_path / "images")
    image = next(path for path in (tmp_path / "images").rglob("*") if path.is_file())
    (tmp_path / "notes.txt").write_text("x")
    for path in (image, tmp_path / "notes.txt"):
        with pytest.raises(InputError, match=f"^labels {path.name}: .*neither .* nor a DICOM SEG"):
            load_labels(path)
    with pytest.raises(InputError, match=r"^labels gone\.nii: no such file"):
        load_labels(tmp_path / "gone.nii")


def test_a_label_file_is_read_whatever_its_format(tmp_path):
    path = write_seg(tmp_path, sparse())
    seg, segments, said = load_labels(path, {GRID.frame_of_reference_uid: "token", "1.2.826.0.1.1.2": "series"}.get)
    assert seg.geometry.frame_of_reference_uid == "token"
    assert seg.series.series_uid == "series"
    assert load_labels(path, {}.get)[0].series.series_uid == ""
    assert segments == {1: "cord", 2: "L5", 3: "L1"}
    assert said == "segments in the file: 1 'cord', 2 'L5', 3 'L1'"
    assert seg.series.contrast is Contrast.OTHER
    voxels = np.zeros(GRID.shape, dtype=np.uint16)
    voxels[2, 3:5, 4:9] = 41
    write_nifti(voxels, GRID, tmp_path / "sub-1_T2w_seg.nii.gz")
    nifti, segments, said = load_labels(tmp_path / "sub-1_T2w_seg.nii.gz")
    assert (nifti.series.series_uid, segments, said) == ("", {}, "")
    assert nifti.series.contrast is Contrast.T2W
    assert nifti.geometry.frame_of_reference_uid is None
    assert sorted(np.unique(nifti.voxels).tolist()) == [0, 41]
