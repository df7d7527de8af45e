"""Painted subjects as true segmentations on oblique sagittal grids, and their masks in the numbers of other tools."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from spinemri.anatomy import Structure, StructureKind
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.labels.export import to_labels
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Series
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.labels import paint
from spinemri.synthesis.subject import sample_subject
from spinemri.synthesis.tissue import class_of_tissue

BODY, ARCH, DISC = StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS, StructureKind.DISC
SAC, CORD, SACRUM = StructureKind.THECAL_SAC, StructureKind.CORD, StructureKind.SACRUM
VERTEBRA = (BODY, ARCH)
FIELDS = {
    "lumbar": (sizes.T12 - 2, sizes.S1, 75.0),
    "short lumbar": (sizes.T12 - 1, sizes.S1, 30.0),
    "thoracic": (sizes.T1 + 2, sizes.T12 - 1, 30.0),
    "cervical": (0, sizes.T1 + 2, 30.0),
}
DRAWN = {
    "totalspineseg-step2": (*VERTEBRA, DISC, SAC, CORD, SACRUM),
    "spineps": (*VERTEBRA, DISC, SACRUM),
    "spineps-veridah": (*VERTEBRA, DISC, SACRUM),
    "totalsegmentator-vertebrae-mr": (*VERTEBRA, SACRUM),
    "spider-dataset": (*VERTEBRA, DISC, SAC, CORD),
    "spider-algorithm": (*VERTEBRA, DISC, SAC, CORD),
    "verse": VERTEBRA,
    "spinemri": (*VERTEBRA, DISC, SAC, CORD, SACRUM),
}
"""What each usable scheme draws."""


@cache
def painted(
    seed: int, field: str = "lumbar", slice_mm: float = 4.0, pixel_mm: float = 1.2, turn: tuple[float, ...] = (3, 4, 5)
) -> Segmentation:
    """A random subject's true masks in a field of view, named by spinemri's own values."""
    rng = np.random.default_rng([seed, 5])
    subject = sample_subject(rng, variation=0.8)
    first, last, low = FIELDS[field]
    shown = subject.centre[first : last + 1]
    slices = round(76 / slice_mm)
    x = (np.arange(slices) - (slices - 1) / 2) * slice_mm + subject.midline[first : last + 1].mean()
    z = np.arange(shown[:, 1].min() - low, shown[:, 1].max() + 30, pixel_mm)
    a = np.arange(shown[:, 0].min() - 75, shown[:, 0].max() + 35, pixel_mm)
    volume = paint(subject, (x, z, a), rng)
    voxels, structures = _values(class_of_tissue()[volume.tissue], volume.level)
    turned = Rotation.from_euler("xyz", turn, degrees=True)
    axes = turned.as_matrix() @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    origin = turned.apply([x[0], -a[-1], z[-1]])
    grid = Geometry(voxels.shape, (slice_mm, pixel_mm, pixel_mm), tuple(origin), tuple(axes.ravel()), "2.25.4711")
    return Segmentation(voxels[:, ::-1, ::-1], grid, structures, "2.25.4711.1", "truth")


def _values(classes, levels):
    plain = {4: SAC, 5: CORD, 6: SACRUM}
    found = {Structure(kind): classes == value for value, kind in plain.items()}
    for n, level in enumerate(sizes.LEVELS[: sizes.S1 + 1]):
        found[Structure(BODY, level)] = (classes == 1) & (levels == n + 1)
        found[Structure(ARCH, level)] = (classes == 2) & (levels == n + 1)
        if n < sizes.S1:
            found[Structure(DISC, level, sizes.LEVELS[n + 1])] = (classes == 3) & (levels == 101 + n)
    voxels = np.zeros(classes.shape, dtype=np.uint8)
    for structure, mask in found.items():
        voxels[mask] = label_value(structure)
    return voxels, {label_value(s): s for s, mask in found.items() if mask.any()}


def only(segmentation: Segmentation, keep) -> Segmentation:
    """The structures for which ``keep`` holds."""
    kept = {value: s for value, s in segmentation.structures.items() if keep(s)}
    voxels = np.where(np.isin(segmentation.voxels, list(kept)), segmentation.voxels, 0).astype(np.uint8)
    return replace(segmentation, voxels=voxels, structures=kept)


def drawn(segmentation: Segmentation, scheme: str) -> Segmentation:
    """What a tool of this scheme draws of a true segmentation; S1 with the rest of the sacrum or not at all."""
    kinds = DRAWN[scheme]
    sacral = SACRUM in kinds
    return only(segmentation, lambda s: s.kind in kinds and (sacral or not s.level or s.level.region != "S"))


def image_of(voxels, geometry: Geometry) -> Image:
    return Image(np.asarray(voxels), geometry, Series(series_uid="2.25.4711.1"))


def mask_in(scheme: str, segmentation: Segmentation) -> Image:
    """A true segmentation as the file of a tool."""
    shown = drawn(segmentation, scheme)
    return image_of(to_labels(shown, scheme), segmentation.geometry)


def lowest(segmentation: Segmentation):
    """Level of the lowest vertebra above the sacrum."""
    levels = [s.level for s in segmentation.structures.values() if s.kind in VERTEBRA and s.level.region != "S"]
    return max(levels)


def anchor_of(segmentation: Segmentation):
    """The user's word on the lowest vertebra: the second from the bottom where a sacrum is drawn."""
    return 1 + any(s.kind is SACRUM for s in segmentation.structures.values()), lowest(segmentation)
