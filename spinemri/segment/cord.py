"""Where the cord ends: half way between its own signal and that of the fluid around it.

The network tells where the cord is; where exactly its border runs it has learnt from painted images alone, and in real
ones it draws it elsewhere, mostly too thin. A border between two tissues lies where the signal is half way between
theirs, whatever the sequence, so within a short reach of the network's border the image decides. Where cord and fluid
look alike, or no fluid is left around the cord, the network's border stays.

A coil's signal fades along the spine, so that fluid in one place is as dark as cord in another: signals are first set
off against the fluid's own at the same height. What is known of both is better the better the border, so it is found
more than once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.segment.column import CORD, SAC
from spinemri.segment.inplane import cross, local_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_REACH_MM = 2.5  # outwards, within the canal
_RIM_MM = 1.2  # inwards
_WALL_MM = 1.3  # of the canal, as dark as a cord at times: cord only where the network drew it so
_APART_MM = 1.5  # fluid this far from the network's cord is fluid
_ALONG_MM = 10.0  # over which signals are averaged, in the sagittal plane
_EVEN_MM = 15.0  # along the spine, over which the fluid's own signal is averaged
_FAINTEST = 1e-3  # of its mean
_ROUNDS = 2  # a third changes next to nothing
_MOST_STEPS = 16  # from both ends into a gap, each as far as the reach
_NEXT_TO_NOTHING = 0.35  # of the usual area in a plane
_LEAST_VOXELS = 30
_AWAY_FROM_USUAL = 0.25  # towards the fluid's signal, that of a stretch of cord; more is a lesion or a mixture
_LEAST_CONTRAST = 2.5, 0.2  # standard deviations of the cord's own signal; share of the brighter of the two


def find_cord(classes: NDArray[np.uint8], signal: Floats, geometry: Geometry) -> Mask:
    """The cord within the canal, as far as its signal reaches; as the network drew it where signals do not tell.

    Parameters
    ----------
    classes : (k, j, i) semantic classes (values in ``column.py``)
    signal : (k, j, i) intensities from 0
    geometry : their axes and spacing
    """
    drawn: Mask = classes == CORD
    canal = np.isin(classes, (CORD, SAC))
    if not drawn.any():
        return drawn
    away, depth = _away_from(drawn, geometry), _away_from(~canal, geometry)
    room = canal & (away <= _REACH_MM) & (drawn | (depth > _WALL_MM))
    cord, even = drawn, signal
    for number in range(_ROUNDS):
        fluid = canal & ((_away_from(cord, geometry) if number else away) > _APART_MM)
        even = _evened(signal, fluid, geometry)
        cord = _followed(cord, room, fluid, even, geometry)
        if not cord.any():
            return cord
    return _bridged(cord, canal, even, geometry)


def _away_from(mask: Mask, geometry: Geometry) -> Floats:
    """Distance of every voxel from a mask, mm."""
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=geometry.spacing))


def _evened(signal: Floats, fluid: Mask, geometry: Geometry) -> Floats:
    """The signal as if that of the fluid were the same at every height of the spine."""
    axis = geometry.axis_along(2)
    across = tuple(a for a in range(3) if a != axis)
    sigma = _EVEN_MM / geometry.spacing[axis]
    count, total = (
        ndimage.gaussian_filter1d(part.sum(axis=across, dtype=np.float64), sigma, mode="constant", truncate=6.0)
        for part in (fluid, signal * fluid)
    )
    known = np.flatnonzero(count > _FAINTEST)
    if not known.size:
        return signal
    level = np.interp(np.arange(len(count)), known, total[known] / count[known])
    level = np.maximum(level, _FAINTEST * level.mean())
    return np.asarray(signal * (level.mean() / level).reshape([-1 if a == axis else 1 for a in range(3)]))


def _followed(cord: Mask, room: Mask, fluid: Mask, signal: Floats, geometry: Geometry) -> Mask:
    """The cord as far as its signal reaches within the room that it has."""
    across, spacing = geometry.axis_along(0), geometry.spacing
    nearer = _cord_likeness(signal, cord, fluid, spacing, across)
    if nearer is None:
        return cord
    deep = _away_from(~cord, geometry) > _RIM_MM
    like = np.where(np.isfinite(nearer), nearer > 0, cord)
    return _in_one_piece((room & like) | deep, deep | (cord & like), across)


def _bridged(cord: Mask, canal: Mask, signal: Floats, geometry: Geometry) -> Mask:
    """The cord with its gaps closed where the signal leads through them; a cord does not end and begin again."""
    open_planes = _gap(cord, geometry)
    if not open_planes.any():
        return cord
    margin = int(np.ceil(2 * _REACH_MM / geometry.spacing[geometry.axis_along(2)]))
    along = np.moveaxis(np.ones((3, 1, 1), dtype=bool), 0, geometry.axis_along(2))
    within = ndimage.binary_dilation(open_planes, along, iterations=margin)
    grown = cord
    for _ in range(_MOST_STEPS):
        away = _away_from(grown, geometry)
        room, fluid = canal & (away <= _REACH_MM), canal & (away > _APART_MM)
        more = grown | (_followed(grown, room, fluid, signal, geometry) & within)
        if np.count_nonzero(more) == np.count_nonzero(grown):
            break
        grown = more
    return cord if _gap(grown, geometry).any() else grown


def _gap(cord: Mask, geometry: Geometry) -> Mask:
    """Planes (k, j, i) across the head-foot axis that show next to no cord, between others that do."""
    axis = geometry.axis_along(2)
    area = cord.sum(axis=tuple(a for a in range(3) if a != axis))
    seen = np.flatnonzero(area >= _NEXT_TO_NOTHING * np.median(area[area > 0]))
    place = np.arange(len(area))
    empty = (place > seen[0]) & (place < seen[-1]) & ~np.isin(place, seen)
    return np.broadcast_to(empty.reshape([-1 if a == axis else 1 for a in range(3)]), cord.shape)


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
    most = usual + _AWAY_FROM_USUAL * (other - usual)
    own = np.minimum(own, most) if bright else np.maximum(own, most)
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
