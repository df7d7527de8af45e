"""Samples of the level reader: every vertebra under its own name, in the middle of its window."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from spinemri.errors import InputError
from spinemri.segment.level_model import READ_LEVELS
from spinemri.synthesis.morphometry import NAMES
from spinemri.synthesis.tissue import Tissue
from spinemri.training.level_samples import LevelScene, PaintedLevels, RealLevels, painted_views


@pytest.fixture(scope="module")
def volume():
    """Boxes of bone T9 to S4, 35 mm apart, before a straight sac."""
    tissue = np.full((36, 340, 220), int(Tissue.MUSCLE), dtype=np.uint8)
    level = np.zeros_like(tissue)
    first = NAMES.index("T9") + 1
    for n in range(9):
        body = slice(330 - 35 * n - 27, 330 - 35 * n)
        tissue[8:28, body, 110:145], level[8:28, body, 110:145] = int(Tissue.MARROW), first + n
    tissue[15:21, :, 92:106] = int(Tissue.CSF)
    return {"tissue": tissue, "level": level}


def test_painted_views_name_what_they_show(volume):
    seen = [sample for seed in range(20) for sample in painted_views(volume, np.random.default_rng(seed))]
    names = {READ_LEVELS[place].name for _, place in seen}
    assert {"T10", "T12", "L1", "L5"} <= names <= {"T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"}
    assert all(tuple(view.shape) == (5, 96, 112) for view, _ in seen)
    assert all(bool((view[2, 40:56, 48:64] != 0).any()) for view, _ in seen)


def test_a_folder_of_painted_people_is_drawn_from(volume, tmp_path):
    np.savez(tmp_path / "000001.npz", **volume)
    first, again = ([int(place) for _, place in islice(PaintedLevels(tmp_path, 5), 20)] for _ in range(2))
    assert first == again
    assert len(set(first)) > 3
    with pytest.raises(InputError, match="no painted volumes"):
        PaintedLevels(tmp_path / "nothing", 5)


def test_real_vertebrae_stay_in_the_middle_under_their_names():
    slices = torch.full((9, 260, 300), 50.0) + torch.rand(9, 260, 300)
    places = np.array([[4.0, 120.0, 80.0], [4.0, 120.0, 220.0]])
    for _, row, column in places:
        slices[:, int(row) - 8 : int(row) + 8, int(column) - 8 : int(column) + 8] = 400.0
    levels = np.array([READ_LEVELS.index(level) for level in READ_LEVELS if level.name in ("L2", "L5")])
    samples = [*islice(RealLevels([LevelScene("set", slices, 4.0, places, levels)], 1), 30)]
    assert {place for _, place in samples} == set(levels.tolist())
    apart = [float((view[2, 36:60, 44:68].mean() - view[2, :20, :20].mean()).abs()) for view, _ in samples]
    assert np.median(apart) > 0.3
    with pytest.raises(InputError, match="no labelled vertebrae"):
        RealLevels([], 1)
