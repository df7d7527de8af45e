"""Vertebrae of real people as templates: how deep below the bone's surface a point lies, in the vertebra's own frame.

A template's frame is the one a subject's vertebra has: x to the left from the midline, f forward from the posterior
wall, d down from the superior endplate at that wall, mm. Templates are made from a folder of surface meshes that is
given by the caller and is no part of this package; without one the parametric posterior elements are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grid = NDArray[np.floating]

STEP = 0.8  # mm between samples of a template
FAR = -8.0  # mm, depth given to what lies beyond a template
_FRONT = 2.5  # mm before the posterior wall at which pedicles end
_LEAST_CANAL = 60.0  # mm2, a smaller hole in an axial layer is no spinal canal
_GLANCED = (0, 4, 8, 12, 16)  # layers of bone through which the canal still counts as seen from above
_OFTEN = 0.5  # share of the canal's layers in which a point of the midline must lie in it
_RIM = 6.0  # mm of air kept around the bone


@dataclass(frozen=True, eq=False)
class Template:
    """Posterior elements of one vertebra.

    Parameters
    ----------
    depth : (x, f, d) mm below the surface, negative outside; samples ``STEP`` mm apart
    origin : (x, f, d) of the first sample, mm
    height : of the body at its posterior wall
    canal : AP and transverse diameter of the bony canal
    reach : how far the spinous process goes behind the canal
    """

    depth: NDArray[np.float16]
    origin: tuple[float, float, float]
    height: float
    canal: tuple[float, float]
    reach: float

    def at(self, x: Grid, f: Grid, d: Grid) -> Grid:
        """Depth at points of the template's frame; ``FAR`` beyond it."""
        places = [(v - o) / np.float32(STEP) for v, o in zip((x, f, d), self.origin, strict=True)]
        found: Grid = ndimage.map_coordinates(
            self.depth.astype(np.float32), places, output=np.float32, order=1, cval=FAR, prefilter=False
        )
        return found


def template(bone: NDArray[np.bool_], name: str) -> Template:
    """Template of a vertebra that fills the True voxels of a grid.

    Parameters
    ----------
    bone : (x, f, d) whole vertebra with body, ``STEP`` mm voxels, in its own frame up to a shift, x symmetric
    name : for the error message

    Raises
    ------
    InputError
        If it encloses no canal.
    """
    seen_through = _seen_from_above(bone)
    holes = np.stack([_hole(layer, seen_through) for layer in np.moveaxis(bone, 2, 0)], axis=2)
    layers = np.flatnonzero(holes.sum(axis=(0, 1)) * STEP**2 > _LEAST_CANAL)
    if not seen_through.any():
        raise InputError(f"{name}: the mesh encloses no canal")
    widest = holes[:, :, layers] if layers.size else seen_through[:, :, None]  # laminae may lie below the pedicles
    middle = round(float(np.median(np.argwhere(widest)[:, 0])))
    line = widest[middle - 1 : middle + 2].any(axis=0).mean(axis=1) > _OFTEN
    back, wall = int(np.flatnonzero(line)[0]), int(np.flatnonzero(line)[-1]) + 1
    across = np.median(widest.any(axis=1).sum(axis=0)) * STEP
    body = bone[middle - 3 : middle + 4, wall + 2 : wall + 8].any(axis=0).mean(axis=0) > _OFTEN
    rows = np.flatnonzero(body)
    reach = (back - int(np.flatnonzero(bone.any(axis=(0, 2)))[0])) * STEP
    inside, outside = (ndimage.distance_transform_edt(m) for m in (bone, ~bone))
    depth = np.where(bone, inside - 1, -outside) * STEP  # a voxel that the surface touches counts as bone
    depth = ndimage.gaussian_filter(depth, 0.6)
    forward = (np.arange(bone.shape[1]) - wall) * STEP
    depth = np.minimum(depth, (_FRONT - forward)[None, :, None])
    kept = _box(depth > -_RIM / 2)
    start = [k.start for k in kept]
    return Template(
        np.maximum(depth[kept], FAR).astype(np.float16),
        ((start[0] - middle) * STEP, (start[1] - wall) * STEP, (start[2] - float(rows[0])) * STEP),
        float(len(rows)) * STEP,
        ((wall - back) * STEP, float(across)),
        float(reach),
    )


def _seen_from_above(bone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Outline (x, f) of the canal when looking along it, through as little bone as possible."""
    everywhere = np.ones(bone.shape[:2], dtype=bool)
    layers = bone.sum(axis=2)
    for glanced in _GLANCED:
        hole = _hole(layers > glanced, everywhere)
        if hole.sum() * STEP**2 > _LEAST_CANAL:
            return hole
    return np.zeros_like(everywhere)


def _hole(layer: NDArray[np.bool_], near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest enclosed hole of an axial layer (x, f) among those that meet ``near``."""
    labels, _ = ndimage.label(ndimage.binary_fill_holes(layer) & ~layer)
    sizes = np.bincount(labels[near], minlength=2)
    sizes[0] = 0
    best = int(sizes.argmax())
    return np.asarray((labels == best) & (sizes[best] > 0))


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    found: tuple[slice, ...] = ndimage.find_objects(mask.astype(np.uint8))[0]
    return found
