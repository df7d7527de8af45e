"""A random field is the same however the voxels lie in which it is read."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from spinemri.synthesis.texture import Texture

_AXES = (np.arange(0.0, 40), np.arange(0.0, 90, 1.5), np.arange(0.0, 60, 0.8))
_GRAIN = (7.0, 20.0, 5.0)
_X, _Z, _A = np.linspace(-6, 45, 31), np.linspace(3, 95, 50), np.linspace(-4, 70, 45)  # beyond the field too


def square(axes: tuple[int, int, int]) -> tuple[np.ndarray, ...]:
    """Points x, z, a that vary along the given array axes."""
    return tuple(
        values.reshape([-1 if n == axis else 1 for n in range(3)])
        for values, axis in zip((_X, _Z, _A), axes, strict=True)
    )


def tilted(axis: int) -> tuple[np.ndarray, ...]:
    """Slices tilted about the left-right axis, which runs along an array axis."""
    rows, columns = np.meshgrid(_Z, _A, indexing="ij")
    z, a = rows + 0.2 * columns, columns - 0.2 * rows
    return _X.reshape([-1 if n == axis else 1 for n in range(3)]), np.expand_dims(z, axis), np.expand_dims(a, axis)


def oblique() -> tuple[np.ndarray, ...]:
    x, z, a = np.meshgrid(_X, _Z, _A, indexing="ij")
    return x + 0.1 * z, z - 0.1 * x, a + 0.05 * x


@pytest.mark.parametrize(
    "points", [square((0, 1, 2)), square((2, 1, 0)), square((1, 2, 0)), tilted(0), tilted(2), oblique()]
)
def test_it_is_read_as_voxel_by_voxel(points):
    texture = Texture(_AXES, points)
    found = texture.noise(np.random.default_rng(8), _GRAIN)
    steps = [g / p for g, p in zip(_GRAIN, texture.pixel, strict=True)]
    shape = [max(2, int(np.ceil(n / step)) + 1) for n, step in zip(texture.whole, steps, strict=True)]
    lattice = np.random.default_rng(8).standard_normal(shape).astype(np.float32)
    index = [
        (place - axis[0]) / (axis[1] - axis[0]) * (c - 1) / (len(axis) - 1)
        for place, axis, c in zip(np.broadcast_arrays(*points), _AXES, shape, strict=True)
    ]
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, map_coordinates(lattice, index, order=1, mode="mirror"), atol=1e-4)


def test_the_field_itself_is_what_is_read_at_its_points():
    x, z, a = _AXES
    points = x[:, None, None], z[None, :, None], a[None, None, :]
    whole, read = (Texture(_AXES, p).noise(np.random.default_rng(3), _GRAIN) for p in (None, points))
    np.testing.assert_allclose(whole, read, atol=1e-4)
