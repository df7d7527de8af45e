"""Samples of the outliner: a body as it was found in the middle, and its true outline, disturbed alike."""

from __future__ import annotations

from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segment.model import load_model
from spinemri.segment.outline_view import CHANNELS, OWN, SIDE, Surroundings
from spinemri.series import Contrast, Series
from spinemri.synthesis.tissue import BODY, DISC, Tissue
from spinemri.training.outline_run import outline_loss
from spinemri.training.outline_samples import (
    Disturbance,
    OutlineSamples,
    OutlineScene,
    painted_scene,
    real_scene,
    sample_of,
)
from spinemri.training.volumes import VolumeShelf

BODIES = 5


class Bright:
    """Stands in for the anatomy network: bright is bone of bodies, what is nearly as bright disc."""

    model = load_model()

    def class_probabilities(self, slices, stride):
        assert stride == 1
        classes = torch.zeros(slices.shape, dtype=torch.long)
        classes[slices > 60], classes[slices > 120] = 3, 1
        return torch.nn.functional.one_hot(classes, 7).movedim(-1, 1).half()


def column() -> tuple[np.ndarray, np.ndarray]:
    """Intensities and numbers (k, j, i) of five bodies of 27 x 32 mm; slices to the left, rows down, columns back."""
    voxels, numbers = np.full((11, 190, 120), 20.0, dtype=np.float32), np.zeros((11, 190, 120), dtype=np.uint8)
    voxels[2:9, 10:180, 40:72] = 90
    for n in range(BODIES):
        where = np.s_[2:9, 12 + 35 * n : 39 + 35 * n, 40:72]
        voxels[where], numbers[where] = 200, n + 1
    return voxels, numbers


@pytest.fixture(scope="module")
def scene() -> OutlineScene:
    voxels, numbers = column()
    grid = Geometry(voxels.shape, (4.0, 1.0, 1.0), (-20.0, -60.0, 95.0), (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0))
    image = Image(voxels, grid, Series(series_uid="1.2", contrast=Contrast.T2W))
    plain = SimpleNamespace(random=lambda: 1.0)  # not recast
    return real_scene(image, numbers, Bright(), plain)


def test_every_found_body_knows_its_true_one(scene):
    assert sorted(scene.known.values()) == [1, 2, 3, 4, 5]
    for number, true in scene.known.items():
        assert np.array_equal(scene.around.found == number, scene.truth == true)
    assert scene.around.slice_mm == 4.0
    assert tuple(scene.around.seen.shape) == (11, 5, *scene.truth.shape[1:])


def test_samples_keep_body_and_truth_together(scene):
    disturb = Disturbance(3)
    for _ in range(20):
        view, truth = sample_of(scene, disturb)
        assert tuple(view.shape) == (CHANNELS, 15, SIDE, SIDE)
        assert tuple(truth.shape) == (15, SIDE, SIDE)
        assert bool(torch.isfinite(view).all())
        both = 2 * (view[OWN] * truth).sum() / (view[OWN].sum() + truth.sum())
        assert both > 0.7  # what was found is a little wrong, never another body
        assert not truth[view[CHANNELS - 1] == 0].any()
        aside = view[CHANNELS - 2, :, 0, 0]
        assert bool((aside.diff() > 0).all()) or bool((aside.diff() < 0).all())


def test_thin_slices_give_deeper_views():
    found = np.zeros((33, 90, 90), dtype=np.uint8)
    found[4:29, 30:60, 30:60] = 1
    around = Surroundings(torch.rand(33, 90, 90), torch.rand(33, 5, 90, 90), found, 2.0)
    view, truth = sample_of(OutlineScene(around, found, {1: 1}), Disturbance(1))
    assert view.shape[1] == 29
    assert truth.flatten(1).any(1).sum() == 25


def test_bodies_of_one_scene_come_together(scene):
    views, truth = next(iter(OutlineSamples(lambda _: scene, 3, 7)))
    assert tuple(views.shape) == (3, CHANNELS, 15, SIDE, SIDE)
    assert tuple(truth.shape) == (3, 15, SIDE, SIDE)


def test_equal_seeds_give_equal_samples(scene):
    first, again = ([*islice(OutlineSamples(lambda _: scene, 3, 7), 4)] for _ in range(2))
    assert all(torch.equal(a, b) for one, two in zip(first, again, strict=True) for a, b in zip(one, two, strict=True))
    other = [*islice(OutlineSamples(lambda _: scene, 3, 8), 4)]
    assert not all(torch.equal(one[0], two[0]) for one, two in zip(first, other, strict=True))


def test_painted_people_give_scenes(tmp_path, monkeypatch):
    tissue = np.full((36, 340, 220), int(Tissue.MUSCLE), dtype=np.uint8)
    level = np.zeros_like(tissue)
    for n in range(9):
        body = slice(330 - 35 * n - 27, 330 - 35 * n)
        tissue[6:30, body, 110:145], level[6:30, body, 110:145] = int(Tissue.MARROW), 17 + n
        tissue[6:30, body.start - 8 : body.start, 110:145] = int(Tissue.NUCLEUS)
    np.savez(tmp_path / "000001.npz", tissue=tissue, level=level)

    def plain(patch, _):
        return torch.from_numpy(np.select([patch.classes == BODY, patch.classes == DISC], [200.0, 90.0], 20.0)).float()

    monkeypatch.setattr("spinemri.training.outline_samples.render", plain)
    shelf = VolumeShelf(tmp_path, 1, 0.5)
    scenes = [found for n in range(6) if (found := painted_scene(shelf, Bright(), np.random.default_rng(n)))]
    assert len(scenes) >= 3
    for scene in scenes:
        assert scene.truth.shape == (15, 160, 208)
        assert set(scene.known.values()) <= set(range(17, 26))
        for number, true in scene.known.items():
            found, wanted = scene.around.found == number, scene.truth == true
            assert 2 * (found & wanted).sum() > 0.98 * (found.sum() + wanted.sum())


def test_the_loss_is_least_for_the_truth_and_blind_where_no_slice_is():
    truth = torch.zeros(2, 5, SIDE, SIDE)
    truth[:, 1:4, 20:40, 20:40] = 1
    there = torch.ones_like(truth)
    there[:, 0] = 0
    right, overlap = outline_loss(20 * (truth - 0.5), truth, there)
    assert right < 0.01
    assert overlap > 0.99
    wrong = 20 * (truth - 0.5)
    wrong[:, 0] = 30  # where there is no slice
    assert outline_loss(wrong, truth, there)[0] == pytest.approx(float(right), abs=1e-4)
    assert outline_loss(20 * (0.5 - truth), truth, there)[0] > 1
