"""Smooth random fields: drawn on a lattice over the field in which a person is drawn, read at any points.

The same generator over the same field gives the same lattice. So the streaks of a muscle lie at one place of the person
however the slices run; beyond the field the lattice goes on as in a mirror.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Field = NDArray[np.floating]
    Axes = tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], steps: tuple[float, ...]) -> Field:
    """Smooth random field of unit scale; ``steps`` are the voxels between independent values on each axis."""
    field = _lattice(rng, shape, steps)
    for axis, n in enumerate(shape):
        c = field.shape[axis]
        place = np.linspace(0, c - 1, n, dtype=np.float32)[:, None]
        weights = np.clip(1 - np.abs(place - np.arange(c, dtype=np.float32)), 0, 1)
        field = np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(field)


def _lattice(rng: np.random.Generator, shape: tuple[int, ...], steps: tuple[float, ...]) -> Field:
    coarse = [max(2, int(np.ceil(n / step)) + 1) for n, step in zip(shape, steps, strict=True)]
    return rng.standard_normal(coarse).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Texture:
    """Random fields over one person, read at the voxels of a canvas.

    Parameters
    ----------
    axes : coordinates (x, z, a) in mm, each evenly spaced, of the field in which the fields are drawn
    points : coordinates x, z, a in mm of the canvas' voxels, broadcast against each other; None for those of the field
    """

    axes: Axes
    points: Axes | None = None

    @property
    def whole(self) -> tuple[int, int, int]:
        """Voxels of the field on x, z, a."""
        x, z, a = self.axes
        return len(x), len(z), len(a)

    @property
    def pixel(self) -> tuple[float, float, float]:
        """Their size, mm."""
        x, z, a = (float(abs(v[1] - v[0])) for v in self.axes)
        return x, z, a

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the canvas."""
        return np.broadcast_shapes(*(p.shape for p in self.points)) if self.points else self.whole

    def noise(self, rng: np.random.Generator, grain_mm: tuple[float, float, float]) -> Field:
        """Smooth random field of unit scale over the canvas, independent values ``grain_mm`` apart on x, z, a."""
        steps = tuple(grain / pixel for grain, pixel in zip(grain_mm, self.pixel, strict=True))
        if self.points is None:
            return smooth_noise(rng, self.whole, steps)
        lattice = _lattice(rng, self.whole, steps)
        places = [
            place * np.float32((c - 1) / max(n - 1, 1))
            for place, c, n in zip(self._places(), lattice.shape, self.whole, strict=True)
        ]
        return _read(lattice, places)

    def blocks(self, values: NDArray[np.uint8], steps: Sequence[int]) -> NDArray[np.uint8]:
        """Values given for blocks of ``steps`` voxels of the field, over the canvas."""
        if self.points is None:
            for axis, step in enumerate(steps):
                values = values.repeat(step, axis)
            return values[tuple(slice(n) for n in self.whole)]
        indices = []
        for place, n, step in zip(self._places(), self.whole, steps, strict=True):
            turned = np.abs(np.rint(place).astype(int)) % max(2 * n - 2, 1)
            indices.append(np.minimum(turned, 2 * n - 2 - turned) // step)
        return np.asarray(values[tuple(indices)])

    def _places(self) -> list[Field]:
        """Fractional indices of the canvas' voxels in the field, each with the axes on which it varies."""
        return [
            ((point - axis[0]) / (axis[1] - axis[0])).astype(np.float32)
            for point, axis in zip(self.points or (), self.axes, strict=True)
        ]


def _read(lattice: Field, places: Sequence[Field]) -> Field:
    """Values of a lattice between its points, which goes on as in a mirror; places broadcast against each other.

    Axes are read one after the other as far as each index varies along an axis of its own: all of them in a grid that
    is square to the person, the first in slices square to the sagittal plane only.
    """
    own = {n: axis for n in range(len(places)) if (axis := _own_axis(places, n)) is not None}
    if len(own) == len(places):
        for n, place in enumerate(places):
            lattice = _along(lattice, n, place)
        return np.ascontiguousarray(np.moveaxis(lattice, list(own), list(own.values())), dtype=np.float32)
    first, *others = places
    if 0 not in own or len(lattice) >= first.size:
        return _between(lattice, places)
    index = np.arange(len(lattice), dtype=np.float32).reshape([-1 if n == own[0] else 1 for n in range(first.ndim)])
    return np.ascontiguousarray(_along(_between(lattice, [index, *others]), own[0], first), dtype=np.float32)


def _own_axis(places: Sequence[Field], number: int) -> int | None:
    """The axis along which one place varies and no other does; None if there is none."""
    place = places[number]
    axis = int(np.argmax(place.shape))
    others = (other.shape[axis] for n, other in enumerate(places) if n != number)
    return axis if place.size == place.shape[axis] and all(length == 1 for length in others) else None


def _along(values: Field, axis: int, place: Field) -> Field:
    """Double-precision values at fractional indices of one axis."""
    count = values.shape[axis]
    period = max(2 * count - 2, 1)
    turned = np.abs(place.reshape(-1, 1).astype(np.float64)) % period
    weights = np.clip(1 - np.abs(np.minimum(turned, period - turned) - np.arange(count)), 0, 1)
    return np.moveaxis(np.tensordot(weights, values.astype(np.float64), axes=(1, axis)), 0, axis)


def _between(lattice: Field, places: Sequence[Field]) -> Field:
    """The same voxel by voxel."""
    at = np.broadcast_arrays(*places)
    found: Field = map_coordinates(lattice, at, output=np.float32, order=1, mode="mirror", prefilter=False)
    return found
