"""One mask per vertebra: bodies and discs are counted along the column, so a body that was missed still counts.

The column is parted at its discs (``separators.py``); each body then grows from its own middle through the body
voxels slice by slice, so that a thin bridge between neighbours is cut half way and tilted endplates stay whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.segment.clean import clean_classes
from spinemri.segment.column import BODY, CORD, DISC, SAC, SACRUM, Column, fit_column
from spinemri.segment.grow import grow, tidy
from spinemri.segment.sacrum import sacral_slot
from spinemri.segment.separators import find_separators, profile
from spinemri.segment.slots import Slots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

    Floats = NDArray[np.float64]

_NEAR_MM = 25.0
_EDGE_VOXELS = 1
_CORE = 0.25
_CRACK = (0.3, 0.7)
_CRACK_EVIDENCE = 0.35
_SLOT_RIM = 0.12
_CELL_MM, _FAR_MM = (4.0, 2.0), 80.0  # width and depth in which bone is looked for above and below, and how far
_LEAST_SHARE = 0.12
_LEAST_BODY_MM3 = 400.0
_SMALL_AT_EDGE = 0.6
_BULK_AT_EDGE = 0.5
_LEAST_CONTACT = 3
_MIXED = 0.1
_SACRAL_MARGIN_MM = 6.0
_CORNER_ABOVE_MM, _CORNER_ASIDE_MM, _CORNER_AHEAD_MM = 6.0, 18.0, 20.0  # of S1: no sacrum but its body lies there


@dataclass(frozen=True)
class Body:
    """One vertebral body: which place it has in the count from the head, where it lies and how large it is.

    ``slot`` counts from 0 and skips a number where a vertebra must be but no body was found. ``centre`` is LPS mm,
    ``along_mm`` its place on the column, ``pitch_mm`` the distance between the discs above and below.
    """

    slot: int
    centre: tuple[float, float, float]
    along_mm: float
    pitch_mm: float
    volume_mm3: float
    cut: bool


@dataclass(frozen=True, eq=False)
class Instances:
    """Bodies and discs of one series.

    Parameters
    ----------
    column : the curve
    classes : (k, j, i) cleaned semantic classes; S1's body is BODY, the rest of the sacrum SACRUM
    bodies : head to foot
    body_slots, disc_slots : (k, j, i) uint8, slot + 1 of the body, or of the body above the disc; 0 elsewhere
    edges_mm : places along the column that bound the slots, one more than slots
    sacral : slot of S1 and how sure that is (0 to 1), or None
    disc_above : whether a disc lies on top of the first body
    """

    column: Column
    classes: NDArray[np.uint8]
    bodies: tuple[Body, ...]
    body_slots: NDArray[np.uint8]
    disc_slots: NDArray[np.uint8]
    edges_mm: tuple[float, ...]
    sacral: tuple[int, float] | None
    disc_above: bool


def find_instances(
    classes: NDArray[np.integer], geometry: Geometry, last_lumbar: Floats | None = None
) -> Instances | None:
    """Vertebral bodies and discs of a semantic label volume, counted from head to foot.

    Parameters
    ----------
    classes : (k, j, i) semantic classes (values in ``column.py``)
    geometry : grid of ``classes``; any orientation
    last_lumbar : (3,) LPS mm, a point in the last vertebra above the sacrum, where it is known; else it is looked for

    Returns
    -------
    The instances, or None when there is no column of bodies to be seen.
    """
    column = fit_column(classes, geometry)
    if column is None:
        return None
    cleaned = clean_classes(classes, geometry, column)
    where, place = _column_voxels(cleaned, geometry, column)
    slots = _find_slots(cleaned, geometry, where, place)
    if slots is None:
        return None
    if last_lumbar is None:
        sacral = sacral_slot(slots, **_around_lower_end(cleaned, geometry, column, slots))
    else:
        sacral = slots.below(float(column.coordinates(last_lumbar[None])[0, 0]))
    if sacral is not None:
        slots = slots.until(sacral[0])
    _settle_sacrum(cleaned, where, place, slots, sacral)
    labels = grow(cleaned, geometry, _seeds(cleaned, where, place, slots), _by_place(cleaned, where, place, slots))
    labels = tidy(labels, geometry)
    discs = _discs(cleaned, where, place, slots)
    cleaned[(cleaned == BODY) & (labels == 0)] = 0
    cleaned[labels > 0] = BODY
    cleaned[(cleaned == DISC) & (discs == 0)] = 0
    discs[cleaned != DISC] = 0
    bodies = _bodies(labels, geometry, column, slots)
    if not bodies:
        return None
    return Instances(column, cleaned, bodies, labels, discs, slots.edges_mm, sacral, slots.disc_above)


def _column_voxels(classes: NDArray[np.uint8], geometry: Geometry, column: Column) -> tuple[NDArray[np.intp], Floats]:
    index = np.argwhere(np.isin(classes, (BODY, DISC, SACRUM)))
    place = column.coordinates(geometry.to_patient(index))
    near = np.abs(place[:, 2]) <= _NEAR_MM
    return index[near], place[near]


def _find_slots(classes: NDArray[np.uint8], geometry: Geometry, where: NDArray[np.intp], place: Floats) -> Slots | None:
    """Part the column; stretches without bone at its ends are left out."""
    values = classes[tuple(where.T)]
    seen = profile(place, values, float(np.prod(geometry.spacing))) if len(where) else None
    if seen is None:
        return None
    top = where[(place[:, 0] < seen.start_mm + 6) & (values != SACRUM)]
    cut_above = bool(len(top)) and _touches_edge(top, geometry)
    separators = find_separators(seen.separation, cut_above=cut_above)
    edges = [0, *separators, len(seen.body) - 1]
    edges = [e for n, e in enumerate(edges) if n == 0 or e - edges[n - 1] >= 1]
    slots = Slots.measured(seen, edges).trimmed() if len(edges) > 1 else None
    return slots.with_dens(cut_above=cut_above) if slots is not None else None


def _around_lower_end(classes: NDArray[np.uint8], geometry: Geometry, column: Column, slots: Slots) -> dict[str, float]:
    """Volume of sacrum label near the lowest vertebrae (mm3), and the share of cord in the canal behind them."""
    volume = float(np.prod(geometry.spacing))
    start = slots.edges_mm[max(0, len(slots.edges_mm) - 6)]

    def along(*values: int) -> Floats:
        index = np.argwhere(np.isin(classes, values))
        return column.coordinates(geometry.to_patient(index))[:, 0] if len(index) else np.zeros(0)

    canal, cord = along(SAC, CORD) > start, along(CORD) > start
    return {
        "sacrum_mm3": float(np.count_nonzero(along(SACRUM) > start)) * volume,
        "cord_share": float(cord.sum() / max(1, canal.sum())),
    }


def _touches_edge(index: NDArray[np.intp], geometry: Geometry) -> bool:
    """Whether voxels reach the border of the volume within the sagittal plane."""
    across = geometry.axis_along(0)
    for axis in range(3):
        if axis != across:
            distance = np.minimum(index[:, axis], geometry.shape[axis] - 1 - index[:, axis])
            if np.count_nonzero(distance <= _EDGE_VOXELS) >= _LEAST_CONTACT:
                return True
    return False


def _settle_sacrum(
    classes: NDArray[np.uint8],
    where: NDArray[np.intp],
    place: Floats,
    slots: Slots,
    sacral: tuple[int, float] | None,
) -> None:
    """Give S1's body the bone of its slot where the labels mix sacrum into it, and its upper half always.

    The sacrum gets all bone below it.
    """
    if sacral is None:
        return
    top, bottom = slots.edges_mm[sacral[0]], slots.edges_mm[sacral[0] + 1]
    values = classes[tuple(where.T)]
    along, aside, ahead = place[:, 0], np.abs(place[:, 1]), place[:, 2]
    inner = (np.abs(along - (top + bottom) / 2) < (bottom - top) / 4) & (aside <= 12)
    if np.count_nonzero(inner & (values == SACRUM)) > _MIXED * np.count_nonzero(inner & (values == BODY)):
        mine = (along > top) & (along <= bottom) & (values == SACRUM) & (aside <= 24) & (np.abs(ahead) <= 20)
        classes[tuple(where[mine].T)] = BODY
    upper = (along > top - _CORNER_ABOVE_MM) & (along < (top + bottom) / 2) & (values == SACRUM)
    corner = upper & (aside <= _CORNER_ASIDE_MM) & (np.abs(ahead) <= _CORNER_AHEAD_MM)
    classes[tuple(where[corner].T)] = BODY
    beyond = (along > bottom + _SACRAL_MARGIN_MM) & (values == BODY)
    classes[tuple(where[beyond].T)] = SACRUM
    stray = (along < top - 10) & (values == SACRUM) & (aside <= 24)
    classes[tuple(where[stray].T)] = 0


def _by_place(classes: NDArray[np.uint8], where: NDArray[np.intp], place: Floats, slots: Slots) -> NDArray[np.uint8]:
    """Slot + 1 of each body voxel by its place along the column alone."""
    labels = np.zeros(classes.shape, dtype=np.uint8)
    number = np.searchsorted(slots.edges_mm, place[:, 0])
    number = np.where((place[:, 0] < slots.edges_mm[0]) & (place[:, 0] > slots.edges_mm[0] - 8), 1, number)
    last = len(slots.edges_mm) - 1
    number = np.where((number > last) & (place[:, 0] < slots.edges_mm[-1] + 8), last, number)
    number[number > last] = 0
    labels[tuple(where.T)] = np.where(classes[tuple(where.T)] == BODY, number, 0)
    return labels


def _seeds(classes: NDArray[np.uint8], where: NDArray[np.intp], place: Floats, slots: Slots) -> NDArray[np.uint8]:
    """The middle half of each body, after a crack that does not part vertebrae has been filled."""
    edges = np.asarray(slots.edges_mm)
    number = np.clip(np.searchsorted(edges, place[:, 0]), 1, len(edges) - 1)
    share = (place[:, 0] - edges[number - 1]) / np.maximum(edges[number] - edges[number - 1], 1e-6)
    cracked = np.array([False, *(slots.crack(n, _CRACK) >= _CRACK_EVIDENCE for n in range(len(edges) - 1))])
    filled = cracked[number] & (share > _CRACK[0]) & (share < _CRACK[1]) & (np.abs(place[:, 1]) <= 20)
    filled &= classes[tuple(where.T)] == DISC
    filled[filled] = _within_bone(place, number, share, classes[tuple(where.T)] == BODY)[filled]
    classes[tuple(where[filled].T)] = BODY
    low = np.where(number == 1, -0.1, _CORE)
    high = np.where(number == len(edges) - 1, 1.1, 1 - _CORE)
    core = (share > low) & (share < high) & (classes[tuple(where.T)] == BODY)
    seeds = np.zeros(classes.shape, dtype=np.uint8)
    seeds[tuple(where[core].T)] = number[core]
    return seeds


def _within_bone(place: Floats, number: NDArray[np.intp], share: Floats, body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a voxel has bone of its own slot above and below it: a crack has, the disc over a wedged body has not.

    Parameters
    ----------
    place, number, share : (n, 3) column coordinates, slot + 1, and place between the slot's ends from 0 to 1
    body : (n,) whether it is bone
    """
    cells = [int(2 * _FAR_MM / size) for size in _CELL_MM]
    aside, ahead = (
        np.clip((place[:, axis] + _FAR_MM) / size, 0, count - 1).astype(np.intp)
        for axis, size, count in zip((1, 2), _CELL_MM, cells, strict=True)
    )
    cell = (number * cells[0] + aside) * cells[1] + ahead
    inner = (
        body & (share > _SLOT_RIM) & (share < 1 - _SLOT_RIM)
    )  # next to its ends a slot may hold a neighbour's corner
    first, last = np.full(int(cell.max(initial=0)) + 1, np.inf), np.full(int(cell.max(initial=0)) + 1, -np.inf)
    np.minimum.at(first, cell[inner], share[inner])
    np.maximum.at(last, cell[inner], share[inner])
    return np.asarray((first[cell] < share) & (share < last[cell]))


def _discs(classes: NDArray[np.uint8], where: NDArray[np.intp], place: Floats, slots: Slots) -> NDArray[np.uint8]:
    """Slot + 1 of the body above, for disc voxels nearer to that separator than to the middle of a body."""
    edges = np.asarray(slots.edges_mm)
    labels = np.zeros(classes.shape, dtype=np.uint8)
    inner = edges[1:-1]
    if len(inner) == 0:
        return labels
    nearest = np.abs(place[:, :1] - inner).argmin(axis=1)
    pitch = np.minimum(edges[nearest + 1] - edges[nearest], edges[nearest + 2] - edges[nearest + 1])
    close = np.abs(place[:, 0] - inner[nearest]) <= np.maximum(0.4 * pitch, 7.0)
    disc = close & (classes[tuple(where.T)] == DISC)
    labels[tuple(where[disc].T)] = nearest[disc] + 1
    return labels


def _bodies(labels: NDArray[np.uint8], geometry: Geometry, column: Column, slots: Slots) -> tuple[Body, ...]:
    """Measure each body; those far too small for their neighbours were not really found and are wiped."""
    volume = float(np.prod(geometry.spacing))
    sizes = np.bincount(labels.ravel(), minlength=len(slots.edges_mm)).astype(float) * volume
    found = []
    for slot in range(len(slots.edges_mm) - 1):
        around = [s for n, s in enumerate(sizes[1:]) if 0 < abs(n - slot) <= 2 and s > 0]
        least = max(_LEAST_BODY_MM3, _LEAST_SHARE * float(np.median(around))) if around else _LEAST_BODY_MM3
        if sizes[slot + 1] < least:
            labels[labels == slot + 1] = 0
            continue
        index = np.argwhere(labels == slot + 1)
        points = geometry.to_patient(index)
        centre = points.mean(axis=0)
        along = float(column.coordinates(centre[None])[0, 0])
        pitch = slots.pitch_mm(slot)
        cut = _touches_edge(index, geometry) or _runs_out(index, geometry, sizes[slot + 1], around)
        place = (float(centre[0]), float(centre[1]), float(centre[2]))
        found.append(Body(slot, place, along, pitch, float(sizes[slot + 1]), cut))
    return tuple(found)


def _runs_out(index: NDArray[np.intp], geometry: Geometry, size: float, around: list[float]) -> bool:
    """Whether a body leaves the stack sideways: much smaller than its neighbours, and broad in the outermost slice."""
    across = geometry.axis_along(0)
    outermost = index[:, across].min() == 0 or index[:, across].max() == geometry.shape[across] - 1
    if not outermost or not around or size >= _SMALL_AT_EDGE * float(np.median(around)):
        return False
    area = np.bincount(index[:, across], minlength=geometry.shape[across])
    return bool(max(area[0], area[-1]) >= _BULK_AT_EDGE * area.max())
