"""Signal tables of training samples."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.series import Contrast
from spinemri.synthesis.signal import PROTOCOLS
from spinemri.synthesis.tissue import COUNT, Tissue
from spinemri.training import contrasts
from spinemri.training.contrasts import random_table


@pytest.fixture
def tables(monkeypatch) -> np.ndarray:
    """Tables of T2-weighted spin echoes only."""
    monkeypatch.setattr(contrasts, "_SHARES", {PROTOCOLS[Contrast.T2W]: 1.0})
    monkeypatch.setattr(contrasts, "_INVENTED", 0.0)
    rng = np.random.default_rng(5)
    return np.stack([random_table(rng) for _ in range(200)])


def test_a_table_has_a_finite_signal_for_every_tissue(tables):
    assert tables.shape == (200, COUNT)
    assert np.isfinite(tables).all()
    assert (tables >= 0).all()


def test_what_lies_between_spinous_processes_is_dark_in_some_samples_and_as_bright_as_fat_in_others(tables):
    share = tables[:, Tissue.INTERSPINOUS] / tables[:, Tissue.SUBCUTANEOUS_FAT]
    assert np.mean(share < 0.4) > 0.1
    assert np.mean(share > 0.75) > 0.1


def test_invented_contrasts_make_fluid_darker_than_marrow_as_often_as_brighter(monkeypatch):
    monkeypatch.setattr(contrasts, "_INVENTED", 1.0)
    rng = np.random.default_rng(6)
    drawn = np.stack([random_table(rng) for _ in range(200)])
    assert 0.3 < np.mean(drawn[:, Tissue.CSF] > drawn[:, Tissue.MARROW]) < 0.7
