"""What the lesion network reads: the sequences of a study on one grid, pairs aligned per vertebra, and the anatomy.

The grid is that of the reference series (T1w where there is one), sagittal slices as acquired, 1 mm in plane, posterior
to anterior by inferior to superior. Every other series is laid over it vertebra by vertebra with the motion that was
found there; a vertebra at which two series could not be compared gets none of the other. A sequence that a study lacks
is zero everywhere. Intensities are logarithms relative to the bodies' marrow at the same height, so that a change is a
deviation from zero whatever the scanner's scale and coil.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage

from spinemri.anatomy import StructureKind
from spinemri.geometry import Geometry
from spinemri.register import motion_between, to_moving
from spinemri.segment.preprocess import present_voxels
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation
    from spinemri.spine import VertebraAlignment

CHANNELS = ("T1w", "STIR", "T2w", "T1w-post", "fat-fraction", "ADC")
"""Sequences in the order of the network's channels; 'STIR' holds fat-suppressed T2 too."""

CHANNEL_OF = {
    Contrast.T1W: "T1w",
    Contrast.STIR: "STIR",
    Contrast.T2W_FS: "STIR",
    Contrast.T2W: "T2w",
    Contrast.T1W_POST: "T1w-post",
    Contrast.ADC: "ADC",
}
"""Contrast of a series -> channel; of two series for one channel the first in this order is read."""

ANATOMY = (
    (StructureKind.VERTEBRAL_BODY,),
    (StructureKind.POSTERIOR_ELEMENTS,),
    (StructureKind.DISC,),
    (StructureKind.THECAL_SAC, StructureKind.CORD),
    (StructureKind.SACRUM,),
)
"""Structures that the channels after those mark, 0 or 1 each."""

STEP = 16
"""Rows and columns come in multiples of it: the network halves its grid four times."""

_FLOOR, _BRIGHT = 0.05, 0.95  # share of that quantile added before the logarithm: noise has no logarithm
_COIL_MM = 40.0  # along the spine, over which the marrow's level is smoothed
_MOST = 2.5  # logarithm
_FEW = 50
_SAMPLES, _SCALE, _ROUNDS = 4000, 20.0, 5  # voxels of the fit, voxels per unit, rounds of reweighting
_STIFF, _STEEPEST = 20.0, 0.6  # holds slopes to zero where few voxels tell; most per unit
_MARGIN_MM = (0.0, 30.0, 14.0)  # around the bones: what is beside them is seen anyway, in front, above and below
_BEHIND_MM = 12.0
_BONES = (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)
_SEEN = 0.5  # share of a zone from which a sequence counts as showing its vertebra
_COARSE_MM = 1.5  # a map may lie a little beside the anatomy it belongs to


@dataclass(frozen=True, eq=False)
class LesionInput:
    """What the network reads at the vertebrae of one reference series.

    Parameters
    ----------
    volume : (channels, slices, rows, columns) float32, see ``CHANNELS`` and ``ANATOMY``
    geometry : grid of slices to the left, rows to anterior, columns to superior
    labels : (slices, rows, columns) values of the reference series' segmentation
    zones : (slices, rows, columns) number of the vertebra, in the order of ``levels``, that each voxel lies nearest to
    levels : vertebrae that are looked at, head to foot
    contrasts : level -> channels that show it
    sources : channel -> series_uid
    """

    volume: torch.Tensor
    geometry: Geometry
    labels: NDArray[np.unsignedinteger]
    zones: NDArray[np.uint8]
    levels: tuple[Level, ...]
    contrasts: Mapping[Level, tuple[str, ...]]
    sources: Mapping[str, str]


def lesion_input(
    reference: tuple[Image, Segmentation],
    others: Sequence[Image],
    alignments: Sequence[VertebraAlignment],
    levels: Sequence[Level],
    spacing_mm: float,
) -> LesionInput | None:
    """The network's input around some vertebrae of a reference series; None when it shows none of their bodies.

    Parameters
    ----------
    reference : series on whose slices lesions are looked for, with its anatomy
    others : further series of the same patient, in the order of preference
    alignments : motion of vertebrae between the reference and the others
    levels : vertebrae to look at, head to foot
    spacing_mm : in-plane pixel size
    """
    image, segmentation = reference
    masks = {level: segmentation.mask(body) for level in levels if (body := segmentation.body(level)) is not None}
    shown = tuple(level for level in levels if level in masks and masks[level].any())
    if not shown:
        return None
    geometry = _working_grid(segmentation, spacing_mm)
    points = geometry.to_patient(np.moveaxis(np.indices(geometry.shape), 0, -1).reshape(-1, 3))
    centres = np.stack([segmentation.geometry.to_patient(np.argwhere(masks[v])).mean(axis=0) for v in shown])
    zones = _nearest(points, centres).reshape(geometry.shape)
    index = np.rint(segmentation.geometry.to_index(points)).astype(int)
    inside = ((index >= 0) & (index < segmentation.geometry.shape)).all(axis=1)
    labels = np.zeros(len(points), dtype=segmentation.voxels.dtype)
    labels[inside] = segmentation.voxels[tuple(index[inside].T)]
    labels = labels.reshape(geometry.shape)
    seen = _sequences(image, others, alignments, dict(zip(shown, centres, strict=True)))
    anatomy = [_marked(labels, segmentation, kinds) for kinds in ANATOMY]
    channels, contrasts, sources = _channels(seen, points, zones, (geometry, shown, anatomy[0]))
    volume = torch.from_numpy(np.stack([*channels, *anatomy]).astype(np.float32))
    return LesionInput(volume, geometry, labels, zones, shown, contrasts, sources)


def relative_to_marrow(voxels: NDArray[np.float32], body: NDArray[np.bool_], pixel_mm: float) -> NDArray[np.float32]:
    """Logarithm of intensities relative to the marrow of the bodies at the same height of the spine.

    Parameters
    ----------
    voxels : (slices, rows, columns) from 0; 0 where nothing is shown, and 0 comes back
    body : (slices, rows, columns) vertebral bodies
    pixel_mm : distance of columns, which run along the spine
    """
    shown = voxels > 0
    if not shown.any():
        return np.zeros_like(voxels)
    floor = _FLOOR * float(np.quantile(voxels[shown], _BRIGHT))
    logs = np.log(voxels + max(floor, 1e-9))
    marrow = body & shown
    marrow = marrow if marrow.sum() >= _FEW else shown
    logs = logs - _across_the_spine(logs, marrow)
    counts, levels = np.zeros(voxels.shape[2]), np.zeros(voxels.shape[2])
    for column in np.flatnonzero(marrow.any(axis=(0, 1))):
        here = logs[:, :, column][marrow[:, :, column]]
        counts[column], levels[column] = here.size, np.median(here)
    width = _COIL_MM / pixel_mm
    weight = ndimage.gaussian_filter1d(counts, width, mode="constant", truncate=6)
    level = ndimage.gaussian_filter1d(counts * levels, width, mode="constant", truncate=6) / np.maximum(weight, 1e-12)
    return np.where(shown, np.clip(logs - level, -_MOST, _MOST), 0).astype(np.float32)


def _across_the_spine(logs: NDArray[np.float32], marrow: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How a surface coil makes marrow brighter towards it: a plane over slices and rows, robust against lesions."""
    index = np.argwhere(marrow)
    index = index[:: max(1, len(index) // _SAMPLES)]
    places = (index - index.mean(axis=0)) / _SCALE
    along = places[:, 2:]
    table = np.hstack([np.ones_like(along), along, along**2, along**3, places[:, :2]])
    values = logs[tuple(index.T)].astype(np.float64)
    weights = np.ones(len(values))
    fitted = np.zeros(table.shape[1])
    for _ in range(_ROUNDS):
        weighted = table * weights[:, None]
        fitted = np.linalg.solve(weighted.T @ table + np.diag([1e-6] * 4 + [_STIFF] * 2), weighted.T @ values)
        residual = np.abs(values - table @ fitted)
        weights = np.clip(1 - (residual / max(4 * float(np.median(residual)), 1e-3)) ** 2, 1e-3, 1) ** 2
    slopes = np.clip(fitted[4:], -_STEEPEST, _STEEPEST) / _SCALE
    slices, rows = (np.arange(n) - m for n, m in zip(logs.shape[:2], index.mean(axis=0)[:2], strict=True))
    plane = slopes[0] * slices[:, None] + slopes[1] * rows[None]
    return np.asarray(np.clip(plane, -_MOST / 2, _MOST / 2)[:, :, None], dtype=np.float32)


def _marked(
    labels: NDArray[np.unsignedinteger], segmentation: Segmentation, kinds: tuple[StructureKind, ...]
) -> NDArray[np.bool_]:
    return np.isin(labels, [value for value, known in segmentation.structures.items() if known.kind in kinds])


def _working_grid(segmentation: Segmentation, spacing_mm: float) -> Geometry:
    """Slices as acquired, to the left; rows to anterior, columns to superior; around the bones."""
    geometry = segmentation.geometry
    order = tuple(geometry.axis_along(world) for world in range(3))
    signs = [np.sign(geometry.axes[world, a]) * (-1 if world == 1 else 1) for world, a in enumerate(order)]
    axes = geometry.axes[:, order] * signs
    points = geometry.to_patient(np.argwhere(segmentation.mask_of_kind(*_BONES)))
    along = points @ axes
    margins = np.array([[geometry.spacing[order[0]]] * 2, [_BEHIND_MM, _MARGIN_MM[1]], [_MARGIN_MM[2]] * 2])
    low, high = along.min(axis=0) - margins[:, 0], along.max(axis=0) + margins[:, 1]
    edges = np.sort(geometry.corners() @ axes, axis=0)[[0, -1]]
    low, high = np.maximum(low, edges[0]), np.minimum(high, edges[1])
    spacing = (geometry.spacing[order[0]], spacing_mm, spacing_mm)
    first = geometry.to_patient([0, 0, 0]) @ axes
    low[0] = first[0] + np.round((low[0] - first[0]) / spacing[0]) * spacing[0]  # on the slices that were acquired
    counts = np.maximum(np.floor((high - low) / spacing + 1.001).astype(int), 1)
    counts[1:] = np.ceil(counts[1:] / STEP) * STEP
    x, y, z = (axes @ low).tolist()
    flat = tuple(float(v) for v in axes.ravel())
    shape = (int(counts[0]), int(counts[1]), int(counts[2]))
    return Geometry(shape, spacing, (x, y, z), flat, geometry.frame_of_reference_uid)


def _nearest(points: NDArray[np.floating], centres: NDArray[np.floating]) -> NDArray[np.uint8]:
    best, found = np.full(len(points), np.inf), np.zeros(len(points), dtype=np.uint8)
    for number, centre in enumerate(centres):
        away = ((points - centre) ** 2).sum(axis=1)
        nearer = away < best
        best[nearer], found[nearer] = away[nearer], number
    return found


@dataclass(frozen=True, eq=False)
class _Sequence:
    """One series for one channel, and how it is laid over the reference at each vertebra; None where it is not."""

    channel: str
    image: Image
    motions: tuple[VertebraAlignment | None, ...]
    shown: tuple[bool, ...]


def _sequences(
    reference: Image,
    others: Sequence[Image],
    alignments: Sequence[VertebraAlignment],
    centres: Mapping[Level, NDArray[np.floating]],
) -> list[_Sequence]:
    """At most one series per channel, the reference first; of two of one contrast that which shows more vertebrae."""
    own = CHANNEL_OF.get(reference.series.contrast)
    found = [_Sequence(own, reference, (None,) * len(centres), (True,) * len(centres))] if own else []
    readable = [image for image in others if image.series.contrast in CHANNEL_OF]
    laid = [_laid_over(reference, image, alignments, tuple(centres)) for image in readable]
    order, counted = list(CHANNEL_OF), [(_covered(s, centres), s) for s in laid]
    for count, sequence in sorted(counted, key=lambda one: (order.index(one[1].image.series.contrast), -one[0])):
        if count and all(s.channel != sequence.channel for s in found):
            found.append(sequence)
    return found


def _laid_over(
    reference: Image, image: Image, alignments: Sequence[VertebraAlignment], levels: tuple[Level, ...]
) -> _Sequence:
    same_frame = image.geometry.frame_of_reference_uid == reference.geometry.frame_of_reference_uid
    uids = reference.series.series_uid, image.series.series_uid
    pairs = tuple(motion_between(alignments, level, *uids) for level in levels)
    shown = tuple(p.status != "unpaired" if p is not None else same_frame for p in pairs)
    return _Sequence(CHANNEL_OF[image.series.contrast], image, pairs, shown)


def _covered(sequence: _Sequence, centres: Mapping[Level, NDArray[np.floating]]) -> int:
    """Vertebrae whose centre lies in the field of view of a series: stations show different ones."""
    geometry, count = sequence.image.geometry, 0
    for centre, motion, shown in zip(centres.values(), sequence.motions, sequence.shown, strict=True):
        index = geometry.to_index(centre if motion is None else to_moving(motion, centre))
        count += bool(shown and ((index > -0.5) & (index < np.asarray(geometry.shape) - 0.5)).all())
    return count


def _channels(
    sequences: Sequence[_Sequence],
    points: NDArray[np.floating],
    zones: NDArray[np.uint8],
    place: tuple[Geometry, tuple[Level, ...], NDArray[np.bool_]],
) -> tuple[list[NDArray[np.float32]], dict[Level, tuple[str, ...]], dict[str, str]]:
    """Voxels per channel on the grid, which channels show each level, and the series of each channel."""
    geometry, levels, body = place
    filled = {s.channel: _sampled(s, points, zones) for s in sequences}
    present = {
        s.channel: [bool((filled[s.channel][zones == n] > 0).mean() > _SEEN) for n in range(len(levels))]
        for s in sequences
    }
    contrasts = {level: tuple(c for c in CHANNELS if c in present and present[c][n]) for n, level in enumerate(levels)}
    blank = np.zeros(geometry.shape, dtype=np.float32)
    volumes = []
    for name in CHANNELS:
        voxels = filled.get(name)
        if voxels is None:
            volumes.append(blank)
            continue
        volumes.append(relative_to_marrow(voxels, body, geometry.spacing[2]))
    return volumes, contrasts, {s.channel: s.image.series.series_uid for s in sequences}


def _sampled(sequence: _Sequence, points: NDArray[np.floating], zones: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A series' intensities on the grid, each vertebra's zone after its own motion; 0 where it shows nothing."""
    voxels, geometry = present_voxels(sequence.image), sequence.image.geometry
    blur = [0.0 if mm > _COARSE_MM else 0.42 * np.sqrt(max(1 / mm**2 - 1, 0.0)) for mm in geometry.spacing]
    smooth = ndimage.gaussian_filter(voxels, blur) if any(blur) else voxels
    found = np.zeros(len(points), dtype=np.float32)
    flat = zones.ravel()
    for number, (motion, shown) in enumerate(zip(sequence.motions, sequence.shown, strict=True)):
        if not shown:
            continue
        here = flat == number
        moved = points[here] if motion is None else to_moving(motion, points[here])
        index = np.round(geometry.to_index(moved), 6).T  # the outermost slice is in the field despite rounding
        found[here] = ndimage.map_coordinates(smooth, index, order=1, mode="constant", cval=0.0, prefilter=False)
    return found.reshape(zones.shape)
