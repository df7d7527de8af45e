"""Where the cord ends: half way between its own signal and that of the fluid around it.

The network tells where the cord is; where exactly its border runs it has learnt from painted images alone, and on real
ones it draws the cord about a pixel too thin. A border between two tissues lies where the signal is half way between
theirs, whatever the sequence, so within a short reach of the network's border the image decides. Where cord and fluid
look alike, or no fluid is left around the cord, the network's border stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.segment.column import CORD, SAC
from spinemri.segment.signal import box_around, cross, local_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.image import Image

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_REACH_MM = 2.5  # outwards, within the canal
_RIM_MM = 1.2  # inwards
_APART_MM = 1.5  # fluid this far from the network's cord is fluid
_ALONG_MM = 10.0  # over which signals are averaged, in the sagittal plane
_LEAST_VOXELS = 30
_LEAST_CONTRAST = 2.5, 0.2  # standard deviations of the cord's own signal; share of the brighter of the two


def follow_cord(classes: NDArray[np.uint8], image: Image) -> NDArray[np.uint8]:
    """Classes with the border between cord and thecal sac where the image shows it.

    Parameters
    ----------
    classes : (k, j, i) semantic classes (values in ``column.py``)
    image : the image they were found in, on the same grid

    Returns
    -------
    (k, j, i) uint8; only cord and sac change, into one another.
    """
    cord = classes == CORD
    if not cord.any():
        return classes
    box = box_around(np.isin(classes, (CORD, SAC)))
    followed = classes.copy()
    cut = followed[box]
    cord, canal = cord[box], np.isin(cut, (CORD, SAC))
    signal = np.asarray(image.voxels[box], dtype=np.float64)
    spacing = image.geometry.spacing
    outside = ndimage.distance_transform_edt(~cord, sampling=spacing)
    inside = ndimage.distance_transform_edt(cord, sampling=spacing)
    nearer = _cord_likeness(signal, cord, canal & (outside > _APART_MM), spacing, image.geometry.axis_along(0))
    if nearer is None:
        return classes
    like = np.where(np.isfinite(nearer), nearer > 0, cord)
    wanted = (canal & (outside <= _REACH_MM) & like) | (inside > _RIM_MM)
    wanted = _in_one_piece(wanted, cord & (inside > _RIM_MM) | (cord & like), image.geometry.axis_along(0))
    cut[canal] = SAC
    cut[wanted] = CORD
    return followed


def _cord_likeness(signal: Floats, cord: Mask, fluid: Mask, spacing: tuple[float, ...], across: int) -> Floats | None:
    """Positive where a signal is nearer to the cord's than to the fluid's, nan where neither is known; or None."""
    core = cord & ndimage.binary_erosion(cord, cross(across))
    if np.count_nonzero(core) < _LEAST_VOXELS or np.count_nonzero(fluid) < _LEAST_VOXELS:
        return None
    usual, around = float(np.median(signal[core])), float(np.median(signal[fluid]))
    if abs(around - usual) < _LEAST_CONTRAST[1] * max(around, usual):
        return None
    bright = around > usual
    level = np.quantile(signal[fluid], 0.75 if bright else 0.25)
    pure = fluid & ((signal > (usual + level) / 2) == bright)
    own, other = (local_mean(signal, mask, spacing, across, _ALONG_MM) for mask in (core, pure))
    spread = 1.4826 * float(np.median(np.abs(signal[core] - own[core])))
    half = (own + other) / 2
    likeness = (half - signal) if bright else (signal - half)
    least = np.maximum(_LEAST_CONTRAST[0] * spread, _LEAST_CONTRAST[1] * np.maximum(own, other))
    return np.where(np.abs(other - own) >= least, likeness, np.nan)


def _in_one_piece(wanted: Mask, seeds: Mask, across: int) -> Mask:
    """What hangs together with the seeds within a slice, without threads (nerve roots) and holes."""
    plane = cross(across)
    opened = ndimage.binary_opening(wanted, plane) | (wanted & seeds)
    pieces, _ = ndimage.label(opened, structure=plane)
    kept = np.unique(pieces[seeds & opened])
    mask = np.isin(pieces, kept[kept > 0])
    slices = np.moveaxis(mask, across, 0)
    for number, one in enumerate(slices):
        slices[number] = ndimage.binary_fill_holes(one)
    return mask
