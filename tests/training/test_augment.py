"""Anatomy keeps its direction and its labels stay on it, whatever is done to the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spinemri.training.augment import SliceAugment, random_curve, random_grid

SIZE = (160, 192)


def scene() -> tuple[torch.Tensor, torch.Tensor]:
    """A big structure behind and below, a small one in front and above, each slice a little brighter."""
    image = torch.full((5, 150, 190), 40.0)
    image[:, 40:70, 50:90] = 200
    image[:, 95:105, 120:140] = 90
    image = image + torch.arange(5.0)[:, None, None]
    truth = torch.zeros(2, 150, 190)
    truth[0, 40:70, 50:90] = 1
    truth[1] = 1
    return image, truth


def samples(count: int = 40) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    augment = SliceAugment(3)
    found = [augment(*scene(), (75.0, 95.0), SIZE) for _ in range(count)]
    return [(view, labelled[0], extent) for view, labelled, extent in (sample for sample in found if sample)]


def test_labels_stay_on_their_structure():
    """A curve of several pieces may give the structure the signal of what is around it; few do."""
    edges = []
    for image, labelled, _ in samples():
        inside = image[2][labelled > 0]
        ring = (torch.nn.functional.max_pool2d(labelled[None], 9, 1, 4)[0] > 0) & (labelled == 0)
        edges.append(float((inside.median() - image[2][ring].median()).abs()))
        assert inside.numel() > 500
    assert np.quantile(edges, 0.05) > 0.02


def test_what_is_behind_and_below_stays_there():
    for _, labelled, _ in samples():
        row, column = np.argwhere(labelled.numpy() > 0).mean(0)
        assert row < 80 + 8
        assert column < 96 + 8


def test_some_samples_are_mirrored_left_to_right_by_their_slice_order():
    """The middle slice stays in the middle; the order of the others turns in about half of the samples."""
    augment = SliceAugment(3)
    image, truth = scene()
    image[0] = 0  # absent on one side
    marked = torch.cat([truth[:1], torch.zeros_like(truth[:1]), truth[1:]])  # and labelled only in the first of two
    seen = [sample for sample in (augment(image, marked, (75.0, 95.0), SIZE) for _ in range(40)) if sample]
    absent = [not view[0].any() for view, *_ in seen]
    assert 8 < sum(absent) < 32
    assert [bool(labelled[0].any()) for _, labelled, _ in seen] == absent


def test_outside_the_image_is_zero_and_never_supervised():
    augment = SliceAugment(5)
    image, truth = scene()
    for _ in range(10):
        view, labelled, extent = augment(image, truth, (5.0, 95.0), SIZE)
        outside = extent == 0
        assert outside.any()
        assert not labelled[:, outside].any()
        assert not view[:, torch.nn.functional.avg_pool2d(extent[None], 5, 1, 2)[0] == 0].any()


def test_a_view_that_misses_the_image_is_none():
    assert SliceAugment(1)(*scene(), (-400.0, -400.0), (32, 32)) is None


def test_a_curve_is_continuous_and_sometimes_inverted():
    rng = np.random.default_rng(0)
    ramp = torch.linspace(1, 200, 5000).view(1, 50, 100)
    slopes = []
    for _ in range(60):
        curved = random_curve(ramp, ramp > 0, rng).flatten()
        assert float(curved.diff().abs().max()) < 0.05
        slopes.append(float(curved[4500] - curved[500]))
    assert min(slopes) < -0.3 < 0.3 < max(slopes)


def test_the_view_is_centred_where_it_should_be():
    grid = random_grid(np.random.default_rng(2), (160, 192), (60.0, 70.0), (150, 190))
    column, row = grid[0, 80, 96].tolist()
    assert (row + 1) * 149 / 2 == pytest.approx(60, abs=0.01)
    assert (column + 1) * 189 / 2 == pytest.approx(70, abs=0.01)
