"""An implanter that no training has seen: lesions grown cell by cell in real marrow, with grain of another vertebra.

Training makes lesions from ellipsoids, bands and noise and blends them in three ways (``training.implant``). Here a
lesion is the region that a random growth has reached, its grain is cut from a healthy vertebra of the same image, and
its edge is blurred as the image is. A detector that has learnt the traces of the first implanter fails here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import StructureKind
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.segmentation import Segmentation

    Mask = NDArray[np.bool_]

RATIOS = {
    Contrast.T1W: ((0.35, 0.68),),
    Contrast.STIR: ((1.9, 4.5),),
    Contrast.T2W_FS: ((1.6, 3.5),),
    Contrast.T2W: ((0.35, 0.68), (1.4, 2.2)),
}
"""Signal of an implant relative to the marrow it replaces, per contrast; one of the ranges is drawn."""

_BLUR_MM = 0.7
_ROUNDS = 400
_MARGIN, _FEW = 2, 50


@dataclass(frozen=True, eq=False)
class Implant:
    """A lesion put into an image: where, in the grid of the reference image, and how large."""

    mask: Mask
    volume_mm3: float


def grown_lesion(bone: Mask, voxel_mm: tuple[float, float, float], volume_mm3: float, rng: np.random.Generator) -> Mask:
    """A region that grew from a random voxel of a bone, neighbour by neighbour, until it has a volume.

    Parameters
    ----------
    bone : (k, j, i) where it may grow
    voxel_mm : size of a voxel
    volume_mm3 : at which it stops, or earlier when the bone is full
    """
    wanted = max(1, round(volume_mm3 / float(np.prod(voxel_mm))))
    spots = np.argwhere(bone)
    region = np.zeros(bone.shape, dtype=bool)
    region[tuple(spots[rng.integers(len(spots))])] = True
    # about as fast in mm along every axis: the speed of a wide front goes with the root of the rate of its steps
    rates = (np.min(voxel_mm) / np.asarray(voxel_mm)) ** 2
    for _ in range(_ROUNDS):
        missing = wanted - int(region.sum())
        if missing <= 0:
            break
        rim = np.zeros_like(region)
        for axis, rate in enumerate(rates):
            structure = np.zeros((3, 3, 3), dtype=bool)
            structure[1, 1, 1] = True
            index = [1, 1, 1]
            for end in (0, 2):
                index[axis] = end
                structure[tuple(index)] = True
            step = ndimage.binary_dilation(region, structure) & ~region & bone
            rim |= step & (rng.random(region.shape) < 0.55 * rate)
        chosen = np.argwhere(rim)
        if not len(chosen) and not (ndimage.binary_dilation(region) & bone & ~region).any():
            break
        rng.shuffle(chosen)
        region[tuple(chosen[:missing].T)] = True
    closed = ndimage.binary_closing(region, np.ones((1, 3, 3), dtype=bool)) & bone
    return np.asarray(closed | region)


def with_implants(
    images: Sequence[Image], anatomy: Segmentation, volumes_mm3: Sequence[float], rng: np.random.Generator
) -> tuple[tuple[Image, ...], tuple[Implant, ...]]:
    """Images of one grid with lesions, one vertebra each.

    Parameters
    ----------
    images : series of one person on one grid, each with a contrast that ``RATIOS`` knows
    anatomy : segmentation on that grid
    volumes_mm3 : of the lesions
    rng : places, shapes, signal
    """
    bodies = {s.level: anatomy.mask(s) for s in anatomy.of_kind(StructureKind.VERTEBRAL_BODY) if s not in anatomy.cut}
    levels = [level for level in bodies if level is not None]
    rng.shuffle(levels)
    spacing = anatomy.geometry.spacing
    voxels = [np.array(image.voxels, dtype=np.float32) for image in images]
    implants = []
    for level, volume in zip(levels, volumes_mm3, strict=False):
        arches = [s for s in anatomy.of_kind(StructureKind.POSTERIOR_ELEMENTS) if s.level == level]
        bone = bodies[level].copy()
        if arches and rng.random() < 0.3:
            bone |= anatomy.mask(arches[0])
        mask = grown_lesion(bone, spacing, volume, rng)
        other = bodies[levels[(levels.index(level) + 1) % len(levels)]]
        for image, values in zip(images, voxels, strict=True):
            ranges = RATIOS[image.series.contrast]
            ratio = float(rng.uniform(*ranges[rng.integers(len(ranges))]))
            share, sheet = _edge(mask, spacing), _grain(image, other, spacing, rng)
            _blend(values, bodies[level], share, ratio * np.clip(1 + sheet, 0.3, 2))
        implants.append(Implant(mask, float(mask.sum()) * float(np.prod(spacing))))
    return tuple(replace(i, voxels=v) for i, v in zip(images, voxels, strict=True)), tuple(implants)


def _inner(body: Mask) -> Mask:
    inner = ndimage.binary_erosion(body, np.ones((1, 3, 3), dtype=bool), iterations=_MARGIN)
    return np.asarray(inner if inner.any() else body)


def _edge(mask: Mask, spacing: tuple[float, float, float]) -> NDArray[np.float32]:
    """Share of each voxel that the lesion fills, its edge as blurred as the image's."""
    blur = [0.0 if mm > 2 else _BLUR_MM / mm for mm in spacing]
    return np.asarray(ndimage.gaussian_filter(mask.astype(np.float32), blur))


def _grain(
    image: Image, donor: Mask, spacing: tuple[float, float, float], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Relative unevenness, drawn from the marrow of another vertebra as it was before anything was implanted."""
    marrow = np.asarray(image.voxels[_inner(donor)], dtype=np.float32)
    relative = marrow / max(float(np.median(marrow)), 1e-6) - 1 if marrow.size > _FEW else np.zeros(1)
    sheet = rng.choice(relative, image.voxels.shape).astype(np.float32)
    return np.asarray(ndimage.gaussian_filter(sheet, [0.0 if mm > 2 else 0.5 / mm for mm in spacing]) * 1.5)


def _blend(values: NDArray[np.float32], body: Mask, share: NDArray[np.float32], ratio: NDArray[np.float32]) -> None:
    """Put a lesion into an image in place: the marrow's level times a ratio."""
    level = float(np.median(values[_inner(body)]))
    values += share * (level * ratio - values)
