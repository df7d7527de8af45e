"""Scores of a hand-made result against hand-made labels, and of the whole product when the network knows the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import StructureKind
from spinemri.convert import write_nifti
from spinemri.errors import ModelError
from spinemri.evaluate.cases import Truth, ValidationCase
from spinemri.evaluate.extent import column_extent
from spinemri.evaluate.measurement_tables import height_pairs, real_section
from spinemri.evaluate.measurements import Compared
from spinemri.evaluate.real import Result, score_images, score_result, segment_image
from spinemri.evaluate.real_heights import HeightScore, score_heights
from spinemri.evaluate.truth import true_segmentation
from spinemri.segment.model import load_model
from spinemri.series import Contrast
from spinemri.synthesis.phantom import make_phantom
from tests.evaluate.grids import TILTED, column_labels, cord_mask, first_row, named
from tests.synthetic_study import TruePredictor, true_classes

CASE = ValidationCase("s", "1", "p", "T2w", "vertebral_body", "column", "L5", "img.nii.gz", "lab.nii.gz", "", "")
LABELS = column_labels(5)
NAMES = ["L1", "L2", "L3", "L4", "L5"]


def scored(found: np.ndarray, names: list[str] = NAMES, labels: np.ndarray = LABELS):
    truth = Truth(labels, labels > 0, column_extent(labels, TILTED))
    raw = {StructureKind.VERTEBRAL_BODY: found > 1}  # the network missed the first
    return score_result(CASE, truth, Result(named(found, names), raw))


def test_a_perfect_result_is_perfect():
    score = scored(LABELS)
    assert score.dice == score.central == 1
    assert score.raw == pytest.approx(2 * 4 / 9, abs=0.01)
    assert score.surface_mm == 0
    assert score.wider < 1 > score.narrower
    assert score.bodies.complete
    assert score.bodies.misnamed == 0
    assert score.cord_ap_mm is None


def test_a_border_that_is_a_pixel_too_narrow_shows_as_such():
    """Each body lost its outermost pixels within slices: moved out again it fits but for its corners."""
    small = np.zeros_like(LABELS)
    for value in range(1, 6):
        rows, columns = (np.flatnonzero((LABELS[3] == value).any(axis=a)) for a in (1, 0))
        small[1:6, rows[1] : rows[-1], columns[1] : columns[-1]] = value
    score = scored(small)
    assert score.wider > 0.98
    assert 0.9 > score.dice > score.narrower
    assert 0.5 < score.surface_mm < 1.2


def test_only_the_labelled_extent_counts():
    part = np.where((LABELS > 1) & (LABELS < 5), LABELS, 0)
    assert scored(LABELS, labels=part).dice > 0.995


def test_a_corner_of_an_unlabelled_neighbour_within_the_extent_is_neither_right_nor_wrong():
    part = np.where(LABELS < 5, LABELS, 0)
    found = {}
    for name in (4, 5):
        found[name] = LABELS.copy()
        found[name][1:6, first_row(3) + 8 : first_row(3) + 13, 10:20] = name  # in front of the fourth body
    assert column_extent(part, TILTED)[found[5] > LABELS].all()
    assert scored(found[5], labels=part).dice > 0.995
    assert scored(found[4], labels=part).dice < 0.99


def test_the_cord_is_measured():
    case = replace(CASE, structure="cord", lowest="", extent="all")
    mask = cord_mask()
    truth = Truth(mask.astype(np.int32), mask, np.ones(mask.shape, dtype=bool))
    narrow = named(LABELS, NAMES)
    voxels = np.where((narrow.voxels == 121) & (np.arange(90) < 54), 0, narrow.voxels)
    score = score_result(case, truth, Result(replace(narrow, voxels=voxels), {}))
    assert score.cord_ap_mm == pytest.approx(2 * 1.1, abs=0.3)
    assert score.bodies is None


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A synthetic T2 image with its true bodies as labels, on disk, and a network that knows them."""
    phantom = make_phantom(1)
    image = phantom.images[2]
    knows = TruePredictor(true_classes(phantom.volume, image.geometry.shape), image.geometry, load_model())
    true = true_segmentation(phantom.volume, image.geometry, image.series.series_uid)
    bodies = [s for s in true.of_kind(StructureKind.VERTEBRAL_BODY) if s.place in {"T12", *NAMES, "S1"}]
    labels = sum(true.mask(s).astype(np.int16) * n for n, s in enumerate(bodies, start=1))
    root = tmp_path_factory.mktemp("study")
    grid = replace(image.geometry, frame_of_reference_uid=None)
    write_nifti(image.voxels, grid, root / "img.nii.gz")
    write_nifti(labels, grid, root / "lab.nii.gz")
    return root, knows, image, true, phantom.truth


def test_the_true_classes_score_one_through_the_whole_product(study):
    root, predictor, *_ = study
    (score,) = score_images([replace(CASE, lowest="S1")], root, predictor)
    assert score.dice > 0.97
    assert score.raw > 0.99
    assert score.bodies.complete
    assert score.bodies.misnamed == 0
    assert score.surface_mm < 0.3


def test_heights_agree_when_both_masks_do_and_the_one_fracture_is_called(study):
    root, predictor, _, _, truth = study
    score = score_heights(replace(CASE, lowest="S1"), root, predictor)
    heights = [abs(one.error) for one in score.compared if one.name.endswith("_height")]
    assert len(heights) == 3 * score.bodies == 18
    assert max(heights) < 0.6
    losses = {one.id: one for one in score.compared if one.name == "height_loss_pct"}
    broken = truth["fractures"][0]
    assert losses[f"{broken['level']}.height_loss_pct"].found == pytest.approx(broken["height_loss_pct"], abs=5)
    assert score.called == 1
    lines = real_section([score, score])
    assert lines[-3].startswith("| s | 2 | 12 | ")
    assert lines[-2].startswith("| all | 2 | 12 | ")
    assert lines[-2].endswith("| 2 |")


def test_the_table_on_readers_says_what_share_of_their_values_the_intervals_hold():
    held, beside = ((22.0, 21.0, 23.0, 22.5), (20.0, 19.0, 21.0, 24.0))
    compared = [Compared(f"L{n}.anterior_height", *values) for n, values in enumerate((held, held, held, beside), 1)]
    score = HeightScore(CASE, (*compared, Compared("L1.height_loss_pct", 3.0, 0.0, 9.0, 5.0)), 1, 0)
    lines = real_section([score], {"s": "images/heights_s.svg"})
    assert "| s | 1 | 1 | -1.38, 1.38, 75 % | -2.00, 2.00, 100 % | 0 |" in lines
    assert lines[-2] == "![s: the model's heights against readers'](images/heights_s.svg)"
    assert height_pairs([score, score]) == {"s": 2 * [(22.5, 22.0), (22.5, 22.0), (22.5, 22.0), (24.0, 20.0)]}


def test_the_true_mask_of_a_phantom_is_what_was_painted(study):
    """Class by class against the independent look-up of the tests' own true network; bodies where truth.json says."""
    _, predictor, image, true, truth = study
    for value, name in predictor.model.classes.items():
        if value:
            mask = true.mask_of_kind(StructureKind(name))
            assert (mask == (predictor.classes == value)).mean() > 0.995, name
    for level, centre in truth["body_centres_lps_mm"].items():
        k, j, i = np.rint(image.geometry.to_index(centre)).astype(int)
        assert true.structures[int(true.voxels[k, j, i])].place == level


def test_an_image_that_is_refused_scores_nothing_and_says_why(study):
    _, predictor, image, *_ = study
    dwi = replace(image, series=image.series.model_copy(update={"contrast": Contrast.DWI}))
    result = segment_image(dwi, Refusing(predictor.classes, predictor.geometry, predictor.model))
    assert "does not read DWI" in result.failure
    assert not result.segmentation.voxels.any()


class Refusing(TruePredictor):
    """A network that checks its contrasts as the real one does."""

    def predict(self, image):
        if image.series.contrast not in self.model.contrasts:
            raise ModelError(f"does not read {image.series.contrast.value} images")
        return super().predict(image)
