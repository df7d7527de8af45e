"""Grids and columns that the tests of scoring share: few thick slices, tilted, no axis along the patient's."""

from __future__ import annotations

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.geometry import Geometry
from spinemri.segmentation import Segmentation, label_value

_TILT = np.deg2rad(12.0)
_DOWN, _BACK = (0.0, np.sin(_TILT), -np.cos(_TILT)), (0.0, np.cos(_TILT), np.sin(_TILT))
TILTED = Geometry(  # slices to the left, rows downwards, columns backwards
    (7, 200, 90), (4.0, 0.9, 1.1), (-12.0, -60.0, 70.0), tuple(np.stack([(1, 0, 0), _DOWN, _BACK], axis=1).ravel())
)
PITCH, HEIGHT = 20, 14  # rows from body to body, rows of a body
COLUMNS, CORD_COLUMNS = slice(20, 45), slice(52, 60)


def first_row(place: int) -> int:
    """Upper row of the body at a place in the column, from 0."""
    return 12 + PITCH * place


def column_labels(bodies: int) -> np.ndarray:
    """Boxes numbered from head to foot, with gaps for discs."""
    labels = np.zeros(TILTED.shape, dtype=np.int32)
    for n in range(bodies):
        labels[1:6, first_row(n) : first_row(n) + HEIGHT, COLUMNS] = n + 1
    return labels


def cord_mask() -> np.ndarray:
    """A straight cord behind the bodies, along the whole grid."""
    mask = np.zeros(TILTED.shape, dtype=bool)
    mask[2:5, :, CORD_COLUMNS] = True
    return mask


def named(labels: np.ndarray, names: list[str], geometry: Geometry = TILTED) -> Segmentation:
    """Bodies 1, 2 … under the given names, '' for one that was not found; cord where no body is."""
    structures = [Structure(StructureKind.VERTEBRAL_BODY, Level(name)) if name else None for name in names]
    voxels = np.zeros(labels.shape, dtype=np.uint8)
    if labels.shape == TILTED.shape:
        voxels[cord_mask()] = 121
    for n, structure in enumerate(structures, start=1):
        if structure:
            voxels[labels == n] = label_value(structure)
    known = {label_value(s): s for s in structures if s} | {121: Structure(StructureKind.CORD)}
    return Segmentation(voxels, geometry, known, "1.2.3", "test")
