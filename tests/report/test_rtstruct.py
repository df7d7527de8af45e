from __future__ import annotations

import numpy as np
import pydicom
import pytest
from matplotlib.path import Path as Outline

from spinemri.plot import structure_colour
from spinemri.report.rtstruct import outlines, write_rtstruct
from tests.report import dicom_phantom as phantom
from tests.report.dicom_phantom import BODY, ORIENTATIONS, STRUCTURES
from tests.report.validators import faults


@pytest.fixture(scope="module", params=ORIENTATIONS.values(), ids=ORIENTATIONS.keys())
def written(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rt")
    case = phantom.case_of(phantom.series_of(folder / "source", request.param))
    write_rtstruct(case, folder)
    return case, pydicom.dcmread(folder / "contours_2.dcm"), folder


def planes_of(case):
    """(UID, frame) -> position, direction of rows, direction of columns, spacing, from the source files alone."""
    found = {}
    for file in case.images[0].series.files:
        source = pydicom.dcmread(file.path)
        groups = source.get("PerFrameFunctionalGroupsSequence")
        shared = source if groups is None else source.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
        sizes = source if groups is None else source.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        axes = np.array(shared.ImageOrientationPatient, dtype=float)
        for n, plane in enumerate([source] if groups is None else [g.PlanePositionSequence[0] for g in groups]):
            key = (source.SOPInstanceUID, n + 1 if groups else None)
            position = np.array(plane.ImagePositionPatient, dtype=float)
            found[key] = (position, axes[:3], axes[3:], np.array(sizes.PixelSpacing, dtype=float))
    return found, (source.Rows, source.Columns)


def filled(contours, plane, size):
    """Pixels of an image whose centre lies in the contours, and the patient points of all pixels."""
    position, along, down, (row_mm, column_mm) = plane
    rows, columns = np.indices(size)
    points = position + columns[..., None] * column_mm * along + rows[..., None] * row_mm * down
    inside = np.zeros(size, dtype=bool)
    for contour in contours:
        ring = np.array(contour.ContourData, dtype=float).reshape(-1, 3) - position
        assert np.abs(ring @ np.cross(along, down)).max() < 1e-3  # lies in the plane
        flat = np.column_stack([ring @ along / column_mm, ring @ down / row_mm])
        centres = np.column_stack([columns.ravel(), rows.ravel()])
        inside ^= Outline(np.vstack([flat, flat[:1]])).contains_points(centres).reshape(size)
    return inside, points


def test_filling_the_contours_gives_back_what_is_where_in_the_patient(written):
    case, rt, _ = written
    planes, size = planes_of(case)
    names = {roi.ROINumber: roi.ROIName for roi in rt.StructureSetROISequence}
    values = {str(structure): value for value, structure in STRUCTURES.items()}
    for roi in rt.ROIContourSequence:
        name = names[roi.ReferencedROINumber]
        hit = total = 0
        for key, plane in planes.items():
            own = [c for c in roi.ContourSequence if _key(c) == key]
            inside, points = filled(own, plane, size)
            true = phantom.truth(points) == values[name] if name in values else phantom.lesion_truth(points)
            hit, total = hit + 2 * (inside & true).sum(), total + inside.sum() + true.sum()
        assert total > 100
        assert hit / total > 0.98, name


def _key(contour):
    (image,) = contour.ContourImageSequence
    return image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")


def test_left_stays_left_and_right_stays_right(written):
    _, rt, _ = written
    middle = {}
    for roi, contours in zip(rt.StructureSetROISequence, rt.ROIContourSequence, strict=True):
        points = np.vstack([np.array(c.ContourData, dtype=float).reshape(-1, 3) for c in contours.ContourSequence])
        middle[roi.ROIName] = points.mean(axis=0)
    body = middle["vertebral body L6"]
    assert middle["posterior elements L6"][0] - body[0] > 10  # +x is left
    assert middle["lesion-1, L6"][0] - body[0] < -5


def test_regions_have_names_and_colours_and_belong_to_the_study(written):
    case, rt, folder = written
    source = pydicom.dcmread(case.images[0].series.files[0].path)
    assert [roi.ROIName for roi in rt.StructureSetROISequence][-1] == "lesion-1, L6"
    colour = "#" + bytes(map(int, rt.ROIContourSequence[0].ROIDisplayColor)).hex()
    assert colour == structure_colour(BODY)
    assert (rt.StudyInstanceUID, rt.PatientID) == (source.StudyInstanceUID, source.PatientID)
    assert (rt.ApprovalStatus, rt.SoftwareVersions) == ("UNAPPROVED", "0.2.0")
    (frame,) = rt.ReferencedFrameOfReferenceSequence
    assert frame.FrameOfReferenceUID == source.FrameOfReferenceUID
    (series,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    assert faults(folder / "contours_2.dcm") == []


def test_the_same_input_gives_the_same_bytes(written, tmp_path):
    case, _, folder = written
    write_rtstruct(case, tmp_path)
    assert (tmp_path / "contours_2.dcm").read_bytes() == (folder / "contours_2.dcm").read_bytes()


def refilled(plane):
    rows, columns = np.indices(plane.shape)
    centres = np.column_stack([rows.ravel(), columns.ravel()])
    inside = np.zeros(plane.shape, dtype=bool)
    for ring in outlines(plane):
        inside |= Outline(np.vstack([ring, ring[:1]])).contains_points(centres).reshape(plane.shape)
    return inside


@pytest.mark.parametrize("seed", range(8))
def test_any_plane_comes_back_whatever_its_holes(seed):
    random = np.random.default_rng(seed)
    plane = np.zeros((31, 27), dtype=bool)
    for _ in range(4):
        r, c = random.integers(0, 20, 2)
        plane[r : r + random.integers(1, 12), c : c + random.integers(1, 12)] ^= True
    assert np.array_equal(refilled(plane), plane)


def test_holes_become_keyholes_of_one_outline():
    plane = np.zeros((20, 30), dtype=bool)
    plane[2:18, 3:27] = True
    plane[5:8, 6:9] = plane[11:15, 14:19] = plane[5:7, 21:24] = False
    assert len(outlines(plane)) == 1
    assert np.array_equal(refilled(plane), plane)


def test_a_single_pixel_at_the_border_has_an_outline():
    plane = np.zeros((6, 7), dtype=bool)
    plane[0, 6] = True
    (ring,) = outlines(plane)
    assert len(ring) >= 3
    assert np.array_equal(refilled(plane), plane)
