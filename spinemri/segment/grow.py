"""A body's voxels hang together: masks grow from the middle of each body, cracks are closed, fragments dropped.

Growing stays within sagittal slices, because slices lie several millimetres apart: what touches in a slice is one
piece, what touches across slices may be two bodies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.segment.clean import trim_lateral
from spinemri.segment.column import BODY
from spinemri.segment.inplane import cross

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

_REACH_MM = 25.0
_CLOSING_MM = 3.0
_LARGE_PIECE = 0.15
_PIECE_SHARE = 0.1


def grow(
    classes: NDArray[np.uint8], geometry: Geometry, seeds: NDArray[np.uint8], by_place: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Spread seeds through body voxels within each sagittal slice; what none reaches is named by its place."""
    across = geometry.axis_along(0)
    footprint = cross(across)
    labels, body = seeds.copy(), classes == BODY
    region = ndimage.find_objects(body.astype(np.uint8))[0]
    part, inside = labels[region], body[region]
    spacing = min(geometry.spacing[a] for a in range(3) if a != across)
    for _ in range(int(np.ceil(_REACH_MM / spacing))):
        spread = ndimage.maximum_filter(part, footprint=footprint)
        fresh = inside & (part == 0) & (spread > 0)
        if not fresh.any():
            break
        part[fresh] = spread[fresh]
    left = body & (labels == 0)
    labels[left] = by_place[left]
    return labels


def tidy(labels: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
    """Close cracks, drop fragments and trim lateral spill of each body."""
    across = geometry.axis_along(0)
    radius = [0 if a == across else int(np.ceil(_CLOSING_MM / geometry.spacing[a])) + 1 for a in range(3)]
    out = np.zeros_like(labels)
    for value, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        wide = tuple(slice(max(0, b.start - r), b.stop + r) for b, r in zip(box, radius, strict=True))
        mask = labels[wide] == value
        mask = _close_crack(mask, geometry)
        mask = trim_lateral(_main_pieces(mask), geometry)
        part = out[wide]
        part[mask & ((labels[wide] == value) | (labels[wide] == 0))] = value
    return out


def _close_crack(mask: NDArray[np.bool_], geometry: Geometry) -> NDArray[np.bool_]:
    """Join two large pieces of one body across a crack of up to 6 mm, slice by slice; else leave it as it is."""
    pieces, count = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())[1:]
    if count < 2 or np.sort(sizes)[-2] < _LARGE_PIECE * sizes.sum():
        return mask
    across = geometry.axis_along(0)
    closed = mask.copy()
    inplane = [geometry.spacing[a] for a in range(3) if a != across]
    for k, plane in enumerate(np.moveaxis(mask, across, 0)):
        if plane.any():
            grown = ndimage.distance_transform_edt(~plane, sampling=inplane) <= _CLOSING_MM
            shrunk = ndimage.distance_transform_edt(np.pad(grown, 1)[1:-1, 1:-1], sampling=inplane) > _CLOSING_MM
            np.moveaxis(closed, across, 0)[k] |= shrunk
    return closed


def _main_pieces(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest piece of a body and others of at least a tenth of it."""
    pieces, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= _PIECE_SHARE * sizes.max())[pieces] & mask)
