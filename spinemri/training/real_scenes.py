"""Real images with their anatomy, as backgrounds for implanted marrow changes.

The people are those of ``people.csv`` whose ``background`` is 'train'; nobody has labelled their marrow, and all of
them are volunteers. The anatomy is what a predictor sees, as it will be when lesions are looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level, StructureKind
from spinemri.segment.anatomy import segment_anatomy
from spinemri.segment.preprocess import working_map, working_slices
from spinemri.synthesis.tissue import BACKGROUND, CLASS_OF
from spinemri.synthesis.vertebra_grid import DISC_LEVEL
from spinemri.training.implant import RealScene

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.segment.predictor import Predictor
    from spinemri.segment.preprocess import WorkingMap
    from spinemri.segmentation import Segmentation

_VARIANTS = Level("T13"), Level("L6")


def real_scene(image: Image, predictor: Predictor, channel: str) -> RealScene:
    """An image as a background; it is read as a sequence of the lesion network's.

    Raises
    ------
    ModelError
        If the image is not sagittal.
    """
    mapping = working_map(image, predictor.model)
    classes, levels = label_maps(segment_anatomy(image, predictor)[0], mapping)
    slices = working_slices(image, mapping).numpy()
    along = image.geometry.spacing[mapping.axes[0]] * image.geometry.shape[mapping.axes[0]] / mapping.shape[0]
    return RealScene({channel: slices}, classes, levels, float(along))


def _numbers(levels: AbstractSet[Level]) -> dict[Level, int]:
    """Levels by their count from the head; one that was not found leaves a gap, an absent variant does not."""
    absent = [level for level in _VARIANTS if level not in levels]
    return {
        level: level.rank - (0 if level.is_relative else sum(v.rank < level.rank for v in absent)) for level in levels
    }


def label_maps(segmentation: Segmentation, mapping: WorkingMap) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Classes and levels (slices, rows, columns) on the working grid; neighbours' numbers are neighbours."""
    number = _numbers({s.level for s in segmentation.structures.values() if s.level is not None})
    largest = max(segmentation.structures, default=0)
    classes, levels = (np.zeros(largest + 1, dtype=np.uint8) for _ in range(2))
    for value, structure in segmentation.structures.items():
        classes[value] = CLASS_OF.get(structure.kind, BACKGROUND)
        if structure.level is None:
            continue
        if structure.kind in (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS, StructureKind.DISC):
            disc = structure.kind is StructureKind.DISC
            levels[value] = number[structure.level] + (DISC_LEVEL if disc else 0)
    nearest = [matrix.argmax(dim=1).numpy() for matrix in mapping.to_work]
    values = segmentation.voxels.transpose(mapping.axes)[np.ix_(*nearest)]
    return classes[values], levels[values]
