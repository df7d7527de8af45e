"""Signal equations: what radiologists know about the contrasts, and the closed-form limits."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.series import Contrast
from spinemri.synthesis.signal import GRADIENT_ECHO, PROTOCOLS, Protocol, pool_signal, signal_table
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


def test_dixon_parts_the_pools_and_opposed_phase_cancels_them_in_fatty_marrow() -> None:
    water, fat, both, opposed = (
        _table(c) for c in (Contrast.DIXON_WATER, Contrast.DIXON_FAT, Contrast.DIXON_IN, Contrast.DIXON_OPPOSED)
    )
    assert water[Tissue.SUBCUTANEOUS_FAT] < 0.1 * water[Tissue.MUSCLE]
    assert fat[Tissue.MUSCLE] < 0.1 * fat[Tissue.SUBCUTANEOUS_FAT]
    assert opposed[Tissue.MARROW] < 0.6 * both[Tissue.MARROW], "water and fat of about the same strength cancel"
    assert opposed[Tissue.LESION] > 0.8 * both[Tissue.LESION], "no fat is left in replaced marrow"


def test_a_gradient_echo_at_the_ernst_angle_is_strongest() -> None:
    water = Relaxation(900, 1e9, 1.0)
    ernst = float(np.degrees(np.arccos(np.exp(-50 / 900))))
    best, less, more = (
        pool_signal(water, Protocol(Contrast.OTHER, 50, 1e-6, flip_angle_deg=ernst + d), dephasing=0.0)
        for d in (0, -5, 5)
    )
    assert best > max(less, more)


def test_a_gradient_echo_loses_marrow_between_trabeculae() -> None:
    spin = Protocol(Contrast.OTHER, GRADIENT_ECHO.repetition_time, GRADIENT_ECHO.echo_time)
    with_loss, without = (signal_table(p, np.random.default_rng(0), jitter=0.0) for p in (GRADIENT_ECHO, spin))
    ratio = [table[Tissue.MARROW] / table[Tissue.MUSCLE] for table in (with_loss, without)]
    assert ratio[0] < 0.6 * ratio[1]


@pytest.mark.parametrize("contrast", list(PROTOCOLS))
def test_tables_cover_every_tissue(contrast: Contrast) -> None:
    table = signal_table(PROTOCOLS[contrast], np.random.default_rng(0))
    assert table.shape == (COUNT,)
    assert np.all(np.isfinite(table))
    assert np.all(table >= 0)
    assert table[Tissue.AIR] == 0
