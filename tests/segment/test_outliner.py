"""The outliner: what it looks at, what it may change, and that the shipped one draws better than was found."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.evaluate.overlap import dice
from spinemri.evaluate.regions import region_images
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.networks import default_predictor
from spinemri.segment.anatomy import name_anatomy
from spinemri.segment.bundle import WEIGHTS, bundle_path
from spinemri.segment.model import load_model
from spinemri.segment.outline_model import load_outline_model
from spinemri.segment.outline_view import (
    CHANNELS,
    IMAGE,
    OTHERS,
    OWN,
    SIDE,
    Surroundings,
    box_around,
    middle_of,
    slices_of,
    view_of,
)
from spinemri.segment.outliner import BodyOutliner
from spinemri.segment.preprocess import working_map, working_slices
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Contrast, Series
from spinemri.training.export import export_weights

BODY, POSTERIOR, DISC, SAC, CORD, SACRUM = range(1, 7)
LEVELS = ("L3", "L4", "S1")
SHAPE = (9, 120, 90)  # slices to the left, rows downwards, columns backwards: 4 x 1 x 1 mm
AXES = (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0)
SERIES = Series(series_uid="1.2.3", contrast=Contrast.T2W)
TOPS = (10, 47, 84)


def blocks(shape=SHAPE) -> tuple[np.ndarray, dict[int, Structure]]:
    """Three bodies of 28 x 30 mm in slices 2 to 6, a disc of 9 mm below each of the upper two, a sac behind."""
    voxels, structures = np.zeros(shape, dtype=np.uint8), {}

    def put(structure: Structure, where: tuple[slice, ...]) -> None:
        voxels[where] = label_value(structure)
        structures[label_value(structure)] = structure

    for n, (name, top) in enumerate(zip(LEVELS, TOPS, strict=True)):
        put(Structure(StructureKind.VERTEBRAL_BODY, Level(name)), np.s_[2:7, top : top + 28, 25:55])
        if n < 2:
            disc = Structure(StructureKind.DISC, Level(name), Level(LEVELS[n + 1]))
            put(disc, np.s_[2:7, top + 28 : top + 37, 25:55])
    put(Structure(StructureKind.THECAL_SAC), np.s_[3:6, :, 56:70])
    return voxels, structures


class Study:
    """An image of the blocks, what was found in it, and the working grid."""

    def __init__(self) -> None:
        voxels, structures = blocks()
        self.grid = Geometry(SHAPE, (4.0, 1.0, 1.0), (-16.0, -30.0, 60.0), AXES)
        self.found = Segmentation(voxels, self.grid, structures, "1.2.3", "test")
        noise = np.random.default_rng(1).normal(0, 5, SHAPE)
        self.image = Image((50 + 100.0 * (voxels > 0) + noise).astype(np.float32), self.grid, SERIES)
        kinds = {StructureKind.VERTEBRAL_BODY: BODY, StructureKind.DISC: DISC, StructureKind.THECAL_SAC: SAC}
        classes = np.zeros(SHAPE, dtype=np.uint8)
        for value, structure in structures.items():
            classes[voxels == value] = kinds[structure.kind]
        probabilities = np.stack([0.85 * (classes == n) for n in range(7)]) + 0.15 / 7
        self.probabilities = (probabilities / probabilities.sum(0)).astype(np.float16)

    def redrawn(self, change, found: Segmentation | None = None, missing=()) -> Segmentation:
        """What becomes of the blocks with a network that says ``change`` of views."""
        mapping = working_map(self.image, load_model())
        slices = working_slices(self.image, mapping)
        turned = self.probabilities.astype(np.float32).transpose(0, *(a + 1 for a in mapping.axes))
        across, down, along = mapping.to_work
        work = torch.stack([down @ torch.from_numpy(t.copy()) @ along.T for t in turned])
        work = torch.einsum("sk,ckab->scab", across, work).half()
        outliner = BodyOutliner(load_outline_model(), "cpu")
        outliner.network = change
        outline = outliner.outline(mapping, slices, work, load_model().classes)
        return outline(found or self.found, missing)


class Says(torch.nn.Module):
    def __init__(self, change) -> None:
        super().__init__()
        self.change = change

    def forward(self, views):
        return self.change(views)[:, None]


@pytest.fixture(scope="module")
def study():
    return Study()


def nothing_new(views):
    return torch.zeros_like(views[:, 0])


def grown(views):
    """One pixel more to every side within the slices."""
    own = torch.nn.functional.max_pool3d(views[:, OWN, None], (1, 3, 3), 1, (0, 1, 1))[:, 0]
    return 20 * (own - 0.5)


def shrunk(views):
    """Two pixels less on every side within the slices."""
    outside = torch.nn.functional.max_pool3d(1 - views[:, OWN, None], (1, 5, 5), 1, (0, 2, 2))[:, 0]
    return 20 * (0.5 - outside)


def test_views_show_a_body_in_the_middle_of_every_slice_that_may_show_it():
    found = np.zeros((5, 80, 100), dtype=np.uint8)
    found[1:4, 30:50, 40:70], found[1:4, 30:50, 75:95] = 1, 2
    image = torch.from_numpy(np.random.default_rng(2).normal(4, 3, found.shape).astype(np.float32))
    around = Surroundings(image, torch.rand(5, 5, 80, 100), found, 4.0)
    middle = middle_of(found == 1)
    assert middle.tolist() == [2.0, 39.5, 54.5]
    view = view_of(around, 1, middle, box_around(middle, 4.0))
    assert tuple(view.shape) == (CHANNELS, slices_of(4.0), SIDE, SIDE) == (10, 15, 56, 56)
    assert view[OWN, 6:9].sum() == (found == 1).sum()
    assert view[OWN, 7, 18:38, 13:43].all()
    assert view[OTHERS].sum() == (found[:, :, :83] == 2).sum()  # as far as the view reaches
    there = view[CHANNELS - 1, :, 0, 0]
    assert there.tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 5
    assert not view[IMAGE, :5].any()
    assert abs(float(view[IMAGE, 5:10].mean())) < 1e-3
    aside = view[CHANNELS - 2, :, 0, 0]
    assert aside[7] == 0
    assert aside[8] == pytest.approx(4 / 28)


def test_a_view_beyond_the_image_is_empty_there():
    found = np.zeros((3, 40, 40), dtype=np.uint8)
    found[:, :12, :12] = 1
    around = Surroundings(torch.ones(3, 40, 40), torch.ones(3, 5, 40, 40), found, 5.0)
    middle = middle_of(found == 1)
    view = view_of(around, 1, middle, box_around(middle, 5.0))
    assert not view[5, :, :20].any()
    assert view[5, 6, 30, 30] == 1


def test_who_has_nothing_to_add_changes_nothing(study):
    found = study.redrawn(Says(nothing_new))
    assert np.array_equal(found.voxels, study.found.voxels)
    assert found.structures == study.found.structures


def test_a_larger_body_takes_from_a_disc_and_from_nothing_but_not_from_the_sac(study):
    found = study.redrawn(Says(grown)).voxels
    body, disc = (
        label_value(Structure(StructureKind.VERTEBRAL_BODY, Level("L3"))),
        label_value(Structure(StructureKind.DISC, Level("L3"), Level("L4"))),
    )
    assert (found[4, 9:39, 24] == body).all()
    assert (found[4, 38, 25:55] == body).all()
    assert (found[4, 39, 25:55] == disc).all()
    assert (found[4, 20, 55] == body).all()
    assert np.array_equal(found == label_value(Structure(StructureKind.THECAL_SAC)), study.found.voxels == 120)


def test_what_a_body_loses_belongs_to_nothing(study):
    found = study.redrawn(Says(shrunk)).voxels
    disc = label_value(Structure(StructureKind.DISC, Level("L3"), Level("L4")))
    assert (found[4, 36:38, 30:50] == 0).all()
    assert (found[4, 38:47, 30:50] == disc).all()
    assert (found[4, 20, 27:53] == label_value(Structure(StructureKind.VERTEBRAL_BODY, Level("L3")))).all()


def test_the_first_sacral_body_and_cut_ones_stay_as_they_were_found(study):
    cut = Structure(StructureKind.VERTEBRAL_BODY, Level("L3"))
    found = study.redrawn(Says(shrunk), replace(study.found, cut=frozenset({cut})))
    for level in ("L3", "S1"):
        body = Structure(StructureKind.VERTEBRAL_BODY, Level(level))
        assert np.array_equal(found.mask(body), study.found.mask(body)), level
    assert found.mask(Structure(StructureKind.VERTEBRAL_BODY, Level("L4"))).sum() < 5 * 28 * 30


def test_a_missing_slice_stays_empty(study):
    class Lacking(Study):
        def __init__(self) -> None:
            super().__init__()
            voxels = self.found.voxels.copy()
            voxels[4] = 0
            self.found = replace(self.found, voxels=voxels)

    wider = Says(
        lambda views: 20 * (torch.nn.functional.max_pool3d(views[:, OWN, None], (3, 1, 1), 1, (1, 0, 0))[:, 0] - 0.5)
    )
    found = Lacking().redrawn(wider, missing=(4,)).voxels
    assert not found[4].any()
    body = label_value(Structure(StructureKind.VERTEBRAL_BODY, Level("L3")))
    assert np.flatnonzero((found == body).any(axis=(1, 2))).tolist() == [1, 2, 3, 5, 6, 7]


def test_an_outline_of_something_else_is_not_taken(study):
    elsewhere = study.redrawn(Says(lambda views: 20 * (views[:, OTHERS] - views[:, OWN])))
    assert np.array_equal(elsewhere.voxels, study.found.voxels)
    empty = study.redrawn(Says(lambda views: nothing_new(views) - 50))
    assert np.array_equal(empty.voxels, study.found.voxels)


@pytest.fixture(scope="module")
def predictor():
    return default_predictor(device="cpu")


@pytest.mark.parametrize(("region", "contrast"), [("cervical", Contrast.T2W), ("lumbar", Contrast.STIR)])
def test_the_shipped_outliner_draws_closer_to_the_truth(predictor, region, contrast):
    (image,), truth = region_images(region, 700, (contrast,))
    seen = predictor.predict(image)
    wanted = truth.mask_of_kind(StructureKind.VERTEBRAL_BODY)
    before, after = (
        dice(name_anatomy(found, image)[0].mask_of_kind(StructureKind.VERTEBRAL_BODY), wanted)
        for found in (replace(seen, outline=None), seen)
    )
    assert after > before + 0.005


def test_it_goes_with_the_weights_that_it_was_trained_beside_and_with_no_others(predictor, tmp_path):
    assert predictor.outlines is not None
    own = Path(shutil.copytree(bundle_path(), tmp_path / "own"))
    state = torch.load(own / WEIGHTS, weights_only=True)
    export_weights({name: value.float() * 1.001 for name, value in state.items()}, own, "9.9.9", "a test")
    other = default_predictor(own, "cpu")
    assert other.outlines is None
    assert other.levels is not None


def test_random_weights_draw_worse(predictor):
    (image,), truth = region_images("lumbar", 700, (Contrast.T2W,))
    outliner = BodyOutliner(load_outline_model(), "cpu")
    torch.manual_seed(4)
    with torch.no_grad():
        for weights in outliner.network.parameters():
            weights.copy_(torch.randn_like(weights) * 0.1)
    mapping = working_map(image, predictor.model)
    slices = working_slices(image, mapping)
    seen = predictor.predict(image)
    work = predictor.class_probabilities(slices, mapping.stride)
    wild = replace(seen, outline=outliner.outline(mapping, slices, work, predictor.model.classes))
    wanted = truth.mask_of_kind(StructureKind.VERTEBRAL_BODY)
    drawn = [name_anatomy(f, image)[0].mask_of_kind(StructureKind.VERTEBRAL_BODY) for f in (wild, seen)]
    assert dice(drawn[0], wanted) < dice(drawn[1], wanted)
