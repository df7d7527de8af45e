"""Where a lesion lies in and around its vertebra: size, share of the body, arch, canal, foramina and soft tissue.

Everything is taken in the vertebra's own frame: up along the spine, left across the stack, forward at right angles. The
posterior wall is the line through the body's posterior corners, so what bulges behind it is no longer bone alone.
Known failure: with slices 3 to 5 mm apart, left-right extents and thin curtains at the edge of the canal are coarse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist, squareform

from spinemri.anatomy import Structure, StructureKind
from spinemri.measure.contour import box_around
from spinemri.measure.frame import left_axis, unit
from spinemri.measure.signals import in_plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.segmentation import Segmentation

    Mask = NDArray[np.bool_]
    Points = NDArray[np.floating]

_BREACH_MM3 = 20.0  # less outside the bone is the edge of two masks, not spread
_ASKED_MM = 40.0
_SLAB_MM = 9.0  # half width of the part of the posterior wall whose bulge is measured
_COLUMN_MM, _GAP_MM = 2.0, 2.5  # behind the wall, from which what follows is no bulge of it
_CANAL_MM = 3.0  # beside the sac that still is canal
_CORNER = 0.3  # of the height, at either end of the posterior wall, through which its line is drawn
_BONES = (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)
_SPINE = (*_BONES, StructureKind.DISC, StructureKind.SACRUM)


@dataclass(frozen=True, eq=False)
class LesionShape:
    """Sizes in mm and mm3, shares in percent; ``ends`` are the two ends of the longest diameter, LPS mm.

    ``sides`` names the side of each compartment that the lesion has reached: compartment -> 'left', 'right', 'both'.
    """

    volume: float
    volume_sd: float
    diameter: float
    ends: NDArray[np.float64]
    body_share: float | None
    posterior_share: float
    pedicle_left: float
    pedicle_right: float
    bulge: float
    expansion: float
    compartments: dict[str, float]
    sides: dict[str, str]
    endplate: float | None
    disc: Structure | None


COMPARTMENTS = ("epidural", "foraminal", "paraspinal", "prevertebral")


@dataclass(frozen=True, eq=False)
class _Frame:
    """Coordinates of voxels in one vertebra's frame: up from the middle, forward of the posterior wall, to the left."""

    up: Points
    forward: Points
    left: Points
    half_height: float
    depth: float


def lesion_shape(mask: Mask, segmentation: Segmentation, level: Level, upward: Points) -> LesionShape:
    """Shape of a lesion in a series.

    Parameters
    ----------
    mask : (k, j, i) the lesion
    segmentation : anatomy on the same grid
    level : the vertebra that holds most of it
    upward : unit vector to the head along the spine there, LPS
    """
    mask, segmentation = _around(mask, segmentation, level)
    geometry = segmentation.geometry
    voxel = float(np.prod(geometry.spacing))
    index = np.argwhere(mask)
    points, labels = geometry.to_patient(index), segmentation.voxels[mask]
    body = segmentation.mask(Structure(StructureKind.VERTEBRAL_BODY, level))
    frame, wall = _frame(points, body, segmentation, upward)
    kinds = {v: known.kind for v, known in segmentation.structures.items()}
    of_kind = {kind: np.isin(labels, [v for v, k in kinds.items() if k is kind]) for kind in StructureKind}
    arch, outside = (
        of_kind[StructureKind.POSTERIOR_ELEMENTS],
        ~np.isin(labels, [v for v, k in kinds.items() if k in _SPINE]),
    )
    parts, sides = _compartments(frame, outside, _canal_half_width(segmentation, level))
    edge = mask & ~ndimage.binary_erosion(mask)
    diameter, ends = _diameter(index, geometry.spacing, geometry.axis_along(0))
    cut = Structure(StructureKind.VERTEBRAL_BODY, level) in segmentation.cut
    whole = 0 if cut else int(body.sum())
    return LesionShape(
        volume=len(index) * voxel,
        volume_sd=0.25 * float(edge.sum()) * voxel,
        diameter=diameter,
        ends=geometry.to_patient(ends),
        body_share=100 * float((mask & body).sum()) / whole if whole else None,
        posterior_share=100 * float(arch.mean()),
        pedicle_left=float((arch & (frame.left > 0)).sum()) * voxel,
        pedicle_right=float((arch & (frame.left <= 0)).sum()) * voxel,
        bulge=_bulge(frame, wall, ~arch, voxel),
        expansion=_expansion(mask, segmentation, voxel),
        compartments={name: float(n) * voxel for name, n in parts.items()},
        sides=sides,
        endplate=_endplate_contact(mask, body, segmentation, level),
        disc=_disc_touched(mask, segmentation, level),
    )


def _around(mask: Mask, segmentation: Segmentation, level: Level) -> tuple[Mask, Segmentation]:
    """The part of both that holds the lesion and its vertebra with 40 mm around them: nothing farther away is asked."""
    held = mask | segmentation.mask(Structure(StructureKind.VERTEBRAL_BODY, level))
    box = box_around(held, [int(np.ceil(_ASKED_MM / mm)) for mm in segmentation.geometry.spacing])
    return mask[box], segmentation.part(box)


def _frame(
    points: Points, body: Mask, segmentation: Segmentation, upward: Points
) -> tuple[_Frame, tuple[float, float]]:
    """Coordinates of points, and the posterior wall: forward position at its middle, and change per mm upwards."""
    geometry = segmentation.geometry
    left = left_axis(geometry)
    up = unit(upward - (upward @ left) * left)
    forward = np.cross(left, up)  # LPS: left x superior is anterior
    forward = forward if forward[1] < 0 else -forward
    inside = geometry.to_patient(np.argwhere(body)) if body.any() else points
    centre = inside.mean(axis=0)
    u, f, x = ((inside - centre) @ axis for axis in (up, forward, left))
    low, high = np.quantile(u, (0.02, 0.98))
    back, front = np.quantile(f, (0.02, 0.98))
    slab = np.abs(x) < _SLAB_MM
    ends = []
    for part in (u < low + _CORNER * (high - low), u > high - _CORNER * (high - low)):
        chosen = part & slab if (part & slab).any() else part
        ends.append((float(u[chosen].mean()), float(np.quantile(f[chosen], 0.02))))
    slope = (ends[1][1] - ends[0][1]) / max(ends[1][0] - ends[0][0], 1.0)
    height = ends[0][1] - slope * ends[0][0]
    frame = _Frame(
        up=(points - centre) @ up - float(low + high) / 2,
        forward=(points - centre) @ forward - float(back),
        left=(points - centre) @ left,
        half_height=float(high - low) / 2,
        depth=float(front - back),
    )
    middle = float(low + high) / 2
    return frame, (height + slope * middle - float(back), slope)


def _bulge(frame: _Frame, wall: tuple[float, float], bulging: Mask, voxel: float) -> float:
    """Furthest that a lesion reaches without a gap behind the line of the posterior wall, at the body's height, mm.

    ``bulging`` are the voxels that may: those of the arch lie behind the canal and bulge from nothing.
    """
    here = bulging & (np.abs(frame.left) < _SLAB_MM) & (np.abs(frame.up) < frame.half_height)
    near = here & (frame.forward > -0.5 * frame.depth)
    behind = wall[0] + wall[1] * frame.up[near] - frame.forward[near]
    columns = np.rint(np.stack([frame.left[near], frame.up[near]], axis=-1) / _COLUMN_MM).astype(int)
    return max(0.0, _furthest(behind[_without_gap(behind, columns)], voxel))


def _without_gap(distances: Points, columns: NDArray[np.intp]) -> Mask:
    """Which voxels hang together with the wall (0 mm) along columns that run straight back from it."""
    order = np.lexsort((distances, columns[:, 1], columns[:, 0]))
    sorted_mm, sorted_columns = distances[order], columns[order]
    first = np.r_[True, (np.diff(sorted_columns, axis=0) != 0).any(axis=1)] if len(order) else np.zeros(0, dtype=bool)
    before = np.where(first, 0.0, np.r_[0.0, sorted_mm[:-1]]) if len(order) else sorted_mm
    gaps = np.cumsum(sorted_mm - before > _GAP_MM)
    start = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    gaps_before = np.r_[0, gaps][start] if len(order) else gaps
    joined = np.zeros(len(order), dtype=bool)
    joined[order] = gaps == gaps_before
    return joined


def _furthest(distances: Points, voxel: float) -> float:
    """Distance that at least 20 mm3 of a lesion reach, whatever its size; 0 where there is less of it."""
    few = int(np.ceil(_BREACH_MM3 / voxel))
    return float(np.sort(distances)[-few]) if len(distances) >= few else 0.0


def _compartments(frame: _Frame, outside: Mask, half: float) -> tuple[dict[str, int], dict[str, str]]:
    """Voxels outside the bone per compartment, and on which side they lie; ``half`` is half the canal's width, mm."""
    canal = outside & (frame.forward <= 0) & (frame.forward > -0.9 * frame.depth) & (np.abs(frame.left) <= half)
    front = outside & (frame.forward > 0.85 * frame.depth)
    foramen = outside & ~canal & (frame.forward <= 2) & (frame.forward > -14) & (np.abs(frame.left) < half + 12)
    foramen &= frame.up < 0.3 * frame.half_height
    masks = {"epidural": canal, "foraminal": foramen, "prevertebral": front}
    masks["paraspinal"] = outside & ~canal & ~front & ~foramen
    sides = {}
    for name, where in masks.items():
        if where.any():
            share = float((frame.left[where] > 0).mean())
            sides[name] = "left" if share > 0.8 else "right" if share < 0.2 else "both"
    return {name: int(masks[name].sum()) for name in COMPARTMENTS}, sides


def _canal_half_width(segmentation: Segmentation, level: Level) -> float:
    """Half the width of the sac at the vertebra, mm, and a little more; 12 mm where no sac is seen."""
    sac = segmentation.mask_of_kind(StructureKind.THECAL_SAC, StructureKind.CORD)
    body = segmentation.mask(Structure(StructureKind.VERTEBRAL_BODY, level))
    if not sac.any() or not body.any():
        return 12.0
    along = segmentation.geometry.axis_along(2)
    rows = np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != along)))
    window = [slice(None)] * 3
    window[along] = slice(rows[0], rows[-1] + 1)
    across = segmentation.geometry.axis_along(0)
    slices = np.flatnonzero(sac[tuple(window)].any(axis=tuple(a for a in range(3) if a != across)))
    width = len(slices) * segmentation.geometry.spacing[across]
    return float(width) / 2 + _CANAL_MM if slices.size else 12.0


def _expansion(mask: Mask, segmentation: Segmentation, voxel: float) -> float:
    """Furthest that a lesion lies outside bone and disc, mm; 0 when hardly anything does."""
    bone = segmentation.mask_of_kind(*_SPINE)
    away = ndimage.distance_transform_edt(~bone, sampling=segmentation.geometry.spacing)
    return _furthest(away[mask], voxel)


def _endplate_contact(mask: Mask, body: Mask, segmentation: Segmentation, level: Level) -> float | None:
    """Share (%) of the nearer endplate's marrow within 2 voxels that the lesion has replaced."""
    shares = []
    near = in_plane(segmentation.geometry)
    for disc in segmentation.of_kind(StructureKind.DISC):
        if level in (disc.level, disc.lower):
            rim = ndimage.binary_dilation(segmentation.mask(disc), near, iterations=3) & body
            if rim.sum() > 10:
                shares.append(100 * float((mask & rim).sum()) / float(rim.sum()))
    return max(shares) if shares else None


def _disc_touched(mask: Mask, segmentation: Segmentation, level: Level) -> Structure | None:
    """The disc beside the vertebra that the lesion comes within two voxels of, the more the better."""
    grown = ndimage.binary_dilation(mask, in_plane(segmentation.geometry), iterations=2)
    touched = {
        disc: int((grown & segmentation.mask(disc)).sum())
        for disc in segmentation.of_kind(StructureKind.DISC)
        if level in (disc.level, disc.lower)
    }
    best = max(touched, key=lambda disc: touched[disc], default=None)
    return best if best is not None and touched[best] > 0 else None


def _diameter(index: NDArray[np.intp], spacing: tuple[float, float, float], across: int) -> tuple[float, Points]:
    """Longest in-plane distance over the sagittal slices, mm, and the indices (2, 3) of its ends."""
    best, ends = 0.0, np.repeat(index[:1], 2, axis=0).astype(np.float64)
    scale = np.asarray(spacing)
    pixel = float(np.mean([mm for a, mm in enumerate(spacing) if a != across]))
    for k in np.unique(index[:, across]):
        here = index[index[:, across] == k]
        rim = _hull(here, across)
        apart = squareform(pdist(rim * scale)) if len(rim) > 1 else np.zeros((1, 1))
        first, second = np.unravel_index(int(apart.argmax()), apart.shape)
        if apart[first, second] >= best:
            best, ends = float(apart[first, second]), np.stack([rim[first], rim[second]]).astype(np.float64)
    return best + pixel, ends


def _hull(here: NDArray[np.intp], across: int) -> NDArray[np.intp]:
    flat = np.delete(here, across, axis=1)
    if len(here) < 4:
        return here
    try:
        return np.asarray(here[ConvexHull(flat).vertices])
    except QhullError:  # all in one line
        return here
