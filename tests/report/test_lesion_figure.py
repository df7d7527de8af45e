from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from PIL import Image as Picture

from spinemri import plot
from spinemri.anatomy import Level
from spinemri.report.lesion_figure import lesion_pictures, lesion_shapes
from spinemri.series import Contrast
from spinemri.spine import VertebraAlignment
from tests.report import cases

SPOTS = cases.spots()


def polygons(picture):
    paths = [shape.path for shape in picture.shapes]
    return [
        np.array([[float(v) for v in point.split()] for point in piece.rstrip("Z").split("L")])
        for path in paths
        for piece in path.split("M")[1:]
    ]


def grey(picture):
    """Grey values and the picture position of every pixel."""
    data = base64.b64decode(picture.image.split(",")[1])
    values = np.asarray(Picture.open(io.BytesIO(data)), dtype=float)
    left, top, width, height = picture.image_box
    rows, columns = values.shape
    x = left + (np.arange(columns) + 0.5) * width / columns
    y = top + (np.arange(rows) + 0.5) * height / rows
    return values, np.stack(np.meshgrid(x, y), axis=-1)


def inside(picture, grow=0.0):
    _, places = grey(picture)
    outline = Outline(polygons(picture)[0])
    return outline.contains_points(places.reshape(-1, 2), radius=grow).reshape(places.shape[:2])


def aligned(case, level, **changes):
    motion = VertebraAlignment(
        level=Level(level), fixed_series_uid="tok-t1", moving_series_uid="tok-stir", residual_mm=6.0,
        status="registered", **changes,
    )  # fmt: skip
    return replace(case, analysis=case.analysis.model_copy(update={"alignments": (motion,)}))


def as_series(case, uid, contrast):
    """The case's T1w once more, as a further series."""
    record = case.analysis.series[0]
    series = record.series.model_copy(update={"series_uid": uid, "contrast": contrast, "number": 9})
    records = (*case.analysis.series, record.model_copy(update={"series": series}))
    return replace(
        case,
        analysis=case.analysis.model_copy(update={"series": records}),
        images=(*case.images, case.images[0]),
        segmentations=(*case.segmentations, replace(case.segmentations[0], series_uid=uid)),
    )


@pytest.mark.parametrize("number", [0, 1])
def test_every_sequence_is_shown_with_the_outline_around_the_signal_of_the_lesion(lesion_case, number):
    lesion, spot = lesion_case.analysis.lesions[number], SPOTS[number]
    pictures = lesion_pictures(lesion_case, lesion)
    assert [picture.title for picture in pictures] == ["T1w (series 3)", "STIR (series 4)"]
    for picture, uid in zip(pictures, ("tok-t1", "tok-stir"), strict=True):
        values, _ = grey(picture)
        within, around = inside(picture, -1.5), inside(picture, 3.0) & ~inside(picture, 1.0)
        assert within.sum() > 100
        brighter = spot.signal[uid] > 380
        assert (np.median(values[within]) > np.median(values[around])) == brighter
        wrong = values[within] < np.median(values[around]) if brighter else values[within] > np.median(values[around])
        assert wrong.mean() < 0.02


@pytest.mark.parametrize("number", [0, 1])
def test_the_outline_has_the_size_of_the_lesion_in_the_slice_through_its_middle(lesion_case, number):
    lesion, spot = lesion_case.analysis.lesions[number], SPOTS[number]
    for picture, image in zip(lesion_pictures(lesion_case, lesion), lesion_case.images, strict=True):
        across = image.geometry.axis_along(0)
        slice_number = round(image.geometry.to_index(spot.centre)[across])
        assert picture.caption == f"Slice {slice_number + 1} of {image.geometry.shape[across]}"
        outline = polygons(picture)[0]
        assert np.ptp(outline, axis=0) == pytest.approx(2 * np.array(spot.half[1:]), abs=2.6)
        middle = np.array(picture.box[:2]) + 45.0
        assert np.abs((outline.min(axis=0) + outline.max(axis=0)) / 2 - middle).max() < 14


def test_the_square_is_90_mm_wide_and_holds_the_lesion_and_its_vertebra(lesion_case):
    for lesion in lesion_case.analysis.lesions:
        for picture in lesion_pictures(lesion_case, lesion):
            assert picture.box[2:] == (90.0, 90.0)
            assert [name.text for name in picture.names if name.colour == plot.level_colour(lesion.level)] == [
                str(lesion.level)
            ]
            width, height = Picture.open(io.BytesIO(base64.b64decode(picture.image.split(",")[1]))).size
            assert max(width, height) == 400
            assert len(picture.image) < 60_000


def test_the_longest_diameter_is_drawn_on_the_series_it_was_measured_on(lesion_case):
    for lesion, titles in zip(lesion_case.analysis.lesions, (["T1w (series 3)"], ["STIR (series 4)"]), strict=True):
        drawn = [picture for picture in lesion_pictures(lesion_case, lesion) if picture.lines]
        assert [picture.title for picture in drawn] == titles
        (line,) = drawn[0].lines
        spot = SPOTS[lesion.label - 1]
        assert np.hypot(*np.subtract(line.end, line.start)) == pytest.approx(2 * spot.half[1], abs=0.3)
        middle = np.add(line.start, line.end) / 2
        outline = polygons(drawn[0])[0]
        assert np.abs(outline.mean(axis=0) - middle).max() < 1.5


def test_where_the_patient_moved_the_outline_moves_along(lesion_case):
    lesion = lesion_case.analysis.lesions[0]
    before = lesion_pictures(lesion_case, lesion)[1]
    moved = lesion_pictures(aligned(lesion_case, "L2", translation_mm=(0.0, 6.0, 0.0)), lesion)[1]
    own = lesion_pictures(aligned(lesion_case, "L2", translation_mm=(0.0, 6.0, 0.0)), lesion)[0]
    steps = [np.subtract(polygons(p)[0].mean(axis=0), p.box[:2]) for p in (before, moved)]
    assert np.abs(steps[1] - steps[0]).max() < 0.2  # the square goes with the vertebra
    assert "6.0 mm" in moved.caption
    assert polygons(own)[0] == pytest.approx(polygons(lesion_pictures(lesion_case, lesion)[0])[0])
    dark = [np.mean(grey(p)[0][inside(p, -1.5)] < 200) for p in (before, moved)]
    assert dark[0] < 0.01
    assert 0.2 < dark[1] < 0.5  # the image itself did not move: 6 of the outline's 22 mm lie beside the bright lesion


def test_where_the_match_could_not_be_verified_no_outline_is_drawn(lesion_case):
    lesion = lesion_case.analysis.lesions[0]
    unpaired = aligned(lesion_case, "L2")
    alignments = tuple(a.model_copy(update={"status": "unpaired"}) for a in unpaired.analysis.alignments)
    unpaired = replace(unpaired, analysis=unpaired.analysis.model_copy(update={"alignments": alignments}))
    own, other = lesion_pictures(unpaired, lesion)
    assert own.shapes
    assert not other.shapes
    assert "could not be verified" in other.caption
    assert "outlined" in own.alternative
    assert "outlined" not in other.alternative


def test_a_series_of_another_frame_of_reference_is_not_shown(lesion_case):
    image, mask = lesion_case.images[1], lesion_case.segmentations[1]
    strange = replace(image.geometry, frame_of_reference_uid="1.2.3")
    other = replace(
        lesion_case,
        images=(lesion_case.images[0], replace(image, geometry=strange)),
        segmentations=(lesion_case.segmentations[0], replace(mask, geometry=strange)),
    )
    assert [p.title for p in lesion_pictures(other, lesion_case.analysis.lesions[0])] == ["T1w (series 3)"]


def test_a_slice_that_was_never_acquired_is_not_shown(lesion_case):
    spot = SPOTS[0]
    image = lesion_case.images[0]
    gap = (plot.slice_through(image.geometry, spot.centre),)
    images = (replace(image, missing_slices=gap), lesion_case.images[1])
    lesion = lesion_case.analysis.lesions[0]
    assert [p.title for p in lesion_pictures(replace(lesion_case, images=images), lesion)] == ["STIR (series 4)"]


def test_three_pictures_at_most_in_the_order_of_reading(lesion_case):
    lesion = lesion_case.analysis.lesions[0]
    more = as_series(as_series(lesion_case, "tok-t2", Contrast.T2W), "tok-post", Contrast.T1W_POST)
    shown = [p.title.split()[0] for p in lesion_pictures(more, lesion)]
    assert shown == ["T1w", "STIR", "T2w"]
    outlined = lesion.model_copy(update={"series_uid": "tok-post"})
    assert [p.title.split()[0] for p in lesion_pictures(more, outlined)] == ["T1w", "STIR", "T1w-post"]


def test_a_second_series_of_the_same_contrast_gives_way_to_the_one_with_the_outline(lesion_case):
    twice = as_series(lesion_case, "tok-again", Contrast.T1W)
    assert [p.title for p in lesion_pictures(twice, lesion_case.analysis.lesions[0])] == [
        "T1w (series 3)",
        "STIR (series 4)",
    ]


def test_a_lesion_without_an_outline_is_shown_at_its_centre(lesion_case):
    lesion = lesion_case.analysis.lesions[0]
    pictures = lesion_pictures(replace(lesion_case, lesion_masks=()), lesion)
    assert len(pictures) == 2
    assert all(not picture.shapes for picture in pictures)
    slice_number = plot.slice_through(lesion_case.images[0].geometry, SPOTS[0].centre)
    assert pictures[0].caption.startswith(f"Slice {slice_number + 1} of 13")


def test_a_lesion_as_small_as_a_voxel_is_still_outlined(lesion_case):
    geometry = lesion_case.images[0].geometry
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[6, 100, 80] = True
    number = plot.fullest_slice(mask, geometry)
    (outline,) = plot.contours(mask, geometry, number)
    assert np.linalg.norm(outline.mean(axis=0) - geometry.to_patient((6, 100, 80))) < 0.5
    assert plot.contours(mask, geometry, -1) == ()


def test_only_lesions_that_cross_the_middle_are_drawn_in_the_picture_of_the_spine(lesion_case):
    for uid, image, mask in zip(("tok-t1", "tok-stir"), lesion_case.images, lesion_case.segmentations, strict=True):
        view = plot.mid_sagittal(image, mask)
        (shape,) = lesion_shapes(lesion_case, view, uid)
        assert (shape.kind, shape.name) == ("lesion benign", "lesion-2, L4 midline")
        points = np.array([[float(v) for v in p.split()] for p in re.split("[MLZ]+", shape.path) if p])
        centre = view.to_picture(SPOTS[1].centre)
        assert np.abs((points.min(axis=0) + points.max(axis=0)) / 2 - centre).max() < 1.5


def test_a_lesion_at_the_side_is_drawn_when_its_slice_is_shown(lesion_case):
    image, mask = lesion_case.images[0], lesion_case.segmentations[0]
    view = plot.sagittal(image, mask, plot.slice_through(image.geometry, SPOTS[0].centre))
    assert [shape.kind for shape in lesion_shapes(lesion_case, view, "tok-t1")] == ["lesion"]
