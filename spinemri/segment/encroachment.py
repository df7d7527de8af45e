"""What presses on the cord where no fluid is left: darker than the cord, and drawn as canal all the same.

A herniated disc, a thickened ligament or a retropulsed wall that reaches the cord takes the place of the fluid that
would tell where the sac ends, and a network draws cord and sac straight through it: the worst narrowings look open.
On images with bright fluid (T2, STIR) cortex, ligament and annulus are much darker than the cord. So what is nearer to
their signal than to the cord's, and hangs together with what is dark outside the canal, lies outside it. Where a coil's
signal fades, everything is dark: long stretches and the ends of the canal are left alone; so is what does not reach the
cord.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.segment.column import CORD, SAC
from spinemri.segment.inplane import cross, local_mean, within_slices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_CORE_MM, _FLUID_MM = 1.2, 1.5  # from their borders: surely cord, surely fluid
_LEAST_VOXELS = 50
_BRIGHTER = 1.3  # fluid than cord
_OWN = 0.6  # of the mean signal of what was drawn as cord nearby: darker parts are none
_CORD_ALONG_MM, _DARK_ALONG_MM = 15.0, 6.0
_OUTSIDE_MM = 4.0
_DARK = 0.6  # of the cord's signal
_LEAST_DEPTH_MM = 1.7  # less is how the border of a canal happens to be drawn
_ENDS_MM, _LONGEST_MM = 10.0, 30.0


def find_encroachment(classes: NDArray[np.uint8], signal: Floats, geometry: Geometry) -> Mask:
    """Voxels of cord and sac (k, j, i) that the image shows to be what presses on them; none where fluid is not bright.

    Parameters
    ----------
    classes : (k, j, i) semantic classes (values in ``column.py``)
    signal : (k, j, i) intensities from 0
    geometry : their axes and spacing
    """
    canal, cord = np.isin(classes, (SAC, CORD)), classes == CORD
    across, spacing = geometry.axis_along(0), geometry.spacing
    plane = within_slices(spacing, across)
    depth = ndimage.distance_transform_edt(canal, sampling=plane)
    core = ndimage.distance_transform_edt(cord, sampling=plane) > _CORE_MM
    fluid = canal & ~cord & (depth > _FLUID_MM)
    if min(np.count_nonzero(core), np.count_nonzero(fluid)) < _LEAST_VOXELS:
        return np.zeros(canal.shape, dtype=bool)
    if float(np.median(signal[fluid])) < _BRIGHTER * float(np.median(signal[core])):
        return np.zeros(canal.shape, dtype=bool)
    with np.errstate(invalid="ignore"):  # nan, where no cord is near, is never less
        lit = core & (signal > _OWN * local_mean(signal, core, spacing, across, _CORD_ALONG_MM))
    own = _also_beside(local_mean(signal, lit, spacing, across, _CORD_ALONG_MM), across)
    outside = ~canal & (ndimage.distance_transform_edt(~canal, sampling=plane) <= _OUTSIDE_MM)
    with np.errstate(invalid="ignore"):  # nan, where either is unknown, is never less
        beyond = outside & (signal < _DARK * own)
        told = signal < (own + local_mean(signal, beyond, spacing, across, _DARK_ALONG_MM)) / 2
    possible = canal & told & _away_from_ends(canal, geometry)
    thick = ndimage.binary_opening(possible | beyond, cross(across)) & possible
    at_cord = ndimage.distance_transform_edt(~_anywhere(cord, across), sampling=plane) <= _CORE_MM
    ends = ndimage.binary_dilation(beyond, cross(across)), at_cord
    taken = possible & ndimage.binary_dilation(_pieces(thick, ends, depth, geometry), cross(across))
    return np.asarray(taken & ~_last_of(canal, taken, depth, geometry))


def _last_of(canal: Mask, taken: Mask, depth: Floats, geometry: Geometry) -> Mask:
    """The innermost voxels of planes that would lose all canal: a sac pressed flat does not end and begin again."""
    axis = geometry.axis_along(2)
    others = tuple(a for a in range(3) if a != axis)
    lost = canal.any(axis=others, keepdims=True) & ~(canal & ~taken).any(axis=others, keepdims=True)
    inner = np.where(canal, depth, 0)
    return np.asarray(lost & canal & (inner >= inner.max(axis=others, keepdims=True)))


def _also_beside(own: Floats, across: int) -> Floats:
    """Signal of the cord in every slice: in those that do not show it, the mean of the others at that place."""
    known = np.isfinite(own)
    count = known.sum(axis=across, keepdims=True)
    total = np.where(known, own, 0).sum(axis=across, keepdims=True)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return np.asarray(np.where(known, own, mean))


def _anywhere(mask: Mask, across: int) -> Mask:
    """Whether any slice shows it at a place, for all slices."""
    return np.asarray(np.broadcast_to(mask.any(axis=across, keepdims=True), mask.shape))


def _away_from_ends(canal: Mask, geometry: Geometry) -> Mask:
    """Planes far enough from both ends of what is drawn as canal, where a coil's signal fades; to be broadcast."""
    axis = geometry.axis_along(2)
    seen = np.flatnonzero(canal.any(axis=tuple(a for a in range(3) if a != axis)))
    margin, place = _ENDS_MM / geometry.spacing[axis], np.arange(canal.shape[axis])
    inside = (place >= seen[0] + margin) & (place <= seen[-1] - margin)
    return np.asarray(inside.reshape([-1 if a == axis else 1 for a in range(3)]))


def _pieces(thick: Mask, ends: tuple[Mask, Mask], depth: Floats, geometry: Geometry) -> Mask:
    """Pieces from one of the ``ends`` to the other, deep enough, and no longer than a disc and most of a body.

    A flow void at the dura, with fluid between it and the cord, is none.
    """
    axis = geometry.axis_along(2)
    pieces, _ = ndimage.label(thick, structure=cross(geometry.axis_along(0)))
    kept = np.zeros_like(thick)
    touching = set.intersection(*(set(np.unique(pieces[end]).tolist()) for end in ends))
    for number, where in enumerate(ndimage.find_objects(pieces), start=1):
        length = (where[axis].stop - where[axis].start) * geometry.spacing[axis]
        piece = pieces[where] == number
        if number in touching and length <= _LONGEST_MM and depth[where][piece].max() >= _LEAST_DEPTH_MM:
            kept[where] |= piece
    return kept
