"""The cord's border lies half way between its signal and the fluid's, wherever the network drew it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spinemri.anatomy import StructureKind
from spinemri.evaluate.overlap import dice
from spinemri.evaluate.regions import region_images
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segment.borders import follow_borders
from spinemri.segment.column import CORD, SAC
from spinemri.series import Contrast, Series
from tests.columns import rearranged

_SPACING = (1.5, 1.0, 0.8)
_GRID = Geometry((21, 90, 60), _SPACING, (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0))
_SERIES = Series(series_uid="1.2.3", number=7, contrast=Contrast.T2W)
_AROUND, _CORD_MM, _SAC_MM = 60.0, 4.0, 8.0


def scene(cord: float, fluid: float, noise: float = 6.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signal, true cord and true canal: a cord off the middle of a round canal that bends, blurred by half a pixel."""
    across, down, back = np.meshgrid(*(np.arange(n) for n in _GRID.shape), indexing="ij")
    bend = 4 * np.sin(down / 25)
    aside = (across - 10) * _SPACING[0]
    canal = np.hypot(aside, back * _SPACING[2] - 24 - bend) < _SAC_MM
    true = np.hypot(aside, back * _SPACING[2] - 25.5 - bend) < _CORD_MM
    signal = np.select([true, canal], [cord, fluid], _AROUND).astype(np.float64)
    signal = ndimage.gaussian_filter(signal, (0.2, 0.6, 0.6))
    return signal + np.random.default_rng(3).normal(0, noise, signal.shape), true, canal


def drawn(true: np.ndarray, canal: np.ndarray, pixels: int) -> np.ndarray:
    """Classes with the cord so many pixels too wide in its slices (negative: too thin)."""
    plane = ndimage.generate_binary_structure(3, 1)
    plane[0], plane[2] = False, False
    grown = ndimage.binary_dilation if pixels > 0 else ndimage.binary_erosion
    mine = grown(true, plane, iterations=abs(pixels)) & canal if pixels else true
    return np.where(mine, CORD, np.where(canal, SAC, 0)).astype(np.uint8)


def image_of(signal: np.ndarray, grid: Geometry = _GRID) -> Image:
    return Image(signal.clip(0).astype(np.float32), grid, _SERIES)


@pytest.mark.parametrize("signals", [(110.0, 240.0), (190.0, 90.0)], ids=["fluid bright", "fluid dark"])
@pytest.mark.parametrize("pixels", [-2, -1, 1])
def test_a_cord_drawn_too_thin_or_too_wide_comes_to_its_border(signals, pixels):
    signal, true, canal = scene(*signals)
    classes = drawn(true, canal, pixels)
    followed = follow_borders(classes, image_of(signal))
    before, after = dice(classes == CORD, true), dice(followed == CORD, true)
    assert before < 0.92
    assert after > 0.95
    assert ((followed > 0) == (classes > 0)).all()


@pytest.mark.parametrize("signals", [(110.0, 240.0), (190.0, 90.0)], ids=["fluid bright", "fluid dark"])
def test_a_coil_whose_signal_fades_along_the_spine_changes_nothing(signals):
    """Fluid at one end is as dark as cord at the other."""
    signal, true, canal = scene(*signals, noise=2.0)
    fade = np.exp(-np.linspace(0, 2.5, _GRID.shape[1]))[:, None]
    followed = follow_borders(drawn(true, canal, 1), image_of(signal * fade))
    assert dice(followed == CORD, true) > 0.95


def test_a_border_that_is_right_stays():
    signal, true, canal = scene(110.0, 240.0)
    followed = follow_borders(drawn(true, canal, 0), image_of(signal))
    assert dice(followed == CORD, true) > 0.97


def test_where_cord_and_fluid_look_alike_nothing_changes():
    signal, true, canal = scene(200.0, 215.0)
    classes = drawn(true, canal, -1)
    assert (follow_borders(classes, image_of(signal)) == classes).all()


def test_without_cord_nothing_changes():
    signal, _, canal = scene(110.0, 240.0)
    classes = np.where(canal, SAC, 0).astype(np.uint8)
    assert (follow_borders(classes, image_of(signal)) == classes).all()


@pytest.mark.parametrize("rows", [slice(40, 55), slice(20, 60)])
def test_a_gap_between_two_pieces_of_the_cord_is_closed(rows):
    signal, true, canal = scene(110.0, 240.0)
    classes = drawn(true, canal, 0)
    lost = true.copy()
    lost[:, : rows.start], lost[:, rows.stop :] = False, False
    classes[lost] = SAC
    followed = follow_borders(classes, image_of(signal))
    assert dice(followed == CORD, true) > 0.96
    assert (followed == CORD)[lost].mean() > 0.93


def test_below_its_end_the_cord_does_not_go_on():
    signal, true, canal = scene(110.0, 240.0)
    classes = drawn(true, canal, 0)
    signal[:, 60:][canal[:, 60:]] = 240.0
    classes[:, 60:][classes[:, 60:] == CORD] = SAC
    classes[9:12, 84:86][true[9:12, 84:86]] = CORD  # a speck among the roots
    followed = follow_borders(classes, image_of(signal))
    assert not (followed == CORD)[:, 66:80].any()


def test_a_dark_root_beside_the_cord_is_not_cord():
    signal, true, canal = scene(110.0, 240.0)
    root = np.zeros_like(true)
    row = np.argwhere(true[10, 40])[-1, 0] + 1
    root[10, 34:46, row + 1] = True
    signal[root] = 110.0
    followed = follow_borders(drawn(true, canal, 0), image_of(signal))
    assert not (followed == CORD)[root & ~ndimage.binary_dilation(true)].any()


def test_bright_signal_within_the_cord_stays_cord():
    signal, true, canal = scene(110.0, 240.0)
    deep = ndimage.distance_transform_edt(true, sampling=_SPACING) > 1.8
    deep[:, :30], deep[:, 45:] = False, False
    signal[deep] = 230.0
    followed = follow_borders(drawn(true, canal, 0), image_of(signal))
    assert (followed == CORD)[deep].mean() > 0.97


def test_slices_that_it_fills_in_part_do_not_draw_the_border_outwards():
    """What such a slice shows as cord is a mixture; half way between that and fluid lies too far out."""
    images, truth = region_images("cervical", 701, (Contrast.T1W,))
    cord, sac = (truth.mask_of_kind(kind) for kind in (StructureKind.CORD, StructureKind.THECAL_SAC))
    plane = ndimage.generate_binary_structure(3, 1)
    plane[0], plane[2] = False, False
    wide = ndimage.binary_dilation(cord, plane) | np.roll(cord, 1, 0) | np.roll(cord, -1, 0)
    classes = np.where(wide & (cord | sac), CORD, np.where(sac, SAC, 0)).astype(np.uint8)
    assert dice(classes == CORD, cord) < 0.66
    assert dice(follow_borders(classes, images[0]) == CORD, cord) > 0.73


@pytest.mark.parametrize(("order", "flips"), [((2, 1, 0), (True, False, True)), ((1, 0, 2), (False, True, False))])
def test_the_order_of_the_array_does_not_matter(order, flips):
    signal, true, canal = scene(110.0, 240.0)
    classes = drawn(true, canal, -1)
    followed = follow_borders(classes, image_of(signal))
    turned, grid = rearranged(classes, _GRID, order, flips)
    turned_signal, _ = rearranged(signal, _GRID, order, flips)
    expected, _ = rearranged(followed, _GRID, order, flips)
    assert (follow_borders(turned, image_of(turned_signal, grid)) == expected).mean() > 0.9999
