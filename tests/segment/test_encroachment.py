"""What presses on the cord until no fluid is left is no canal; what a fading signal or flow darkens is canal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segment.borders import follow_borders
from spinemri.segment.column import CORD, SAC
from spinemri.segment.encroachment import find_encroachment
from spinemri.series import Contrast, Series
from tests.columns import rearranged

SPACING = (4.0, 1.0, 0.8)
GRID = Geometry((5, 140, 60), SPACING, (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0))
SERIES = Series(series_uid="1.2.3", number=7, contrast=Contrast.T2W)
FLUID, CORD_SIGNAL, BONE, DARK = 240.0, 100.0, 110.0, 15.0


def scene(reach_mm: float = 5.0, behind_mm: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signal, classes as a network draws them (straight), and what presses at 70 mm, 14 mm long.

    The canal is 14 mm deep, the cord in its middle 7 mm, a dark line and bone lie before it.
    """
    across, down, back = np.meshgrid(*(np.arange(n, dtype=float) for n in GRID.shape), indexing="ij")
    down, back = down * SPACING[1], back * SPACING[2]
    canal = (np.abs(across - 2) <= 1) & (back > 16) & (back < 30)
    cord = canal & (np.abs(back - 23) < 3.5)
    here = np.abs(down - 70) < 7
    pressing = canal & here & ((back < 16 + reach_mm) | (back > 30 - behind_mm))
    line = ~canal & (np.abs(across - 2) <= 1) & (back > 13) & (back < 33)
    signal = np.select([pressing, cord, canal, line], [DARK, CORD_SIGNAL, FLUID, DARK], BONE)
    signal = ndimage.gaussian_filter(signal, (0, 0.5, 0.5))
    signal = np.clip(signal + np.random.default_rng(5).normal(0, 4, signal.shape), 0, None)
    classes = np.select([cord, canal], [CORD, SAC], 0).astype(np.uint8)
    return signal, classes, pressing


def image_of(signal: np.ndarray, grid: Geometry = GRID) -> Image:
    return Image(signal.astype(np.float32), grid, SERIES)


@pytest.mark.parametrize(("order", "flips"), [((0, 1, 2), (False, False, False)), ((2, 0, 1), (True, True, False))])
@pytest.mark.parametrize(("front", "behind"), [(5.0, 0.0), (3.5, 3.5), (0.0, 5.0)])
def test_what_presses_on_the_cord_is_taken_out(order, flips, front, behind):
    signal, classes, pressing = scene(front, behind)
    turned, grid = rearranged(classes, GRID, order, flips)
    followed = follow_borders(turned, image_of(rearranged(signal, GRID, order, flips)[0], grid))
    gone, stays = (rearranged(m, GRID, order, flips)[0] for m in (pressing, (classes > 0) & ~pressing))
    assert (followed == 0)[gone].mean() > 0.93
    assert np.isin(followed, (SAC, CORD))[stays].mean() > 0.97


def test_a_free_cord_stays_as_it_was():
    signal, classes, _ = scene(0.0)
    assert find_encroachment(classes, signal, GRID).sum() < 0.002 * np.count_nonzero(classes)


def test_a_coil_whose_signal_fades_presses_on_nothing():
    signal, classes, _ = scene(0.0)
    faded = signal * np.exp(-np.arange(140) / 25.0)[None, :, None]
    assert find_encroachment(classes, faded, GRID).sum() < 0.01 * np.count_nonzero(classes)


def test_flow_voids_within_the_fluid_stay():
    signal, classes, _ = scene(0.0)
    rows, columns = slice(60, 75), slice(34, 36)
    assert (classes[1:4, rows, columns] == SAC).all()
    signal[1:4, rows, columns] = DARK
    assert not find_encroachment(classes, signal, GRID)[1:4, rows, columns].any()


@pytest.mark.parametrize("depth_mm", [1.6, 2.4])
def test_flow_voids_at_the_dura_stay_where_fluid_lies_between_them_and_the_cord(depth_mm):
    signal, classes, _ = scene(0.0)
    void = (classes == SAC) & (np.arange(60) * SPACING[2] > 30 - depth_mm) & (np.abs(np.arange(140) - 70) < 10)[:, None]
    signal[void] = DARK
    assert void.any()
    assert not find_encroachment(classes, signal, GRID).any()


def test_a_sac_that_is_pressed_flat_is_still_there():
    signal, classes, _ = scene(0.0)
    here = (classes > 0) & (np.abs(np.arange(140) - 70) < 6)[:, None]
    signal[here] = DARK
    followed = follow_borders(classes, image_of(signal))
    left = np.isin(followed, (SAC, CORD))[:, 65:76].sum(axis=(0, 2))
    assert left.min() >= 1
    assert left.max() < 0.2 * here[:, 70].sum()


def test_dark_fluid_and_a_missing_cord_tell_nothing():
    signal, classes, _ = scene()
    assert not find_encroachment(classes, 260 - signal, GRID).any()
    assert not find_encroachment(np.where(classes == CORD, SAC, classes), signal, GRID).any()


def test_slices_beside_the_cord_are_judged_by_it():
    signal, classes, pressing = scene()
    beside = np.isin(np.arange(5), (1, 3))[:, None, None] & np.ones_like(pressing)
    signal[beside & (classes == CORD) & ~pressing] = FLUID
    classes[beside & (classes == CORD)] = SAC
    assert find_encroachment(classes, signal, GRID)[beside & pressing].mean() > 0.93
