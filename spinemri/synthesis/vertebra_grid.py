"""Vertebrae on a labelled grid, each with coordinates of its own: where marrow changes are put.

Grids are (slices, rows to anterior, columns to superior). It makes no difference whether the labels were painted or
come from a segmentation of a real image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.synthesis.texture import smooth_noise
from spinemri.synthesis.tissue import BODY, DISC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Field = NDArray[np.floating]
    Mask = NDArray[np.bool_]
    Window = tuple[slice, slice, slice]

DISC_LEVEL = 100  # levels of discs lie so far above those of the bone over them
_MARGIN_MM = 16.0
_LEAST_VOXELS = 150


@dataclass(frozen=True, eq=False)
class GridVertebra:
    """One vertebra of a grid, in a window around it.

    Parameters
    ----------
    level : its value in the level map
    window : where the arrays below lie in the whole grid
    spacing : (slices, rows, columns) mm
    classes, levels : (slices, rows, columns) class 0 to 6, and level of bone or DISC_LEVEL + level of the disc below
    u, v, x : mm from the body's middle to superior, from the posterior wall to anterior, from its middle along slices
    half_height, depth, half_width : of the body, mm
    """

    level: int
    window: Window
    spacing: tuple[float, float, float]
    classes: NDArray[np.uint8]
    levels: NDArray[np.uint8]
    u: Field
    v: Field
    x: Field
    half_height: float
    depth: float
    half_width: float

    @property
    def bone(self) -> Mask:
        """Body and posterior elements."""
        return np.asarray(self.levels == self.level)

    @property
    def body(self) -> Mask:
        """The body alone."""
        return np.asarray(self.bone & (self.classes == BODY))

    def disc(self, *, above: bool) -> Mask:
        """The disc above or below."""
        return np.asarray(self.levels == DISC_LEVEL + self.level - above)

    def from_endplate(self, *, superior: bool) -> Field:
        """Distance (mm) from the disc beyond an endplate, or from the endplate's plane where no disc is labelled."""
        disc = self.disc(above=superior)
        if not disc.any():
            return np.asarray(self.half_height - self.u if superior else self.half_height + self.u)
        return np.asarray(ndimage.distance_transform_edt(~disc, sampling=self.spacing), dtype=np.float32)

    def inside(self) -> Field:
        """Depth (mm) below the surface of the bone, 0 outside."""
        return np.asarray(ndimage.distance_transform_edt(self.bone, sampling=self.spacing), dtype=np.float32)

    def noise(self, rng: np.random.Generator, grain_mm: float) -> Field:
        """Smooth random field of unit scale whose features are about ``grain_mm`` large."""
        steps = tuple(max(1.0, grain_mm / mm) for mm in self.spacing)
        return smooth_noise(rng, self.levels.shape, steps)


def find_vertebrae(
    classes: NDArray[np.uint8], levels: NDArray[np.uint8], spacing: tuple[float, float, float]
) -> dict[int, GridVertebra]:
    """Vertebrae with enough of a body in a grid, level -> vertebra.

    Parameters
    ----------
    classes, levels : (slices, rows, columns) see ``GridVertebra``
    spacing : mm along slices, rows, columns
    """
    bodies = np.where((classes == BODY) & (levels < DISC_LEVEL), levels, 0)
    counts = np.bincount(bodies.ravel(), minlength=1)
    shown = [n for n in range(1, len(counts)) if counts[n] >= _LEAST_VOXELS]
    centres = {n: np.array(ndimage.center_of_mass(bodies == n)) * spacing for n in shown}
    boxes = ndimage.find_objects(np.where(levels < DISC_LEVEL, levels, 0))
    return {n: _vertebra(n, boxes[n - 1], centres, (classes, levels), spacing) for n in shown}


def _vertebra(
    level: int,
    box: Window,
    centres: Mapping[int, NDArray[np.floating]],
    maps: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    spacing: tuple[float, float, float],
) -> GridVertebra:
    margin = [int(np.ceil(_MARGIN_MM / mm)) for mm in spacing]
    sides = [slice(max(0, b.start - m), min(n, b.stop + m)) for b, m, n in zip(box, margin, maps[0].shape, strict=True)]
    window = sides[0], sides[1], sides[2]
    classes, levels = (m[window] for m in maps)
    up = _upward(level, centres)
    forward = np.array([0.0, up[2], -up[1]])
    offsets = [
        (np.arange(w.start, w.stop, dtype=np.float32) * mm - c).astype(np.float32)
        for w, mm, c in zip(window, spacing, centres[level], strict=True)
    ]
    dx, dr, dc = np.meshgrid(*offsets, indexing="ij")
    u, v = up[1] * dr + up[2] * dc, forward[1] * dr + forward[2] * dc
    body = (levels == level) & (classes == BODY)
    back, front = np.quantile(v[body], (0.02, 0.98))
    middle = body & (np.abs(dx) < spacing[0])
    low, high = np.quantile(u[middle if middle.any() else body], (0.02, 0.98))
    return GridVertebra(
        level=level,
        window=window,
        spacing=spacing,
        classes=classes,
        levels=levels,
        u=(u - (low + high) / 2).astype(np.float32),
        v=(v - back).astype(np.float32),
        x=dx,
        half_height=float(high - low) / 2,
        depth=float(front - back),
        half_width=float(np.quantile(np.abs(dx[body]), 0.97)) + spacing[0] / 2,
    )


def _upward(level: int, centres: Mapping[int, NDArray[np.floating]]) -> NDArray[np.floating]:
    """Unit vector (slices, rows, columns) to superior along the line through the neighbours, within the slices."""
    above, below = centres.get(level - 1, centres[level]), centres.get(level + 1, centres[level])
    axis = above - below
    axis[0] = 0
    length = float(np.linalg.norm(axis))
    return axis / length if length > 0 else np.array([0.0, 0.0, 1.0])


def has_disc(vertebra: GridVertebra, *, above: bool) -> bool:
    """Whether the disc above or below is labelled in the window."""
    return bool((vertebra.disc(above=above) & (vertebra.classes == DISC)).any())
