"""Heights and height losses of real bodies, measured in the model's masks and in those that readers drew.

People of ``validation.csv`` whose bodies are labelled and numbered. A body counts when both give its heights; readers'
masks differ from each other too, so this is agreement, not error. Falsely called are healthy people's bodies with a
height loss of fracture level in the model's masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.evaluate.cases import load_image, load_truth
from spinemri.evaluate.instances import levels_upward
from spinemri.evaluate.measured_people import whole_bodies
from spinemri.evaluate.measurements import Compared
from spinemri.evaluate.real import segment_image
from spinemri.measure.bodies import body_measurements, body_shapes, losses_of
from spinemri.norms import threshold
from spinemri.segmentation import Segmentation, label_value

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.evaluate.cases import Truth, ValidationCase
    from spinemri.geometry import Geometry
    from spinemri.measurement import Measurement
    from spinemri.segment.predictor import Predictor

FRACTURE_FROM_PCT = threshold("height_loss.fracture_from")


@dataclass(frozen=True)
class HeightScore:
    """Heights and losses of one image by both masks, and how many bodies the model's masks call deformed of how many.

    ``compared`` holds the model's value as found and the readers' as true.
    """

    case: ValidationCase
    compared: tuple[Compared, ...]
    bodies: int
    called: int


def score_heights(case: ValidationCase, root: Path, predictor: Predictor) -> HeightScore:
    """Compare the bodies of one image whose labels number them.

    Raises
    ------
    SpineMRIError
        If a file is missing or cannot be read.
    """
    image = load_image(case, root)
    found = _measured(segment_image(image, predictor).segmentation)
    readers = _measured(_drawn(case, load_truth(case, root, image.geometry), image.geometry))
    both = [(m, readers[id_]) for id_, m in found.items() if id_ in readers]
    compared = [
        Compared(m.id, m.value, *m.interval, r.value)
        for m, r in both
        if m.value is not None and r.value is not None and m.interval is not None
    ]
    losses = [one for one in compared if one.name == "height_loss_pct"]
    called = sum(one.found >= FRACTURE_FROM_PCT for one in losses)
    return HeightScore(case, tuple(compared), len(losses), called)


def _drawn(case: ValidationCase, truth: Truth, geometry: Geometry) -> Segmentation:
    """What a reader drew, under spinemri's values."""
    levels = levels_upward(Level(case.lowest), np.unique(truth.labels))
    voxels = np.zeros(geometry.shape, dtype=np.uint8)
    structures = {}
    for value, level in levels.items():
        structure = Structure(StructureKind.VERTEBRAL_BODY, level)
        voxels[truth.labels == value] = label_value(structure)
        structures[label_value(structure)] = structure
    return Segmentation(voxels, geometry, structures, case.case, "a reader")


def _measured(segmentation: Segmentation) -> dict[str, Measurement]:
    """Heights and height losses of the bodies that the field shows whole, by id."""
    spine, by_uid = whole_bodies(segmentation), {segmentation.series_uid: segmentation}
    shapes = body_shapes(spine, by_uid, {})
    return {m.id: m for m in body_measurements(spine, shapes, losses_of(shapes))}
