"""A synthetic study with axial T2w blocks beside a sagittal series, and networks that make no mistake in either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.dicom.write import StudyHeader, write_series
from spinemri.evaluate.truth import true_grid
from spinemri.networks import Networks
from spinemri.segment.model import load_model
from spinemri.series import Contrast
from spinemri.synthesis.acquisitions import Acquisition
from spinemri.synthesis.phantom import make_phantom
from spinemri.synthesis.tissue import CLASS_OF
from tests.synthetic_study import TruePredictor, true_classes

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"0123456789abcdef"


@dataclass(frozen=True)
class AxialTruth:
    """The true class of every voxel of each axial stack."""

    stacks: tuple[TruePredictor, ...]
    device: str = "cpu"

    @property
    def model(self):
        return load_model("axial_anatomy")

    def predict(self, image):
        def apart(stack):
            return float(np.abs(np.sort(stack.geometry.corners(), 0) - np.sort(image.geometry.corners(), 0)).max())

        return min(self.stacks, key=apart).predict(image)


def classes_of(mask):
    found = np.zeros(mask.voxels.shape, dtype=np.uint8)
    for value, structure in mask.structures.items():
        found[mask.voxels == value] = CLASS_OF[structure.kind]
    return found


def axial_phantom():
    return make_phantom(4, contrasts=(Contrast.T2W,), acquisitions=(Acquisition.SAGITTAL, Acquisition.AXIAL))


def write_study(phantom, root: Path) -> None:
    for image in phantom.images:
        write_series(image, root / image.series.label, StudyHeader("PID4711"))


def networks_of(phantom) -> Networks:
    grid = phantom.images[0].geometry
    sagittal = TruePredictor(true_classes(phantom.volume, grid.shape), grid, load_model())
    masks = [true_grid(painted, label) for label, painted in phantom.grids.items()]
    stacks = tuple(TruePredictor(classes_of(mask), mask.geometry, load_model("axial_anatomy")) for mask in masks)
    return Networks(sagittal, None, AxialTruth(stacks))
