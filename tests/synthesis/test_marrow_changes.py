"""Several changes on one grid: what each voxel has become, what is laid over the signal, and on what it is painted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.lesion import MarrowChange as Kind
from spinemri.series import Contrast
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.acquire import acquire, acquire_signal
from spinemri.synthesis.changes import draw_substance
from spinemri.synthesis.deposits import Deposit
from spinemri.synthesis.labels import paint
from spinemri.synthesis.marrow_changes import KINDS, UNKNOWN, Changes, grown, kind_map, laid_down
from spinemri.synthesis.random_subject import random_volume
from spinemri.synthesis.signal import PROTOCOLS, signal_table
from spinemri.synthesis.subject import sample_subject
from spinemri.synthesis.tissue import Tissue
from spinemri.synthesis.vertebra_grid import find_vertebrae
from tests.synthesis.test_deposits import SPACING, column

SHAPE = (7, 40, 50)
WINDOW = (slice(1, 6), slice(5, 35), slice(10, 40))
COARSE = (5.0, 2.0, 2.0)


def deposit(rows: slice, share: float, kind: Kind = Kind.TUMOUR, texture: float = 0.0, striped: float = 0.0) -> Deposit:
    """A block over some rows of the window."""
    filled = np.zeros((5, 30, 30), dtype=np.float32)
    filled[:, rows] = share
    return Deposit(kind, WINDOW, filled, draw_substance(kind, np.random.default_rng(0)), texture, striped)


def number(kind: Kind) -> int:
    return 1 + list(Kind).index(kind)


def test_numbers_of_kinds_are_those_of_the_network_and_leave_room_for_unknown() -> None:
    assert list(KINDS) == list(Kind)
    assert number(KINDS[-1]) < UNKNOWN


def test_a_voxel_is_what_fills_most_of_it_and_unknown_at_an_edge() -> None:
    parts = [deposit(slice(0, 5), 1.0), deposit(slice(5, 10), 0.51), deposit(slice(10, 15), 0.35)]
    parts.append(deposit(slice(15, 20), 0.15))
    kinds = kind_map(parts, SHAPE)
    assert kinds.dtype == np.uint8
    here = kinds[WINDOW]
    assert (here[:, :10] == number(Kind.TUMOUR)).all()
    assert (here[:, 10:15] == UNKNOWN).all()
    assert not here[:, 15:].any()
    outside = kinds.copy()
    outside[WINDOW] = 0
    assert not outside.any()


def test_the_later_change_wins_but_its_edge_does_not_erase_an_earlier_one() -> None:
    first, later = deposit(slice(0, 20), 1.0, Kind.FAT), deposit(slice(10, 25), 0.9, Kind.DISCITIS)
    edge = deposit(slice(0, 30), 0.4, Kind.SCHMORL)
    here = kind_map([first, later, edge], SHAPE)[WINDOW][2, :, 7]
    assert (here[:10] == number(Kind.FAT)).all()
    assert (here[10:25] == number(Kind.DISCITIS)).all()
    assert (here[25:] == UNKNOWN).all()
    swapped = kind_map([later, first], SHAPE)[WINDOW][2, :, 7]
    assert (swapped[:20] == number(Kind.FAT)).all()
    over = kind_map([edge, first], SHAPE)[WINDOW][2, :, 7]
    assert (over[:20] == number(Kind.FAT)).all(), "what is sure replaces what was unknown"


def marrow() -> np.ndarray:
    return np.random.default_rng(4).uniform(0.4, 0.6, SHAPE).astype(np.float32)


def test_a_signal_is_replaced_by_share_in_order_and_nothing_else_changes() -> None:
    before = marrow()
    kept = before.copy()
    parts = (deposit(slice(0, 10), 1.0), deposit(slice(5, 20), 0.25, Kind.FAT))
    after = laid_down(before, Changes(parts, kind_map(parts, SHAPE)), [0.2, 1.0], np.random.default_rng(1))
    assert np.array_equal(before, kept), "the input is left alone"
    here, own = after[WINDOW], kept[WINDOW]
    assert np.allclose(here[:, :5], 0.2)
    assert np.allclose(here[:, 5:10], 0.2 + 0.25 * 0.8)
    assert np.allclose(here[:, 10:20], own[:, 10:20] + 0.25 * (1 - own[:, 10:20]), atol=1e-6)
    touched = np.zeros(SHAPE, dtype=bool)
    touched[WINDOW][:, :20] = True
    assert np.array_equal(after[~touched], kept[~touched])


def test_texture_is_uneven_by_its_depth_and_never_negative() -> None:
    spread = []
    for texture in (0.05, 0.2, 3.0):
        parts = (deposit(slice(0, 30), 1.0, texture=texture),)
        after = laid_down(marrow(), Changes(parts, kind_map(parts, SHAPE)), [0.5], np.random.default_rng(2))[WINDOW]
        assert after.min() >= 0
        spread.append(float(after.std() / after.mean()))
    assert 0.02 < spread[0] < 0.06
    assert spread[1] == pytest.approx(4 * spread[0], rel=0.05)


def test_stripes_are_vertical() -> None:
    """Dark trabeculae run along the spine, which is the last axis."""
    parts = (deposit(slice(0, 30), 1.0, Kind.HAEMANGIOMA, striped=4.0),)
    after = laid_down(marrow(), Changes(parts, kind_map(parts, SHAPE)), [1.0], np.random.default_rng(3))[WINDOW]
    assert set(np.unique(np.round(after, 4))) == {np.float32(0.55), np.float32(1.0)}
    assert 0.15 < (after < 0.9).mean() < 0.5
    across, along = (np.abs(np.diff(after, axis=axis)).mean() for axis in (1, 2))
    assert across > 2 * along


def test_an_oedematous_fracture_prefers_a_low_body() -> None:
    made = column(half=8.0)
    found = find_vertebrae(made.classes, made.levels, SPACING)
    rng = np.random.default_rng(0)

    def share(kind: Kind) -> float:
        picked = [grown(kind, found, rng)[0].window for _ in range(30)]
        return float(np.mean([window == found[5].window for window in picked]))

    assert share(Kind.FRACTURE_OEDEMA) > 0.7  # 13 of 15
    assert 0.1 < share(Kind.FAT) < 0.6
    assert found[5].half_height < 0.85 * found[4].half_height


def test_without_lesions_and_nodes_a_plain_volume_is_the_same() -> None:
    """Seed 6 draws neither, so that 'plain' has nothing to leave out and must not move a single draw."""
    (subject, usual), (_, plain) = random_volume(6, COARSE), random_volume(6, COARSE, plain=True)
    assert not subject.pathology.lesions
    assert np.array_equal(usual.tissue, plain.tissue)
    assert np.array_equal(usual.level, plain.level)


@pytest.mark.parametrize("seed", [10, 29])  # with nodes as well
def test_plain_leaves_lesions_and_nodes_out_and_nothing_else(seed: int) -> None:
    (with_all, usual), (without, plain) = random_volume(seed, COARSE), random_volume(seed, COARSE, plain=True)
    assert with_all.pathology.lesions
    assert not without.pathology.lesions
    assert without.pathology.fractures == with_all.pathology.fractures
    assert without.pathology.narrowings == with_all.pathology.narrowings
    lesion, marrows = usual.tissue == int(Tissue.LESION), (int(Tissue.MARROW), int(Tissue.BASIVERTEBRAL_VEIN))
    assert lesion.any()
    assert not (plain.tissue == int(Tissue.LESION)).any()
    assert np.isin(plain.tissue[lesion], marrows).all()
    changed = (usual.tissue != plain.tissue) & ~lesion  # nodes: their rim is cortex, their dent disc
    assert 0 < changed.sum() < 0.01 * (plain.level > 0).sum()
    assert ((plain.level[changed] > 0) & (plain.level[changed] < 100)).all(), "in bodies only"
    dent = np.isin(usual.tissue[changed], [int(t) for t in (Tissue.CORTEX, Tissue.ANNULUS, Tissue.NUCLEUS)])
    assert dent.all()


def test_a_known_signal_is_acquired_down_and_back_with_its_contrast() -> None:
    signal = np.full((6, 60, 80), 1.0, dtype=np.float32)
    signal[2:4, 10:30, 50:70] = 0.3  # lower half, in front
    signal[5, 40:50, 10:30] = 0  # one of the two layers of the last slice
    image = acquire_signal(signal, np.random.default_rng(1), sub=(2, 2), snr=40)
    assert image.shape == (3, 30, 40)
    assert image.dtype == np.uint16
    dark = np.zeros(image.shape, dtype=bool)
    dark[1, 15:25, 5:15] = True
    beside = np.zeros_like(dark)
    beside[1, 15:25, 16:20] = True
    assert np.median(image[dark]) < 0.5 * np.median(image[beside])
    assert np.median(image[0, 15:25, 5:15]) > 1.5 * np.median(image[dark])
    half = np.median(image[2, 6:9, 27:33].astype(float) / image[0, 6:9, 27:33])
    assert half == pytest.approx(0.5, abs=0.12)
    flat = np.ones((2, 60, 80), dtype=np.float32)
    noise = [
        np.diff(acquire_signal(flat, np.random.default_rng(1), sub=(2, 1), snr=snr).astype(float), axis=1).std()
        for snr in (10, 40)
    ]
    assert noise[0] == pytest.approx(4 * noise[1], rel=0.3)


def test_a_painted_subject_is_acquired_from_its_table() -> None:
    """Tissue by tissue and voxel by voxel are the same scanner: only texture and levels' gain are drawn before."""
    rng = np.random.default_rng(9)
    subject = sample_subject(rng)
    a, z = subject.centre[sizes.L1]
    axes = (np.arange(-6.0, 6.0, 2.0), np.arange(z - 30, z + 30), np.arange(a - 40, a + 30))
    volume = paint(replace(subject, midline=np.zeros_like(subject.midline)), axes, rng)
    table = signal_table(PROTOCOLS[Contrast.T1W], np.random.default_rng(2))
    image = acquire(volume, table, np.random.default_rng(5), sub=(2, 1), snr=30).astype(float)
    plain = acquire_signal(table[volume.tissue], np.random.default_rng(5), sub=(2, 1), snr=30).astype(float)
    assert image.shape == plain.shape == (3, 60, 70)
    assert np.corrcoef(image.ravel(), plain.ravel())[0, 1] > 0.9
