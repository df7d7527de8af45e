"""A disc that dents the sac reaches as far as its dark does; discs that dent nothing stay as they were drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segment.protrusion import with_protrusions
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Contrast, Series
from tests.columns import rearranged

_GRID = Geometry((5, 160, 70), (4.0, 1.0, 0.8), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0))
_SERIES = Series(series_uid="1.2.3", number=7, contrast=Contrast.T2W)
_DISCS = {24: "L1", 60: "L2", 96: "L3", 132: "L4"}  # mm from the top, level above
_DENTED = 60
_FAT, _BONE, _RIM, _FLUID = 120.0, 90.0, 30.0, 240.0
_WALL_MM, _SAC_MM = 30.0, 35.0  # from the front


def disc(level: str) -> Structure:
    return Structure(StructureKind.DISC, Level(level), Level(f"L{int(level[1]) + 1}"))


def scene(pushed_mm: float = 5.0, of: float = _RIM) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signal, labels as a network draws them, and what one disc pushes into the sac, as bright as ``of``.

    Between every disc and the sac lie 1.6 mm of dark, the rest is fat.
    """
    across, down, back = np.meshgrid(
        *(np.arange(n) * mm for n, mm in zip(_GRID.shape, _GRID.spacing, strict=True)), indexing="ij"
    )
    labels = np.zeros(_GRID.shape, dtype=np.uint8)
    signal = np.where(back < _WALL_MM, _BONE, _FAT)
    sac = (back >= _SAC_MM) & (back < 50) & (np.abs(across - 8) <= 8)
    pushed = np.zeros(_GRID.shape, dtype=bool)
    for place, level in _DISCS.items():
        near = np.abs(down - place) < 5
        labels[near & (back < _WALL_MM)] = label_value(disc(level))
        signal[near & (back < _WALL_MM + 1.6)] = _RIM
        if place == _DENTED:
            pushed = near & (back >= _WALL_MM) & (back < _SAC_MM + pushed_mm) & sac.any(axis=(1, 2), keepdims=True)
    signal[sac] = _FLUID
    signal[pushed] = of
    labels[sac & ~pushed] = label_value(Structure(StructureKind.THECAL_SAC))
    blurred = ndimage.gaussian_filter(signal, (0, 0.5, 0.5))
    return blurred + np.random.default_rng(3).normal(0, 4, blurred.shape), labels, pushed


def found(signal: np.ndarray, labels: np.ndarray, grid: Geometry = _GRID) -> np.ndarray:
    structures = {label_value(disc(level)): disc(level) for level in _DISCS.values()}
    sac = Structure(StructureKind.THECAL_SAC)
    drawn = Segmentation(labels, grid, {**structures, label_value(sac): sac}, "1.2.3", "a network")
    return with_protrusions(drawn, Image(signal.clip(0).astype(np.float32), grid, _SERIES)).voxels


@pytest.mark.parametrize(("order", "flips"), [((0, 1, 2), (False, False, False)), ((2, 0, 1), (True, True, False))])
def test_what_dents_the_sac_is_given_to_its_disc(order, flips):
    signal, labels, pushed = scene()
    turned, grid = rearranged(labels, _GRID, order, flips)
    after = found(rearranged(signal, _GRID, order, flips)[0], turned, grid)
    mine = rearranged(pushed, _GRID, order, flips)[0]
    assert set(np.unique(after[mine])) == {0, label_value(disc("L2"))}
    assert 0.65 < (after[mine] > 0).mean() < 0.9  # what is dark behind every disc is not counted
    assert (after == turned)[~mine].all()


@pytest.mark.parametrize(
    ("pushed_mm", "of"),
    [(0.8, _RIM), (5.0, 130.0)],
    ids=["a dent as healthy discs make it", "as bright as fat or tumour"],
)
def test_what_is_no_protrusion_stays_out(pushed_mm, of):
    signal, labels, _ = scene(pushed_mm, of)
    assert (found(signal, labels) == labels).all()


def test_where_fluid_is_dark_nothing_is_told():
    """T1w: the sac is as dark as a disc."""
    signal, labels, _ = scene()
    dark = np.where(labels == label_value(Structure(StructureKind.THECAL_SAC)), _RIM, signal)
    assert (found(dark, labels) == labels).all()


def test_a_disc_at_the_edge_of_the_field_is_left_alone():
    signal, labels, pushed = scene()
    rows = slice(50, 160)  # the field begins 10 mm above the dented disc
    grid = _GRID.part((slice(None), rows, slice(None)))
    assert pushed[:, rows].any()
    assert (found(signal[:, rows], labels[:, rows], grid) == labels[:, rows]).all()
