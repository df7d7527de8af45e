"""The validation cases: real images of people that no model has been trained or tuned on, with what is labelled.

``validation.csv`` fixes them by person. Its paths lie under the folder of public reference data beside the repository,
of which nothing is part of the repository.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level, StructureKind
from spinemri.errors import InputError
from spinemri.evaluate.extent import column_extent, plane_extent
from spinemri.read import read_volume, volume_series
from spinemri.series import Contrast

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.image import Image


@dataclass(frozen=True)
class ValidationCase:
    """One labelled structure of one image.

    Parameters
    ----------
    set, case, person : which data set, which image of it, whose
    contrast : of the image
    structure : kinds that are labelled, joined by '+' ('thecal_sac+cord'); empty when the image has no label
    extent : where labels count: 'column' between the outer ends of the labelled structures, 'planes' of the grid that
        are labelled, 'all'
    lowest : level of the highest label value, when values number bodies from head to foot; else empty
    image, labels, landmarks : paths under the reference data; empty when there is none
    values : label values that make up the structure, separated by spaces; all above 0 when empty
    """

    set: str
    case: str
    person: str
    contrast: str
    structure: str
    extent: str
    lowest: str
    image: str
    labels: str
    values: str
    landmarks: str

    @property
    def kinds(self) -> tuple[StructureKind, ...]:
        """Kinds of structure that are labelled."""
        return tuple(StructureKind(name) for name in self.structure.split("+") if name)


@dataclass(frozen=True, eq=False)
class Truth:
    """What is labelled in an image, on its grid.

    ``labels`` (k, j, i) are the values as stored, 0 where the structure is not; ``mask`` and ``extent`` (k, j, i) bool.
    """

    labels: NDArray[np.integer]
    mask: NDArray[np.bool_]
    extent: NDArray[np.bool_]


def validation_cases() -> tuple[ValidationCase, ...]:
    """All rows of the fixed list."""
    table = resources.files("spinemri.evaluate").joinpath("validation.csv").read_text(encoding="utf-8")
    return tuple(ValidationCase(**row) for row in csv.DictReader(table.splitlines()))


def load_image(case: ValidationCase, root: Path) -> Image:
    """The image of a case, with its contrast as the list states it.

    Raises
    ------
    InputError
        If the file is missing.
    SeriesError
        If it cannot be read.
    """
    path = _existing(root, case.image)
    return read_volume(path, volume_series(path, path.parent, Contrast(case.contrast)))


def load_truth(case: ValidationCase, root: Path, geometry: Geometry) -> Truth:
    """The labels of a case, on its image's grid.

    Raises
    ------
    InputError
        If the file is missing, or its grid is not ``geometry``.
    SeriesError
        If it cannot be read.
    """
    stored = _labels(root, case.labels, geometry)
    wanted = [int(v) for v in case.values.split()] or np.unique(stored[stored > 0])
    labels = np.where(np.isin(stored, wanted), stored, 0)
    extent = np.ones(labels.shape, dtype=bool)
    if case.extent == "column":
        extent = column_extent(labels, geometry)
    elif case.extent == "planes":
        extent = plane_extent(labels > 0, geometry)
    return Truth(labels, labels > 0, extent)


def load_landmarks(case: ValidationCase, root: Path, geometry: Geometry) -> dict[Level, NDArray[np.float64]]:
    """True level -> LPS mm of a case's landmarks; values count from the head as ``Level.rank`` does (2 = C2, 9 = T2).

    Raises
    ------
    InputError
        If the file is missing, or its grid is not ``geometry``.
    """
    stored = _labels(root, case.landmarks, geometry)
    names = {v: Level(f"C{v}" if v <= 7 else f"T{v - 7}") for v in np.unique(stored[stored > 0]).tolist()}
    return {level: geometry.to_patient(np.argwhere(stored == v).mean(axis=0)) for v, level in names.items()}


def _labels(root: Path, name: str, geometry: Geometry) -> NDArray[np.int32]:
    image = read_volume(_existing(root, name))
    if not geometry.same_grid(image.geometry):
        raise InputError(f"{name}: its grid {image.geometry.shape} is not that of its image, {geometry.shape}")
    return np.asarray(image.voxels).astype(np.int32)


def _existing(root: Path, name: str) -> Path:
    path = root / name
    if not path.is_file():
        raise InputError(f"{name} is missing from the reference data")
    return path
