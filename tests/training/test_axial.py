"""Axial training samples: painted stacks as they lie, classes where tissues are, short stacks with lost neighbours."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from spinemri.errors import InputError
from spinemri.segment.model import load_model
from spinemri.synthesis.random_grids import random_axial
from spinemri.synthesis.tissue import CORD, POSTERIOR, SAC
from spinemri.training.axial import AxialSlices, cut_axial, write_axial
from spinemri.training.clock import TrainingConfig
from spinemri.training.run import TrainingData, train_bundle
from spinemri.training.synthetic import CLASSES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("axial")
    assert write_axial(made, (5, 6)) == 2
    return made


@pytest.fixture(scope="module")
def stack(folder):
    with np.load(min(folder.glob("*.npz"))) as stored:
        return {name: stored[name] for name in stored.files}


def test_what_is_there_is_not_painted_again(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert write_axial(folder, (5, 6)) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_stacks_lie_as_they_were_painted(stack):
    _, grids = random_axial(5, layers=3, fine=1)
    assert (stack["tissue"][::-1].transpose(2, 0, 1) == grids[0].tissue).all()
    assert stack["spacing"] == pytest.approx(grids[0].sampling.geometry.spacing)
    classes = CLASSES[stack["tissue"]]
    rows = {kind: np.argwhere(classes == kind)[:, 0].mean() for kind in (SAC, POSTERIOR)}
    assert rows[POSTERIOR] < rows[SAC]  # rows run from posterior to anterior


def test_a_cut_has_the_pixels_of_the_network(stack):
    areas = []
    for seed in range(12):
        patch = cut_axial(stack, np.random.default_rng(seed), (3, 224, 224), 0.8)
        assert patch.classes.shape == (min(3, stack["tissue"].shape[2] // 3), 224, 224)
        areas.append(float(np.isin(patch.classes, (SAC, CORD)).sum(axis=(1, 2)).mean()) * 0.64)
    own = float(stack["spacing"][1]) ** 2
    true = float(np.isin(CLASSES[stack["tissue"]][..., 1::3], (SAC, CORD)).sum(axis=(0, 1)).mean()) * own
    assert np.median(areas) == pytest.approx(true, rel=0.35)  # scaled by up to a fifth either way
    assert min(areas) > 0


def test_samples_are_stacks_with_their_neighbours(folder):
    for image, classes in islice(AxialSlices(folder, 0.8, seed=1), 4):
        count, channels, *size = image.shape
        assert channels == 5
        assert classes.shape == (count, *size)
        assert bool((image[0, :2] == 0).all())  # nothing lies below the lowest slice
        assert torch.isfinite(image).all()
        if count > 1:
            assert torch.equal(image[1, 1], image[0, 2])


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no painted volumes"):
        AxialSlices(tmp_path, 0.8)


def test_training_takes_axial_slices_for_an_axial_model_and_no_real_ones(folder, tmp_path):
    model = load_model("axial_anatomy")
    data = TrainingData(folder, threads=1)
    with pytest.raises(InputError, match="real images are sagittal or 3D"):
        train_bundle(model, replace(data, real=tmp_path), TrainingConfig(tmp_path, 1.0))
    checkpoint = train_bundle(model, data, TrainingConfig(tmp_path / "run", 5.0, max_steps=1))
    assert checkpoint.exists()
