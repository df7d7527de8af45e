"""Signal equations: what radiologists know about the contrasts, and the closed-form limits."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.series import Contrast
from spinemri.synthesis.signal import PROTOCOLS, Protocol, pool_signal, signal_table
from spinemri.synthesis.tissue import COUNT, FAT, Relaxation, Tissue


def _table(contrast: Contrast) -> dict[Tissue, float]:
    """Signal without the spread between people, on average over draws of disc degeneration."""
    draws = np.mean([signal_table(PROTOCOLS[contrast], np.random.default_rng(n), jitter=0.0) for n in range(4)], axis=0)
    return {kind: float(draws[kind]) for kind in Tissue}


def test_t1_fat_bright_csf_dark() -> None:
    t1 = _table(Contrast.T1W)
    assert t1[Tissue.SUBCUTANEOUS_FAT] > t1[Tissue.MARROW] > t1[Tissue.MUSCLE] > t1[Tissue.CSF]
    assert t1[Tissue.LESION] < 0.75 * t1[Tissue.MARROW], "replaced marrow is dark on T1"
    assert t1[Tissue.CORD] > t1[Tissue.CSF]


def test_t2_csf_brightest() -> None:
    t2 = _table(Contrast.T2W)
    assert t2[Tissue.CSF] > 2 * t2[Tissue.CORD] > 0
    assert t2[Tissue.NUCLEUS] > t2[Tissue.ANNULUS]
    assert t2[Tissue.CORTEX] < 0.1 * t2[Tissue.MARROW]


def test_stir_nulls_fat_and_shows_the_lesion() -> None:
    stir = _table(Contrast.STIR)
    assert stir[Tissue.SUBCUTANEOUS_FAT] < 0.1 * stir[Tissue.CSF]
    assert stir[Tissue.LESION] > 1.8 * stir[Tissue.MARROW]


def test_long_tr_short_te_is_density() -> None:
    water = Relaxation(500, 80, 0.7)
    assert pool_signal(water, Protocol(Contrast.PDW, 1e6, 1e-6)) == pytest.approx(0.7, rel=1e-6)


def test_inversion_at_the_null_gives_nothing() -> None:
    null = FAT.t1 * (np.log(2) - np.log(1 + np.exp(-4000 / FAT.t1)))
    assert pool_signal(FAT, Protocol(Contrast.STIR, 4000, 50, float(null))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("contrast", list(PROTOCOLS))
def test_tables_cover_every_tissue(contrast: Contrast) -> None:
    table = signal_table(PROTOCOLS[contrast], np.random.default_rng(0))
    assert table.shape == (COUNT,)
    assert np.all(np.isfinite(table))
    assert np.all(table >= 0)
    assert table[Tissue.AIR] == 0
