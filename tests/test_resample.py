"""Resampling goes through patient coordinates: exact on oblique grids, labels never mixed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import GeometryError
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.resample import resample, resample_voxels
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Series
from tests.columns import rearranged
from tests.strategies import geometries

RAMP = np.array([0.7, -1.3, 0.4])


def ramp(geometry: Geometry):
    """A linear function of patient space: linear interpolation must reproduce it exactly."""
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    return geometry.to_patient(index) @ RAMP


def inner_grid(outer: Geometry, turn) -> Geometry:
    """A small oblique grid about the centre of another, wholly inside it."""
    centre = outer.corners().mean(axis=0)
    room = min(n * s for n, s in zip(outer.shape, outer.spacing, strict=True)) / 2
    shape, spacing = (3, 5, 4), (0.11 * room, 0.06 * room, 0.07 * room)
    a, b = np.radians(turn)
    axes = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.array(
        [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
    )
    half = axes @ ((np.array(shape) - 1) / 2 * np.array(spacing))
    return Geometry(shape, spacing, tuple(centre - half), tuple(axes.ravel()), outer.frame_of_reference_uid)


@given(outer=geometries())
def test_a_ramp_in_patient_space_is_the_same_on_any_grid(outer):
    inner = inner_grid(outer, (23.0, -11.0))
    found = resample_voxels(ramp(outer).astype(np.float32), outer, inner, interpolation="linear")
    assert np.abs(found - ramp(inner)).max() < 2e-3 * (1 + np.abs(ramp(outer)).max())


@given(geometry=geometries())
def test_the_same_grid_gives_the_same_voxels(geometry):
    values = np.random.default_rng(1).integers(-500, 3000, geometry.shape).astype(np.int16)
    same = resample_voxels(values, geometry, geometry, interpolation="nearest")
    assert same.dtype == np.int16
    assert np.array_equal(same, values)


@pytest.mark.parametrize(("order", "flips"), [((1, 2, 0), (True, False, True)), ((2, 1, 0), (False, True, False))])
def test_permuted_and_reversed_axes_come_back_voxel_for_voxel(order, flips):
    grid = Geometry((5, 24, 17), (4.0, 0.7, 0.9), (-31.0, 12.5, 88.0), tuple(_turned(17.0).ravel()), "1.2")
    values = np.random.default_rng(2).integers(0, 255, grid.shape).astype(np.uint8)
    turned, turned_grid = rearranged(values, grid, order, flips)
    assert np.array_equal(resample_voxels(turned, turned_grid, grid, interpolation="nearest"), values)


def _turned(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def volumes():
    grid = Geometry((6, 30, 20), (4.0, 0.9, 1.1), (-20.0, 5.0, 60.0), tuple(_turned(12.0).ravel()), "1.2")
    finer = grid.with_spacing((3.1, 1.3, 0.8))
    body = Structure(StructureKind.VERTEBRAL_BODY, Level("L4"))
    labels = np.zeros(grid.shape, np.uint8)
    labels[2:5, 8:20, 5:15] = label_value(body)
    segmentation = Segmentation(labels, grid, {label_value(body): body}, "1.2.3", "manual", frozenset({body}))
    image = Image(np.full(grid.shape, 90, np.int16), grid, Series(series_uid="1.2.3"), missing_slices=(2,))
    return grid, finer, body, segmentation, image


def test_a_segmentation_keeps_its_names_and_volume():
    grid, finer, body, segmentation, _ = volumes()
    moved = resample(segmentation, finer)
    assert moved.geometry == finer
    assert moved.structures == segmentation.structures
    assert moved.cut == {body}
    assert moved.voxels.dtype == np.uint8
    assert set(np.unique(moved.voxels)) == {0, label_value(body)}
    volume = [np.count_nonzero(s.mask(body)) * np.prod(s.geometry.spacing) for s in (segmentation, moved)]
    assert volume[1] == pytest.approx(volume[0], rel=0.12)
    assert grid.shape != finer.shape


def test_an_image_keeps_its_series_and_says_what_lies_outside():
    grid, finer, _, _, image = volumes()
    moved = resample(image, finer, outside=-7.0)
    assert moved.series == image.series
    assert moved.voxels.dtype == np.float32
    assert moved.missing_slices == ()
    far = Geometry(finer.shape, finer.spacing, (500.0, 0.0, 0.0), finer.direction, "1.2")
    assert np.all(resample(image, far, outside=-7.0).voxels == -7.0)
    centre = tuple(n // 2 for n in finer.shape)
    assert moved.voxels[centre] == pytest.approx(90.0)
    assert grid.frame_of_reference_uid == moved.geometry.frame_of_reference_uid


def test_masks_stay_masks():
    grid, finer, body, segmentation, _ = volumes()
    mask = resample_voxels(segmentation.mask(body), grid, finer, interpolation="nearest")
    assert mask.dtype == np.bool_
    assert 0 < np.count_nonzero(mask) < mask.size


def test_other_frames_of_reference_and_wrong_shapes_are_refused():
    grid, finer, _, _, image = volumes()
    elsewhere = Geometry(finer.shape, finer.spacing, finer.origin, finer.direction, "9.9")
    with pytest.raises(GeometryError, match="frames of reference"):
        resample(image, elsewhere)
    with pytest.raises(GeometryError, match="grid"):
        resample_voxels(np.zeros((2, 3, 4)), grid, finer, interpolation="linear")


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float64])
def test_stored_integers_give_what_their_float_values_give(kind):
    grid = Geometry((4, 9, 7), (4.0, 0.8, 0.9), (3.0, -2.0, 5.0), (0, 1, 0, 0, 0, 1, 1, 0, 0))
    stored = np.random.default_rng(3).integers(0, 120, grid.shape).astype(kind)
    target = grid.with_spacing((3.0, 1.1, 0.7))
    found = resample_voxels(stored, grid, target, interpolation="linear")
    assert found.dtype == np.float32
    assert np.array_equal(found, resample_voxels(stored.astype(np.float32), grid, target, interpolation="linear"))
    assert np.ptp(found) > 50
