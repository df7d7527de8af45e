"""The synthetic test set: repeatable, the region that was asked for, the truth where the image shows it."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.evaluate import measured_images
from spinemri.evaluate.measured_people import random_person
from spinemri.evaluate.regions import FIRST_SEED, LAYERS, REGIONS, region_images, score_image
from spinemri.evaluate.truth import _most_common
from spinemri.segment.model import load_model
from spinemri.series import Contrast
from spinemri.synthesis.tissue import CORD, SAC, class_of_tissue
from spinemri.training.run import _FIRST_SUBJECT
from tests.synthetic_study import TruePredictor


@pytest.fixture(scope="module")
def lumbar():
    return region_images("lumbar", 0, (Contrast.T1W, Contrast.STIR))


def test_the_seeds_are_far_from_those_of_training():
    assert FIRST_SEED > _FIRST_SUBJECT + 100_000


def test_a_region_shows_its_levels_and_repeats(lumbar):
    images, truth = lumbar
    levels = {s.level for s in truth.of_kind(StructureKind.VERTEBRAL_BODY)}
    assert {Level("L1"), Level("L5")} <= levels
    again, same = region_images("lumbar", 0, (Contrast.STIR,))
    assert np.array_equal(again[0].voxels, images[1].voxels)
    assert np.array_equal(same.voxels, truth.voxels)
    assert [image.series.contrast for image in images] == [Contrast.T1W, Contrast.STIR]


def test_the_truth_lies_where_the_image_shows_it(lumbar):
    """On T1 the cord's and sac's fluid is darker than marrow; on STIR brighter."""
    images, truth = lumbar
    marrow = truth.mask_of_kind(StructureKind.VERTEBRAL_BODY)
    fluid = truth.mask_of_kind(StructureKind.THECAL_SAC)
    t1, stir = (np.asarray(image.voxels, dtype=float) for image in images)
    assert np.median(t1[fluid]) < 0.8 * np.median(t1[marrow])
    assert np.median(stir[fluid]) > 1.2 * np.median(stir[marrow])


def test_a_network_that_knows_scores_one_and_one_that_knows_nothing_none(lumbar):
    images, truth = lumbar
    model = load_model()
    classes = np.zeros(truth.voxels.shape, dtype=np.uint8)
    for value, name in model.classes.items():
        if value:
            classes[truth.mask_of_kind(StructureKind(name))] = value
    known = score_image("lumbar", 0, images[0], truth, TruePredictor(classes, truth.geometry, model))
    assert known.dice["vertebral_body"] > 0.95
    assert known.bodies >= 5
    assert known.bodies == known.found == known.named
    nothing = score_image("lumbar", 0, images[0], truth, TruePredictor(classes * 0, truth.geometry, model))
    assert set(nothing.dice.values()) == {0.0}
    assert nothing.found == nothing.named == 0


@pytest.mark.parametrize("layers", [LAYERS, measured_images.LAYERS])
def test_the_truth_on_thick_slices_is_as_large_as_what_was_painted(layers):
    """Every half-filled voxel counted as empty would take a third of the cord."""
    person = random_person(1, layers)
    truth = person.segmentation("1.2.3")
    painted = class_of_tissue()[person.volume.tissue]
    for kind, value in ((StructureKind.CORD, CORD), (StructureKind.THECAL_SAC, SAC)):
        share = truth.mask_of_kind(kind).sum() * layers / np.count_nonzero(painted == value)
        assert 0.95 < share < 1.05, kind


def test_there_are_three_regions():
    assert set(REGIONS) == {"cervical", "thoracic", "lumbar"}


def test_the_most_common_value_wins_and_the_lowest_of_equals():
    parts = np.array([[3, 7, 7, 0], [5, 5, 2, 2], [9, 9, 9, 9], [0, 1, 2, 3]], dtype=np.uint8)
    assert _most_common(parts).tolist() == [7, 2, 9, 0]
