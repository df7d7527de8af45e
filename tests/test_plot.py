from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations, product

import numpy as np
import pytest

from spinemri import plot
from spinemri.anatomy import STANDARD_LEVELS, Level, Structure, StructureKind
from spinemri.image import Image
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Series
from tests.report import cases

ORDERS = tuple(permutations(range(3)))
SIGNS = tuple(product((1, -1), repeat=3))
SIZE = {0: 9, 1: 150, 2: 220}


def pair(order, signs, missing=()):
    geometry = cases.grid(order, signs, tuple(SIZE[world] for world in order))
    labels, signal = cases.draw(geometry)
    structures = {label_value(s): s for s in cases._structures()}
    series = Series(series_uid="1", number=1)
    return Image(signal, geometry, series, missing), Segmentation(labels, geometry, structures, "1", "drawn")


@pytest.mark.parametrize(("order", "signs"), [(ORDERS[n % 6], SIGNS[(3 * n + 1) % 8]) for n in range(12)])
def test_head_is_up_and_anterior_on_the_left_for_any_order_of_the_axes(order, signs):
    view = plot.mid_sagittal(*pair(order, signs))
    places = cases.places()
    centres = view.to_picture([places[level].centre for level in cases.LEVELS])
    assert (np.diff(centres[:, 1]) > 0).all()
    canal = np.nonzero(view.labels == 120)[1].mean() * view.pixel_mm[1]
    body = np.nonzero((view.labels > 0) & (view.labels < 40))[1].mean() * view.pixel_mm[1]
    assert canal - body > 20


@pytest.mark.parametrize(
    ("order", "signs"), [((0, 2, 1), (1, -1, 1)), ((1, 0, 2), (-1, -1, 1)), ((2, 1, 0), (1, 1, -1))]
)
def test_a_patient_point_lands_on_the_pixel_of_its_structure_and_distances_are_millimetres(order, signs):
    view = plot.mid_sagittal(*pair(order, signs))
    places = cases.places()
    for level in cases.LEVELS:
        x, y = view.to_picture(places[level].centre)
        row, column = round(y / view.pixel_mm[0]), round(x / view.pixel_mm[1])
        assert view.labels[row, column] == label_value(Structure(StructureKind.VERTEBRAL_BODY, level))
    first, last = places[Level("L1")], places[Level("L5")]
    in_picture = np.linalg.norm(view.to_picture(first.centre) - view.to_picture(last.centre))
    assert in_picture == pytest.approx(np.linalg.norm(first.centre - last.centre), rel=0.01)


def test_the_slice_is_the_middle_of_the_spine_and_never_one_that_was_missing():
    image, mask = pair((0, 2, 1), (1, -1, 1))
    middle = plot.mid_sagittal(image, mask).slice_number
    assert middle == round(float(image.geometry.to_index(cases._CENTRE)[0]))
    without = replace(image, missing_slices=(middle,))
    assert abs(plot.mid_sagittal(without, mask).slice_number - middle) == 1


def test_without_labels_the_middle_slice_is_shown_whole():
    image, mask = pair((0, 2, 1), (1, -1, 1))
    empty = replace(mask, voxels=np.zeros(mask.voxels.shape, dtype=np.uint8))
    view = plot.mid_sagittal(image, empty)
    assert view.slice_number == 4
    assert view.pixels.shape == image.voxels.shape[1:]
    assert plot.outlines(view, 21) == ()


def test_bright_fat_beside_the_coil_does_not_darken_the_spine():
    image, mask = pair((0, 2, 1), (1, -1, 1))
    bright = np.array(image.voxels)
    bright[:, :, -8:] = 50_000  # the skin of the back
    plain, glaring = plot.mid_sagittal(image, mask), plot.mid_sagittal(replace(image, voxels=bright), mask)
    vertebra = plain.labels == 22
    assert glaring.grey()[vertebra].mean() == pytest.approx(plain.grey()[vertebra].mean(), abs=12)


def test_outlines_enclose_the_area_of_the_mask():
    view = plot.mid_sagittal(*pair((2, 0, 1), (1, -1, -1)))
    value = label_value(Structure(StructureKind.VERTEBRAL_BODY, Level("L3")))
    area = sum(abs(_shoelace(polygon)) for polygon in plot.outlines(view, value))
    assert area == pytest.approx((view.labels == value).sum() * np.prod(view.pixel_mm), rel=0.02)


def test_a_level_has_one_colour_and_neighbours_differ():
    colours = [plot.level_colour(level) for level in STANDARD_LEVELS]
    assert plot.level_colour(Level("L3")) == plot.structure_colour(Structure(StructureKind.VERTEBRAL_BODY, Level("L3")))
    for one, other in pairwise(colours):
        apart = [abs(int(one[n : n + 2], 16) - int(other[n : n + 2], 16)) for n in (1, 3, 5)]
        assert max(apart) > 30


def test_the_saved_picture_is_a_png_in_true_proportion(tmp_path, case):
    image, mask = case.images[0], case.segmentations[0]
    path = tmp_path / "picture.png"
    plot.save_picture(path, image, mask, case.analysis.measurements)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = (int.from_bytes(data[n : n + 4], "big") for n in (16, 20))
    size = plot.mid_sagittal(image, mask).size_mm
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)


@pytest.fixture
def case():
    return cases.case()


def _shoelace(polygon):
    x, y = np.array(polygon).T
    return 0.5 * (np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def test_a_body_in_two_pieces_has_its_name_in_front_of_one_of_them():
    view = plot.mid_sagittal(*pair((0, 2, 1), (1, -1, 1)))
    value = label_value(Structure(StructureKind.VERTEBRAL_BODY, Level("L3")))
    labels = np.zeros_like(view.labels)
    labels[20:24, 30:40] = labels[60:66, 34:40] = value
    x, y = plot.name_position(replace(view, labels=labels), value)
    assert y / view.pixel_mm[0] in (*range(20, 24), *range(60, 66))
    assert x < 34 * view.pixel_mm[1]
