"""A small training set on disk: images whose signal is that of the class, with their true masks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.convert import write_nifti
from tests.labels.painted import painted

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.segmentation import Segmentation

SIGNAL = {
    StructureKind.VERTEBRAL_BODY: 150,
    StructureKind.POSTERIOR_ELEMENTS: 130,
    StructureKind.DISC: 90,
    StructureKind.THECAL_SAC: 240,
    StructureKind.CORD: 120,
    StructureKind.SACRUM: 140,
}


def truth(seed: int = 1) -> Segmentation:
    """A lumbar spine from T10 to the sacrum, 19 slices of 4 mm."""
    made = painted(seed)
    return replace(made, geometry=replace(made.geometry, frame_of_reference_uid=None))


def image_of(mask: Segmentation, seed: int = 0) -> np.ndarray:
    """(k, j, i) uint8: each class has its signal, and there is noise."""
    signal = np.full(mask.voxels.shape, 60.0)
    for kind, level in SIGNAL.items():
        signal[mask.mask_of_kind(kind)] = level
    noise = np.random.default_rng(seed).normal(0, 8, signal.shape)
    return (signal + noise).clip(1, 255).astype(np.uint8)


def write_image(mask: Segmentation, path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(image_of(mask, seed), mask.geometry, path)
    return path


def write_mask(mask: Segmentation, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(mask.voxels, mask.geometry, path)
    return path
