"""What earlier weights see in a real image, so that training keeps it where no reader has labelled anything.

Only what they are sure of counts, after the product's own corrections: what lies away from the column is dropped, S1
and the sacrum are told apart by their place, and the borders of cord and sac follow the image. Behind the canal nothing
is kept but sac, cord and sacrum: spinous processes in real images are what networks from painted ones see worst, and
being sure of missing them is no reason to go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from spinemri.segment.borders import follow_borders
from spinemri.segment.instances import find_instances
from spinemri.synthesis.tissue import BACKGROUND, BODY, CORD, POSTERIOR, SAC
from spinemri.training.loss import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.segment.instances import Instances
    from spinemri.segment.predictor import ClassMap, Predictor
    from spinemri.segment.preprocess import WorkingMap

    Floats = NDArray[np.float64]

_SURE = 0.8
_ARCH_MM = 75
_CANAL = torch.tensor([SAC, CORD], dtype=torch.int8)
_POORLY_SEEN = torch.tensor([BACKGROUND, POSTERIOR], dtype=torch.int8)


@dataclass(frozen=True, eq=False)
class DrawnBodies:
    """Vertebral bodies that a reader labelled down to the last one above the sacrum.

    Parameters
    ----------
    mask : (k, j, i) bool
    last : (3,) LPS mm, the middle of the lowest
    """

    mask: NDArray[np.bool_]
    last: Floats


def seen_classes(
    image: Image, mapping: WorkingMap, earlier: Predictor, drawn: DrawnBodies | None = None, *, arches: bool = False
) -> torch.Tensor:
    """Classes (slices, rows, columns) int8 that a predictor is sure of, on the working grid; UNKNOWN elsewhere.

    Parameters
    ----------
    image : a sagittal or 3D image of any contrast
    mapping : from the image's grid to the working grid
    earlier : whose view it is
    drawn : what is known of the column; then S1 is the body below it, whatever the predictor takes for one
    arches : keep posterior elements and background behind the canal too, where no painted subject teaches them

    Raises
    ------
    ModelError
        If the image is not sagittal.
    """
    found, instances = seen_column(image, earlier, drawn)
    classes = np.zeros_like(found.classes) if instances is None else instances.classes
    sure = np.where(classes == found.classes, found.probabilities.max(axis=0) > _SURE, classes > 0)
    across, front, up = mapping.to_work
    best, marks = torch.zeros(mapping.shape), torch.full(mapping.shape, UNKNOWN, dtype=torch.int8)
    for value in range(len(found.probabilities)):
        mine = torch.from_numpy(((classes == value) & sure).transpose(mapping.axes).astype(np.float32))
        share = torch.einsum("sk,kyz,ay,bz->sab", across, mine, front, up)
        marks[(share > best) & (share > 0.5)] = value
        best = torch.maximum(best, share)
    if not arches:
        marks[_arches(marks) & torch.isin(marks, _POORLY_SEEN)] = UNKNOWN
    return marks


def seen_column(
    image: Image, earlier: Predictor, drawn: DrawnBodies | None = None
) -> tuple[ClassMap, Instances | None]:
    """What a predictor sees in an image, and the vertebrae in it after the product's own corrections.

    Raises ModelError if the image is not sagittal.
    """
    found = earlier.classify(image)
    shown = follow_borders(found.classes, image)
    if drawn is None:
        return found, find_instances(shown, image.geometry)
    shown[drawn.mask] = BODY
    return found, find_instances(shown, image.geometry, drawn.last)


def _arches(marks: torch.Tensor) -> torch.Tensor:
    """(1, rows, columns) where posterior elements lie: from the front of the canal 75 mm backwards, in every slice."""
    canal = torch.isin(marks, _CANAL).any(0)
    rows = torch.arange(len(canal))[:, None]
    front = torch.where(canal, rows, -1).amax(0)
    return ((rows <= front) & (rows > front - _ARCH_MM))[None]
