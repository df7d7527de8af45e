"""What belongs to the spine lies near its column: islands elsewhere and spill into the psoas are not bone.

A vertebral body is at most about 60 mm wide, is little wider than one and a half times its depth, and its outline
only shrinks from the midline outwards. All limits are millimetres around the curve of ``column.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.segment.column import BODY, CORD, DISC, POSTERIOR, SAC, SACRUM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.segment.column import Column

    Floats = NDArray[np.float64]

_CENTRAL_MM = 10.0
_WINDOW_MM = 15.0
_FARTHEST_MM = 27.0
_MARGIN_MM = 4.0
_DEPTH_TO_HALF_WIDTH = 0.86
_HALF_WIDTH_MM = (14.0, 30.0)
_GROWTH_MM = 2.0
_LEAST_ISLAND_MM3 = {SAC: 300.0, CORD: 150.0, SACRUM: 1000.0, POSTERIOR: 40.0, BODY: 150.0, DISC: 60.0}


def clean_classes(classes: NDArray[np.integer], geometry: Geometry, column: Column) -> NDArray[np.uint8]:
    """Semantic classes with only what belongs to the spinal column.

    Parameters
    ----------
    classes : (k, j, i) semantic classes
    geometry : grid of ``classes``
    column : the curve of :func:`spinemri.segment.column.fit_column`

    Returns
    -------
    (k, j, i) uint8; voxels too far from the curve for their class, and islands below a class's least volume, are 0;
    holes in bodies are filled slice by slice.
    """
    cleaned = np.asarray(classes, dtype=np.uint8).copy()
    index = np.argwhere(cleaned)
    where = tuple(index.T)
    place = column.coordinates(geometry.to_patient(index))
    kept = _near(cleaned[where], place, column, geometry)
    cleaned[tuple(index[~kept].T)] = 0
    volume = float(np.prod(geometry.spacing))
    for value, least in _LEAST_ISLAND_MM3.items():
        _drop_islands(cleaned, value, least / volume)
    _fill_bodies(cleaned, geometry)
    return cleaned


def depth_profile(place: Floats, length_mm: float) -> tuple[Floats, Floats, Floats]:
    """Back and front (mm anterior of the curve) of bodies and discs, per 5 mm along the column.

    Parameters
    ----------
    place : (N, 3) column coordinates of body and disc voxels
    length_mm : length of the column

    Returns
    -------
    places along (m,), back (m,), front (m,): 3rd and 97th percentile of the voxels within 10 mm of the midline,
    smoothed by a running median; ``back`` is negative.
    """
    spots = np.arange(-10.0, length_mm + 15.0, 5.0)
    central = place[(np.abs(place[:, 1]) <= _CENTRAL_MM) & (np.abs(place[:, 2]) <= _FARTHEST_MM)]
    edges = np.full((len(spots), 2), np.nan)
    for n, spot in enumerate(spots):
        ahead = central[np.abs(central[:, 0] - spot) <= _WINDOW_MM, 2]
        if len(ahead) >= 20:
            edges[n] = np.percentile(ahead, (3, 97))
    known = np.isfinite(edges[:, 0])
    if not known.any():
        return spots, np.full(len(spots), -18.0), np.full(len(spots), 18.0)
    for side in range(2):
        edges[:, side] = np.interp(spots, spots[known], edges[known, side])
        edges[:, side] = ndimage.median_filter(edges[:, side], 9, mode="nearest")
    return spots, edges[:, 0], edges[:, 1]


def half_width_mm(depth_mm: Floats) -> Floats:
    """Widest plausible distance (mm) of body voxels from the midline for bodies of a depth (mm)."""
    return np.clip(_DEPTH_TO_HALF_WIDTH * depth_mm, *_HALF_WIDTH_MM)


def trim_lateral(mask: NDArray[np.bool_], geometry: Geometry) -> NDArray[np.bool_]:
    """A body's mask without what grows outwards: from its fullest sagittal slice to either side it may only shrink.

    Parameters
    ----------
    mask : (k, j, i) one vertebral body
    geometry : its grid; the array axis closest to the patient's left-right is trimmed along

    Returns
    -------
    Mask of the same shape in which each slice lies within its inner neighbour grown by 2 mm.
    """
    axis = geometry.axis_along(0)
    slices = np.moveaxis(mask, axis, 0).copy()
    inplane = [geometry.spacing[a] for a in range(3) if a != axis]
    area = slices.sum(axis=(1, 2))
    centre = int(np.round(np.average(np.arange(len(area)), weights=area))) if area.any() else 0
    for step in (1, -1):
        k = centre + step
        while 0 <= k < len(slices):
            if slices[k].any():
                inner = slices[k - step]
                reach = ndimage.distance_transform_edt(~inner, sampling=inplane) if inner.any() else None
                slices[k] &= reach <= _GROWTH_MM if reach is not None else False
            k += step
    return np.moveaxis(slices, 0, axis)


def _near(values: NDArray[np.uint8], place: Floats, column: Column, geometry: Geometry) -> NDArray[np.bool_]:
    """Whether each voxel is where its class can be."""
    along, aside, ahead = place[:, 0], np.abs(place[:, 1]), place[:, 2]
    spots, back, front = depth_profile(place[np.isin(values, (BODY, DISC))], column.length_mm)
    behind, before = np.interp(along, spots, back), np.interp(along, spots, front)
    wide = half_width_mm(before - behind) + geometry.spacing[geometry.axis_along(0)] / 2
    ends = (along >= -12) & (along <= column.length_mm + 12)
    bony = ends & (aside <= wide) & (ahead >= behind - _MARGIN_MM) & (ahead <= before + _MARGIN_MM)
    canal = (aside <= 20) & (ahead <= behind + 8) & (ahead >= behind - 35)
    arch = (aside <= 60) & (ahead <= behind + 12) & (ahead >= behind - 64)
    sacral = (along >= column.length_mm / 2 - 30) & (aside <= 70) & (ahead <= 45) & (ahead >= -75)
    limits = {BODY: bony, DISC: bony, SAC: canal, CORD: canal, POSTERIOR: arch, SACRUM: sacral}
    kept = np.zeros(len(values), dtype=bool)
    for value, limit in limits.items():
        kept |= (values == value) & limit
    return kept


def _drop_islands(classes: NDArray[np.uint8], value: int, least_voxels: float) -> None:
    labels, count = ndimage.label(classes == value, structure=np.ones((3, 3, 3)))
    if count:
        sizes = np.bincount(labels.ravel())
        small = sizes < least_voxels
        small[0] = False
        classes[small[labels]] = 0


def _fill_bodies(classes: NDArray[np.uint8], geometry: Geometry) -> None:
    """Turn background that a body encloses in its slice into body."""
    slices = np.moveaxis(classes, geometry.axis_along(0), 0)
    for plane in slices:
        body = plane == BODY
        if body.any():
            plane[ndimage.binary_fill_holes(body) & (plane == 0)] = BODY
