"""A synthetic study together with what a perfect network would say about it.

The phantom is painted on a fine grid; here its tissues become the classes of the model on the grid of the images. The
predictor returns them at the right place of any image of that subject, whatever way its array lies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from spinemri.segment.model import Model, load_model
from spinemri.segment.predictor import ClassMap
from spinemri.synthesis import phantom
from spinemri.synthesis.labels import LabelVolume, paint
from spinemri.synthesis.tissue import class_of_tissue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.segment.level_reader import LevelReader
    from spinemri.segment.outliner import BodyOutliner

CLASSES = 7


@dataclass(frozen=True, eq=False)
class TruePredictor:
    """Stands in for the network: the true class of each voxel, looked up in the patient."""

    classes: NDArray[np.uint8]
    geometry: Geometry
    model: Model
    device: str = "cpu"
    levels: LevelReader | None = None
    outlines: BodyOutliner | None = None
    together: int = 1

    def predict(self, image: Image) -> ClassMap:
        grid = np.indices(image.geometry.shape, dtype=np.float32).reshape(3, -1).T
        index = np.rint(self.geometry.to_index(image.geometry.to_patient(grid))).astype(int)
        inside = ((index >= 0) & (index < self.geometry.shape)).all(axis=1)
        found = np.zeros(len(index), dtype=np.uint8)
        found[inside] = self.classes[tuple(index[inside].T)]
        classes = found.reshape(image.geometry.shape)
        return ClassMap(classes, np.stack([classes == c for c in range(CLASSES)]).astype(np.float16), "truth 1")


@dataclass(frozen=True, eq=False)
class SyntheticStudy:
    """Images, the truth of ``truth.json``, and a predictor that knows every voxel."""

    images: tuple[Image, ...]
    truth: dict[str, Any]
    predictor: TruePredictor


def synthetic_study(seed: int, slices: slice = slice(None)) -> SyntheticStudy:
    """The study that ``spinemri phantom --seed`` makes, with only some of its sagittal slices."""
    painted: list[LabelVolume] = []

    def keep(*arguments: Any) -> LabelVolume:
        painted.append(paint(*arguments))
        return painted[-1]

    with patch.object(phantom, "paint", keep):
        made = phantom.make_phantom(seed)
    grid = made.images[0].geometry
    predictor = TruePredictor(true_classes(painted[0], grid.shape), grid, load_model())
    return SyntheticStudy(tuple(_cropped(image, slices) for image in made.images), made.truth, predictor)


def true_classes(volume: LabelVolume, shape: Sequence[int]) -> NDArray[np.uint8]:
    """The class that fills most of each voxel; images run down and back, the subject up and forward."""
    fine = class_of_tissue()[volume.tissue]
    blocks = [n for size, whole in zip(fine.shape, shape, strict=True) for n in (whole, size // whole)]
    share = [(fine == c).reshape(blocks).sum(axis=(1, 3, 5), dtype=np.uint8) for c in range(CLASSES)]
    return np.argmax(share, axis=0).astype(np.uint8)[:, ::-1, ::-1]


def _cropped(image: Image, slices: slice) -> Image:
    grid = image.geometry
    kept = range(grid.shape[0])[slices]
    origin = tuple(grid.to_patient((kept[0], 0, 0)).tolist())
    smaller = replace(grid, shape=(len(kept), *grid.shape[1:]), origin=origin)
    series = image.series.model_copy(update={"shape": smaller.shape})
    return replace(image, voxels=image.voxels[slices], geometry=smaller, series=series)
