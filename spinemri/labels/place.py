"""Which series a mask belongs to: the one whose grid it shares, else the one whose field holds what it labels.

Tools flip, reorder and resample axes, so grids are compared by where their voxels lie in the patient. A mask is laid
onto the grid of its series by the nearest voxel; when both grids coincide only the order of the voxels changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import InputError
from spinemri.labels.convert import cut_bodies
from spinemri.resample import resample

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation
    from spinemri.series import Contrast

_SAME_MM = 0.1
_LEAST_INSIDE = 0.5


def series_of(
    labels: Image, images: Sequence[Image], *, contrast: Contrast | None = None, taken: Collection[int] = ()
) -> tuple[int, tuple[str, ...]]:
    """Number of the image that a mask belongs to, and what is to be told about the choice.

    Parameters
    ----------
    contrast : of the image it was drawn on, when the file says it; decides between series with one grid
    taken : images that have a mask already

    Raises
    ------
    InputError
        No image shares the grid, nor holds at least half of the labelled voxels in its field; the message says where
        mask and images lie.
    """
    free = [n for n in range(len(images)) if n not in taken and _one_frame(labels, images[n])]
    alike = [n for n in free if _coincide(labels.geometry, images[n].geometry)]
    inside = {n: _share_inside(labels, images[n].geometry) for n in free}
    held = alike or [n for n in free if inside[n] >= _LEAST_INSIDE]
    if not held:
        raise InputError(_nowhere(labels.geometry, images))
    named = [n for n in held if images[n].series.contrast is contrast] or held
    best = named[0] if alike else max(named, key=lambda n: inside[n])
    told = [] if alike else [f"the mask has another grid; {100 * inside[best]:.0f} % of it lies in this series"]
    if len(named) > 1:
        told.append(f"the mask fits {len(named)} series; this one is taken to be the one it was drawn on")
    return best, tuple(told)


def laid_on(segmentation: Segmentation, image: Image) -> Segmentation:
    """A mask on the grid of an image; bodies that are cut there are marked."""
    moved = resample(segmentation, image.geometry)
    shown = {v: s for v, s in moved.structures.items() if (moved.voxels == v).any()}
    moved = replace(moved, structures=shown, series_uid=image.series.series_uid)
    return replace(moved, cut=(segmentation.cut & set(shown.values())) | cut_bodies(moved))


def _one_frame(labels: Image, image: Image) -> bool:
    """Whether two grids can lie in one patient space: frames of reference agree, or one is not known."""
    frames = {labels.geometry.frame_of_reference_uid, image.geometry.frame_of_reference_uid} - {None}
    return len(frames) < 2


def _coincide(one: Geometry, two: Geometry) -> bool:
    """Whether two grids have the same voxels, whatever the order and direction of their axes."""
    if sorted(one.shape) != sorted(two.shape):
        return False
    apart = np.linalg.norm(one.corners()[:, None] - two.corners()[None], axis=2)
    return bool(apart.min(axis=1).max() <= _SAME_MM and len(set(apart.argmin(axis=1).tolist())) == len(apart))


def _share_inside(labels: Image, grid: Geometry) -> float:
    index = np.argwhere(labels.voxels)
    at = grid.to_index(labels.geometry.to_patient(index[:: 1 + len(index) // 20000]))
    inside = np.all((at > -0.5) & (at < np.asarray(grid.shape) - 0.5), axis=1)
    return float(np.mean(inside)) if len(index) else 0.0


def _nowhere(grid: Geometry, images: Sequence[Image]) -> str:
    fields = "; ".join(f"series {image.series.label}: {_field(image.geometry)}" for image in images)
    return f"the mask covers {_field(grid)}; expected the grid or at least the place of a used series ({fields})"


def _field(grid: Geometry) -> str:
    low, high = grid.corners().min(axis=0), grid.corners().max(axis=0)
    ranges = ", ".join(f"{axis} {a:.0f} to {b:.0f}" for axis, a, b in zip("xyz", low, high, strict=True))
    frame = "" if grid.frame_of_reference_uid is None else ", frame of reference known"
    return f"{' x '.join(map(str, grid.shape))} voxels at {ranges} mm{frame}"
