from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture

from spinemri.report.viewer import viewer_document
from spinemri.series import Plane
from tests.report import cases
from tests.report.three_planes import BALL, BALL_MM, ORDERS


@pytest.fixture(scope="module")
def planes(three_plane_case):
    return three_plane_case


@pytest.fixture(scope="module")
def document(planes):
    return viewer_document(planes)


def pixels(slice_):
    kind, data = slice_["image"].split(",")
    assert kind == "data:image/jpeg;base64"
    return np.asarray(Picture.open(io.BytesIO(base64.b64decode(data)))).astype(float)


def patient(stack, column, row, number):
    frame = stack["frame"]
    right, down, across, origin = (np.asarray(frame[name]) for name in ("right", "down", "across", "origin"))
    return origin + column * right + row * down + (number - 1) * across


def test_a_ball_on_the_patients_left_lies_there_in_every_plane(document):
    """The chain from voxels to the pixels of the page and back to the patient: nothing is flipped on the way."""
    mirrored = BALL * [-1, 1, 1] + [2 * cases.places()[cases.LEVELS[4]].centre[0], 0, 0]
    for stack, plane in zip(document["series"], ORDERS, strict=True):
        spots = []
        for slice_ in stack["slices"]:
            bright = np.argwhere(pixels(slice_) > 235)
            spots += [patient(stack, column, row, slice_["number"]) for row, column in bright]
        found = np.asarray([spot for spot in spots if np.linalg.norm(spot - BALL) < 2 * BALL_MM])
        assert len(found) > 10, plane
        assert not [spot for spot in spots if np.linalg.norm(spot - mirrored) < 2 * BALL_MM], plane
        assert np.abs(found.mean(axis=0) - BALL).max() < max(ORDERS[plane][3]) / 2, plane


def test_every_slice_is_there_once_with_its_number(document, planes):
    for stack, image in zip(document["series"], planes.images, strict=True):
        assert [s["number"] for s in stack["slices"]] == [*range(1, image.geometry.shape[0] + 1)]
        assert stack["total"] == image.geometry.shape[0]
        columns, rows = stack["size"]
        assert all(pixels(s).shape == (rows, columns) for s in stack["slices"][::7])


def points_of(path):
    """Corners of path data in pixels."""
    made = []
    for x, y, steps in re.findall(r"M(-?\d+) (-?\d+)l([-\d ]+)z", path):
        moves = np.array([int(v) for v in steps.split()]).reshape(-1, 2)
        made.append(np.cumsum(np.vstack([[int(x), int(y)], moves]), axis=0) / 10)
    return np.vstack(made)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_outline_runs_around_its_structure_in_the_patient(document, number):
    """Centre of L3's outline in its fullest slice, against the body's true centre."""
    stack = document["series"][number]
    index = next(n for n, s in enumerate(document["structures"]) if s["name"] == "vertebral body L3")
    drawn = [(s["number"], points_of(path)) for s in stack["slices"] for n, path in s["outlines"] if n == index]
    centres = np.asarray([patient(stack, *points.mean(axis=0), k) for k, points in drawn])
    away = np.linalg.norm(centres - cases.places()[cases.LEVELS[4]].centre, axis=1)
    assert away.min() < 4.0
    assert document["structures"][index]["place"] == "L3"


def test_a_lesion_is_outlined_on_every_series_of_its_frame(document):
    index = next(n for n, s in enumerate(document["structures"]) if s["name"] == "lesion-1")
    centre = np.asarray(cases.spots()[0].centre)
    for stack in document["series"]:
        drawn = [(s["number"], points_of(path)) for s in stack["slices"] for n, path in s["outlines"] if n == index]
        centres = np.asarray([patient(stack, *points.mean(axis=0), k) for k, points in drawn])
        assert len(drawn) >= 3
        assert np.abs(centres.mean(axis=0) - centre).max() < 3.0


def test_a_lesion_follows_the_patient_and_is_left_out_where_nobody_knows_how(lesion_case):
    """T1w and STIR at L2: shifted by a known motion, then unpaired, then in another frame of reference."""
    index_of = {"lesion-1": None}

    def mean_row(case):
        made = viewer_document(case)
        index_of["lesion-1"] = next(n for n, s in enumerate(made["structures"]) if s["name"] == "lesion-1")
        stack = made["series"][1]
        drawn = [
            patient(stack, *points_of(path).mean(axis=0), s["number"])
            for s in stack["slices"]
            for n, path in s["outlines"]
            if n == index_of["lesion-1"]
        ]
        return np.mean(drawn, axis=0) if drawn else None

    def with_motion(**changes):
        alignments = [
            a.model_copy(update=changes) if str(a.level) == "L2" else a for a in lesion_case.analysis.alignments
        ]
        return replace(lesion_case, analysis=lesion_case.analysis.model_copy(update={"alignments": tuple(alignments)}))

    still = mean_row(lesion_case)
    moved = mean_row(with_motion(translation_mm=(0.0, 6.0, -9.0)))
    assert moved - still == pytest.approx([0.0, 6.0, -9.0], abs=1.0)
    assert mean_row(with_motion(status="unpaired")) is None
    elsewhere = replace(
        lesion_case.images[1], geometry=replace(lesion_case.images[1].geometry, frame_of_reference_uid="1.2.3")
    )
    apart = replace(lesion_case, images=(lesion_case.images[0], elsewhere))
    assert mean_row(apart) is None
    assert [s["linked"] for s in viewer_document(apart)["series"]] == [0, 1]


def test_lines_end_where_they_were_measured_and_the_remarkable_ones_are_marked(document, planes):
    lines = {line["title"]: line for line in document["lines"]}
    line = lines["L1 anterior height 16.9 mm"]
    measured = planes.analysis.measurement("L1.anterior_height")
    assert line["points"] == [pytest.approx(point, abs=0.01) for point in measured.points]
    assert (line["series"], line["levels"], line["key"]) == (0, ["L1"], True)
    assert not lines["L2 anterior height 26.0 mm"]["key"]
    assert not any("thecal sac" in title for title in lines)  # measured on a series that this case has not


def test_places_are_levels_discs_and_lesions(document, planes):
    places = document["places"]
    assert places["L3"]["point"] == pytest.approx(planes.analysis.spine.vertebrae[4].centre, abs=0.01)
    upper, lower = (np.asarray(places[name]["point"]) for name in ("L4", "L5"))
    assert places["L4-L5"]["point"] == pytest.approx(((upper + lower) / 2).tolist(), abs=0.02)
    assert places["lesion-1"]["level"] == "L2"


def test_it_is_said_where_two_series_do_not_lie_over_each_other(case):
    """2.8, 2.6 and 2.3 mm at T11, T12 and L1; below 2 mm from there on; not verified at S1."""
    shifts = viewer_document(case)["shifts"]
    assert [shift["level"] for shift in shifts] == ["T11", "T12", "L1", "S1"]
    assert shifts[0]["texts"] == {
        0: "Patient moved 2.8 mm against STIR (series 4) at T11",
        1: "Patient moved 2.8 mm against T1w (series 3) at T11",
    }
    assert shifts[-1]["texts"][1] == "Match with T1w (series 3) not verified at S1"


def test_a_lesion_that_looks_benign_is_outlined_as_such(document):
    kinds = {s["name"]: s["kind"] for s in document["structures"] if s["kind"].startswith("lesion")}
    assert kinds == {"lesion-1": "lesion", "lesion-2": "lesion benign"}


def test_missing_slices_are_not_shown_and_long_stacks_are_thinned(planes):
    gap = replace(planes.images[0], missing_slices=(4,))
    stack = viewer_document(replace(planes, images=(gap, *planes.images[1:])))["series"][0]
    assert 5 not in [s["number"] for s in stack["slices"]]
    assert stack["total"] == ORDERS[Plane.SAGITTAL][2][0]


def test_the_window_lies_within_the_greys(document):
    for stack in document["series"]:
        low, high = stack["window"]
        assert 0 <= low < high <= 255.1
        assert stack["grey"][0] < stack["grey"][1]
