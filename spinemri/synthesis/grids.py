"""A person painted on the grid of an image of any orientation.

Nothing is resampled: every voxel of the image is divided into smaller ones, and what lies at their centres is asked of
the person's own description. Slices are as thick as they were excited, so gaps between them are left out.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis.canvas import blank_canvas
from spinemri.synthesis.labels import painted
from spinemri.synthesis.numbering import USUAL, Chain

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from spinemri.geometry import Geometry
    from spinemri.synthesis.appearance import Appearance
    from spinemri.synthesis.subject import Subject
    from spinemri.synthesis.texture import Axes

_AT_ONCE = 8_000_000  # voxels painted in one go
_STRAIGHT = 1e-9  # direction cosines below this are rounding


@dataclass(frozen=True, eq=False)
class Placement:
    """How a subject lies in the scanner: LPS point = ``rotation`` (3, 3) @ (x, -a, z) + ``offset`` (3,), mm."""

    rotation: NDArray[np.floating]
    offset: NDArray[np.floating]

    def to_patient(self, points: ArrayLike) -> NDArray[np.float64]:
        """LPS points (..., 3) of subject points (..., 3) in (x, z, a)."""
        x, z, a = np.moveaxis(np.asarray(points, dtype=np.float64), -1, 0)
        return np.asarray(np.stack([x, -a, z], axis=-1) @ self.rotation.T + self.offset)

    def to_subject(self, points: ArrayLike) -> NDArray[np.float64]:
        """Subject points (..., 3) in (x, z, a) of LPS points (..., 3)."""
        return self.turned_back(np.asarray(points, dtype=np.float64) - self.offset)

    def turned(self, directions: ArrayLike) -> NDArray[np.float64]:
        """LPS directions (..., 3) of subject directions (..., 3) in (x, z, a)."""
        return self.to_patient(directions) - self.offset

    def turned_back(self, directions: ArrayLike) -> NDArray[np.float64]:
        """Subject directions (..., 3) in (x, z, a) of LPS directions (..., 3)."""
        x, y, z = np.moveaxis(np.asarray(directions, dtype=np.float64) @ self.rotation, -1, 0)
        return np.asarray(np.stack([x, z, -y], axis=-1))


@dataclass(frozen=True, eq=False)
class Person:
    """A subject with everything that is drawn at random when it is painted, and where it lies.

    Parameters
    ----------
    subject : sizes and places
    axes : coordinates (x, z, a) in mm of the field in which random looks are drawn; best one that holds all images
    rng : its state decides the random looks; it is copied, never advanced
    placement, frame_of_reference_uid : in the scanner
    roughness_mm, look : see ``labels.paint``
    """

    subject: Subject
    axes: Axes
    rng: np.random.Generator
    placement: Placement
    frame_of_reference_uid: str | None = None
    roughness_mm: float = 0.0
    look: Appearance | None = None


@dataclass(frozen=True)
class Sampling:
    """Grid of an image, and how finely it is painted: ``layers`` within ``thickness_mm``, ``fine`` pixels per pixel."""

    geometry: Geometry
    thickness_mm: float
    layers: int = 3
    fine: int = 2

    @property
    def shape(self) -> tuple[int, int, int]:
        """Painted voxels: slices x layers, rows x fine, columns x fine."""
        k, j, i = self.geometry.shape
        return k * self.layers, j * self.fine, i * self.fine

    def offsets(self) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
        """Distances, mm, of the painted voxels' centres from the image's first one along slices, rows and columns."""
        part = ((np.arange(self.layers) + 0.5) / self.layers - 0.5) * self.thickness_mm
        k, j, i = self.geometry.shape
        slices = (np.arange(k) * self.geometry.spacing[0])[:, None] + part
        rows, columns = (
            ((np.arange(n * self.fine) + 0.5) / self.fine - 0.5) * mm
            for n, mm in zip((j, i), self.geometry.spacing[1:], strict=True)
        )
        return slices.ravel(), rows, columns


@dataclass(frozen=True, eq=False)
class PaintedGrid:
    """Tissue and level (see ``labels.LabelVolume``) of the parts of an image's voxels, in the image's own axes.

    ``chain`` says which vertebrae the levels count.
    """

    tissue: NDArray[np.uint8]
    level: NDArray[np.uint8]
    sampling: Sampling
    chain: Chain = USUAL


def paint_grid(person: Person, sampling: Sampling) -> PaintedGrid:
    """Paint a person for the voxels of an image, a few slices at a time."""
    tissue, level = (np.empty(sampling.shape, dtype=np.uint8) for _ in range(2))
    slices, rows, columns = sampling.offsets()
    several = max(1, _AT_ONCE // (len(rows) * len(columns)))
    for first in range(0, len(slices), several):
        part = slice(first, first + several)
        found = paint_points(person, _points(person.placement, sampling.geometry, (slices[part], rows, columns)))
        tissue[part], level[part] = found
    return PaintedGrid(tissue, level, sampling, person.subject.chain)


def paint_points(person: Person, points: Axes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Tissue and level at subject coordinates x, z, a: three arrays of three axes each that broadcast."""
    rng = deepcopy(person.rng)
    canvas = blank_canvas(person.subject, person.axes, rng, person.roughness_mm, points)
    volume = painted(canvas, person.subject, person.axes, rng, person.look)
    return volume.tissue, volume.level


def _points(placement: Placement, geometry: Geometry, offsets: Axes) -> Axes:
    """Coordinates x, z, a of a grid's voxels, each with the axes on which it varies."""
    origin = placement.to_subject(geometry.origin)
    steps = placement.turned_back(geometry.axes.T)  # (axis, coordinate)
    spread = [np.expand_dims(values, tuple({0, 1, 2} - {axis})) for axis, values in enumerate(offsets)]
    found = []
    for coordinate in range(3):
        place = np.full((1, 1, 1), origin[coordinate])
        for along, step in zip(spread, steps[:, coordinate], strict=True):
            place = place + along * step if abs(step) > _STRAIGHT else place
        found.append(place)
    return found[0], found[1], found[2]
