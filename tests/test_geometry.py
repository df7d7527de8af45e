"""A point keeps its place: index and patient space, grids compared in mm, another spacing over the same extent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinemri.errors import GeometryError
from spinemri.geometry import Geometry
from tests.strategies import directions, geometries, millimetres

SAGITTAL = Geometry(  # 15 slices right to left, rows from head to foot, columns front to back
    shape=(15, 448, 320),
    spacing=(4.4, 0.68, 0.72),
    origin=(-31.0, -90.0, 140.0),
    direction=(1, 0, 0, 0, 0, 1, 0, -1, 0),
)


def indices() -> st.SearchStrategy[np.ndarray]:
    return st.lists(st.tuples(*[millimetres(-20, 80)] * 3), min_size=1, max_size=8).map(np.array)


@given(geometries(), indices())
def test_a_point_returns_to_its_index(grid, index):
    assert np.allclose(grid.to_index(grid.to_patient(index)), index, atol=1e-6)


@given(geometries(), indices())
def test_the_affine_says_what_to_patient_says(grid, index):
    homogeneous = np.c_[index, np.ones(len(index))]
    assert np.allclose((homogeneous @ grid.affine.T)[:, :3], grid.to_patient(index), atol=1e-6)


@given(geometries(), indices(), st.integers(0, 8))
def test_rounded_direction_cosines_still_return_to_the_index(grid, index, entry):
    skewed = list(grid.direction)
    skewed[entry] += 3e-4  # as headers with four decimals have it
    rounded = replace(grid, direction=tuple(skewed))
    assert np.allclose(rounded.to_index(rounded.to_patient(index)), index, atol=1e-6)


@given(geometries(), st.integers(0, 2))
def test_one_step_along_an_axis_is_its_spacing(grid, axis):
    step = grid.to_patient(np.eye(3)[axis]) - np.array(grid.origin)
    assert np.linalg.norm(step) == pytest.approx(grid.spacing[axis])
    assert np.allclose(step / grid.spacing[axis], grid.axes[:, axis])


def test_a_sagittal_grid_in_numbers():
    assert SAGITTAL.orientation == "LIP"
    assert [SAGITTAL.axis_along(world) for world in range(3)] == [0, 2, 1]
    assert np.allclose(SAGITTAL.to_patient((2, 100, 50)), (-31 + 8.8, -90 + 36.0, 140 - 68.0))
    assert np.allclose(SAGITTAL.to_index((-31 + 8.8, -54.0, 72.0)), (2, 100, 50))


@given(geometries())
def test_orientation_names_each_patient_axis_once(grid):
    pairs = [next(pair for pair in ("RL", "AP", "IS") if letter in pair) for letter in grid.orientation]
    assert sorted(pairs) == ["AP", "IS", "RL"]
    for world, pair in enumerate(("RL", "AP", "IS")):
        assert grid.orientation[grid.axis_along(world)] in pair


@given(geometries(max_tilt_deg=12.0), st.integers(0, 2))
def test_reversing_an_axis_reverses_its_letter(grid, axis):
    opposite = dict(zip("RLAPIS", "LRPASI", strict=True))
    axes = grid.axes.copy()
    axes[:, axis] *= -1
    reversed_code = replace(grid, direction=tuple(axes.ravel())).orientation
    expected = [opposite[c] if a == axis else c for a, c in enumerate(grid.orientation)]
    assert reversed_code == "".join(expected)


@given(geometries())
def test_same_grid_allows_a_tenth_of_a_millimetre(grid):
    x, y, z = grid.origin
    assert grid.same_grid(grid)
    assert grid.same_grid(replace(grid, origin=(x + 0.05, y, z)))
    assert not grid.same_grid(replace(grid, origin=(x + 0.2, y, z)))
    assert grid.same_grid(replace(grid, origin=(x + 0.2, y, z)), atol_mm=0.3)


@given(geometries())
def test_same_grid_needs_shape_and_frame_of_reference(grid):
    slices, rows, columns = grid.shape
    assert not grid.same_grid(replace(grid, shape=(slices + 1, rows, columns)))
    assert not grid.same_grid(replace(grid, frame_of_reference_uid="1.2.99"))


@given(geometries())
def test_same_grid_sees_a_small_turn_at_the_far_corner(grid):
    turn = np.deg2rad(3.0)  # over 10 mm and more of extent: at least half a millimetre
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    assert not grid.same_grid(replace(grid, direction=tuple((about_z @ grid.axes).ravel())))


@given(geometries(), st.tuples(millimetres(1.0, 4.0), millimetres(0.5, 2.0), millimetres(0.5, 2.0)))
def test_another_spacing_keeps_centre_and_extent(grid, spacing):
    other = grid.with_spacing(spacing)
    assert other.spacing == spacing
    assert other.direction == grid.direction
    assert other.frame_of_reference_uid == grid.frame_of_reference_uid
    assert np.allclose(other.corners().mean(axis=0), grid.corners().mean(axis=0), atol=1e-6)
    extent, other_extent = (np.multiply(g.shape, g.spacing) for g in (grid, other))
    assert np.all(np.abs(other_extent - extent) <= np.array(spacing) / 2 + 1e-6)


@given(geometries())
def test_the_same_spacing_is_the_same_grid(grid):
    assert grid.with_spacing(grid.spacing).same_grid(grid, atol_mm=1e-6)


@given(geometries(), st.data())
def test_a_part_keeps_its_places(grid, data):
    first = [data.draw(st.integers(0, n - 1)) for n in grid.shape]
    last = [data.draw(st.integers(at, n - 1)) for at, n in zip(first, grid.shape, strict=True)]
    part = grid.part(tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True)))
    assert part.shape == tuple(b - a + 1 for a, b in zip(first, last, strict=True))
    assert np.allclose(part.corners()[[0, -1]], grid.to_patient([first, last]), atol=1e-6)
    assert (part.direction, part.frame_of_reference_uid) == (grid.direction, grid.frame_of_reference_uid)


@given(geometries())
def test_equal_grids_are_equal_keys(grid):
    twin = replace(grid, spacing=list(grid.spacing), direction=np.array(grid.direction))
    assert twin == grid
    assert hash(twin) == hash(grid)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (15, 0, 320)}, "three sizes"),
        ({"shape": (448, 320)}, "three sizes"),
        ({"spacing": (4.4, 0.0, 0.7)}, "three positive"),
        ({"spacing": (4.4, -0.7, 0.7)}, "three positive"),
        ({"spacing": (4.4, float("inf"), 0.7)}, "three positive"),
        ({"origin": (0.0, float("nan"), 0.0)}, "three finite"),
        ({"direction": (1, 0, 0, 0, 1, 0)}, "nine finite"),
        ({"direction": (1, 0, 0, 0, 0, 1, 0, -1, 0.1)}, "not orthonormal"),
        ({"direction": (1, 0, 0, 0, 0, 2, 0, -1, 0)}, "not orthonormal"),
    ],
)
def test_an_impossible_grid_is_refused(change, message):
    with pytest.raises(GeometryError, match=message):
        replace(SAGITTAL, **change)


@given(directions())
def test_the_strategy_makes_oblique_axes(direction):
    assert np.sort(np.abs(np.reshape(direction, (3, 3))), axis=0)[1].max() > 0.01
