"""A dent in the front of the sac is taken out of it where bright fluid shows it, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segment.borders import follow_borders
from spinemri.segment.column import CORD, SAC
from spinemri.series import Contrast, Series
from tests.columns import rearranged

_SPACING = (4.0, 1.0, 0.8)
_GRID = Geometry((7, 90, 60), _SPACING, (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0))
_SERIES = Series(series_uid="1.2.3", number=7, contrast=Contrast.T2W)
_FLUID, _AROUND, _ROOTS = 240.0, 40.0, 90.0


def places() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slice, mm downwards and mm backwards of every voxel."""
    across, down, back = np.meshgrid(*(np.arange(n, dtype=float) for n in _GRID.shape), indexing="ij")
    return across, down * _SPACING[1], back * _SPACING[2]


def scene(dent_mm: float = 2.4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signal, the canal without its dent, and the dent at 45 mm, 12 mm long; the column lies in front."""
    across, down, back = places()
    canal = (np.abs(across - 3) <= 2) & (back > 16) & (back < 30)
    dent = canal & (back < 16 + dent_mm) & (np.abs(down - 45) < 6)
    signal = ndimage.gaussian_filter(np.where(canal & ~dent, _FLUID, _AROUND), (0, 0.5, 0.5))
    return signal + np.random.default_rng(5).normal(0, 6, signal.shape), canal, dent


def image_of(signal: np.ndarray, grid: Geometry = _GRID) -> Image:
    return Image(signal.clip(0).astype(np.float32), grid, _SERIES)


def classes_of(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, SAC, 0).astype(np.uint8)


@pytest.mark.parametrize(("order", "flips"), [((0, 1, 2), (False, False, False)), ((2, 0, 1), (True, True, False))])
def test_a_dent_that_was_filled_is_taken_out(order, flips):
    signal, canal, dent = scene()
    turned, grid = rearranged(classes_of(canal), _GRID, order, flips)
    followed = follow_borders(turned, image_of(rearranged(signal, _GRID, order, flips)[0], grid))
    gone, wrong = (rearranged(mask, _GRID, order, flips)[0] for mask in (dent, canal & ~dent))
    assert (followed == 0)[gone].mean() > 0.95
    assert (followed == SAC)[wrong].mean() > 0.99


def test_a_sac_that_ends_where_its_fluid_does_stays():
    signal, canal, dent = scene()
    classes = classes_of(canal & ~dent)
    assert (follow_borders(classes, image_of(signal)) != classes).mean() < 1e-3


def test_roots_at_the_back_wall_stay():
    signal, canal, _ = scene(0)
    signal[canal & (places()[2] > 27.5)] = _AROUND + 20
    classes = classes_of(canal)
    assert (follow_borders(classes, image_of(signal)) == classes).all()


def test_a_sac_crowded_with_roots_stays_as_it_was_found():
    """No fluid is left at the level: the image does not tell roots from what narrows the sac."""
    signal, canal, _ = scene(0)
    crowded = canal & (np.abs(places()[1] - 45) < 12)
    signal[crowded] = _ROOTS
    middle = crowded & (np.abs(places()[1] - 45) < 6)
    assert (follow_borders(classes_of(canal), image_of(signal)) == SAC)[middle].all()


def test_the_cord_is_never_taken_out():
    signal, canal, dent = scene()
    classes = classes_of(canal)
    classes[dent] = CORD
    assert (follow_borders(classes, image_of(signal)) == classes)[dent].all()


def test_dark_fluid_tells_nothing():
    signal, canal, _ = scene()
    classes = classes_of(canal)
    assert (follow_borders(classes, image_of(300 - signal)) == classes).all()


def beside_the_midline(signal_behind: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signal, a sac drawn 8 mm too deep in its outermost slices, and what is too much: dark there."""
    signal, canal, _ = scene(0)
    across, _, back = places()
    outer = np.abs(across - 3) == 2
    spill = canal & outer & (back > 22)
    signal[spill] = signal_behind + np.random.default_rng(6).normal(0, 4, int(spill.sum()))
    return signal, canal, spill


@pytest.mark.parametrize(("order", "flips"), [((0, 1, 2), (False, False, False)), ((2, 0, 1), (True, True, False))])
def test_ligament_beside_the_midline_is_taken_out(order, flips):
    signal, canal, spill = beside_the_midline(_AROUND)
    turned, grid = rearranged(classes_of(canal), _GRID, order, flips)
    followed = follow_borders(turned, image_of(rearranged(signal, _GRID, order, flips)[0], grid))
    gone, kept = (rearranged(mask, _GRID, order, flips)[0] for mask in (spill, canal & ~spill))
    assert (followed == 0)[gone].mean() > 0.9
    assert (followed == SAC)[kept].mean() > 0.99


def test_roots_beside_the_midline_stay():
    signal, canal, spill = beside_the_midline(0.45 * _FLUID)
    assert (follow_borders(classes_of(canal), image_of(signal)) == SAC)[spill].mean() > 0.95


def test_a_sac_that_shows_no_fluid_at_a_height_stays_in_all_slices():
    """Nothing tells there what of it is too much: a tumour may fill it."""
    signal, canal, _ = scene(0)
    filled = canal & (np.abs(places()[1] - 45) < 12)
    signal[filled] = _AROUND
    middle = filled & (np.abs(places()[1] - 45) < 4)
    assert (follow_borders(classes_of(canal), image_of(signal)) == SAC)[middle].all()


def test_fluid_that_a_coil_shows_faintly_is_fluid():
    signal, canal, _ = scene(0)
    fading = np.exp(-((places()[1] / 45) ** 2))  # to 2 % at the lower end
    kept = (follow_borders(classes_of(canal), image_of(signal * fading)) == SAC)[canal & (places()[1] < 60)]
    assert kept.mean() > 0.99


def test_a_cord_counts_as_what_the_sac_belongs_to():
    signal, canal, spill = beside_the_midline(_AROUND)
    classes = classes_of(canal)
    cord = spill & (places()[2] > 24) & (places()[2] < 28)
    classes[cord] = CORD
    followed = follow_borders(classes, image_of(signal))
    assert (followed[cord] != 0).all()


@pytest.mark.parametrize("top", [0.0, 12.0])
def test_a_cord_that_was_taken_for_sac_stays(top):
    """It is as dark and as thick, but fluid lies on both sides of it; the sac is drawn to the edge or not."""
    signal, canal, _ = scene(0)
    across, down, back = places()
    signal[(np.abs(across - 3) <= 1) & (back > 18) & (back < 28)] = 0.25 * _FLUID
    canal &= down >= top
    assert (follow_borders(classes_of(canal), image_of(signal)) == SAC)[canal].mean() > 0.99
