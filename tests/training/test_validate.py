"""Scores: an overlap known by construction, inside the labelled extent only."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spinemri.segment.model import load_model
from spinemri.segment.predictor import Predictor
from spinemri.segment.preprocess import neighbours, normalise
from spinemri.training.real import LabelledCase, LabelledVolume
from spinemri.training.validate import Score, dice, score_case, table

CASE = LabelledCase("vb3", "44", "44", "validation", "vertebral_body")


def test_dice_of_known_overlap():
    truth = np.zeros((3, 20, 30), dtype=bool)
    truth[1, 5:15, 5:25] = True
    half = truth.copy()
    half[1, 5:10] = False
    assert dice(half, truth) == pytest.approx(2 * 100 / 300)
    assert dice(truth & False, truth & False) == 1
    assert dice(truth & False, truth) == 0


def test_only_the_labelled_extent_is_scored():
    """Against its own prediction the model scores 1, whatever it finds outside the extent."""
    predictor = Predictor(load_model(), device="cpu")
    slices = torch.from_numpy(np.random.default_rng(1).gamma(2, 30, (6, 96, 128)).astype(np.float32))
    slices[:, 30:60, 20:110] *= 2.5
    found = predictor.class_probabilities(neighbours(normalise(slices), 5, 1)).argmax(1)
    target = int(found.flatten().mode().values)
    labelled = found == target
    extent = torch.zeros(96, 128, dtype=torch.bool)
    extent[:, 40:90] = True
    volume = LabelledVolume(CASE, slices, labelled & extent, extent, target, 1)
    assert score_case(volume, predictor).dice == 1
    wrong = LabelledVolume(CASE, slices, ~labelled & extent, extent, target, 1)
    assert score_case(wrong, predictor).dice == 0


def test_the_table_has_a_row_per_case_and_a_mean_per_set():
    text = table([Score(CASE, 0.9, 0.95, 0.8, 0.85), Score(CASE, 0.8, 0.85, 0.7, 0.75)])
    assert text.splitlines()[-1] == "| **vb3** | mean of 2 | vertebral body | 0.850 | 0.900 | 0.750 | 0.800 |"
    assert len(text.splitlines()) == 5
