"""Pictures of the worst cases, for the eye: the slice with most errors, as found and as a reader drew it.

They show real people, so they are never written into a repository.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import OutputError
from spinemri.evaluate.cases import load_image, load_truth
from spinemri.evaluate.real import segment_image
from spinemri.image import Image
from spinemri.plot import save_picture
from spinemri.segmentation import Segmentation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from spinemri.evaluate.cases import Truth, ValidationCase
    from spinemri.evaluate.real import CaseScore
    from spinemri.segment.predictor import Predictor

_Volume = TypeVar("_Volume", Image, Segmentation)


def worst_cases(scores: Sequence[CaseScore], count: int) -> list[ValidationCase]:
    """The cases with the lowest Dice of the final segmentation, worst first; each image once."""
    worst: dict[str, ValidationCase] = {}
    for score in sorted(scores, key=lambda score: score.dice):
        worst.setdefault(score.case.image, score.case)
    return list(worst.values())[:count]


def draw_cases(cases: Sequence[ValidationCase], root: Path, predictor: Predictor, folder: Path) -> list[Path]:
    """Write one picture of what was found, and one of the labels where there are any, per case; returns the files.

    Parameters
    ----------
    cases : from ``worst_cases``, or unlabelled ones, of which the middle slice is shown
    root : folder of the reference data
    folder : made when absent; outside any repository

    Raises
    ------
    OutputError
        If the folder lies in a repository or cannot be written.
    """
    if any((parent / ".git").exists() for parent in (folder.resolve(), *folder.resolve().parents)):
        raise OutputError(f"{folder.name}: lies in a repository; pictures of real people stay outside")
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for case in cases:
            for name, image, shown in _pictures(case, root, predictor):
                written.append(folder / f"{case.set}_{case.case}_{name}.png")
                save_picture(written[-1], image, shown)
    except OSError as error:
        raise OutputError(f"{folder.name}: cannot be written ({error.strerror})") from error
    return written


def _pictures(case: ValidationCase, root: Path, predictor: Predictor) -> Iterator[tuple[str, Image, Segmentation]]:
    """What was found, and the labels where there are any, each with a name and the image to lay it over."""
    image = load_image(case, root)
    found = segment_image(image, predictor).segmentation
    if not case.structure:
        yield "found", image, found
        return
    truth = load_truth(case, root, image.geometry)
    number = _worst_slice(found, truth, case)
    yield "found", _slice(image, number), _slice(found, number)
    yield "labels", _slice(image, number), _slice(_as_segmentation(truth, image, case), number)


def _worst_slice(found: Segmentation, truth: Truth, case: ValidationCase) -> int:
    """Sagittal slice with most wrong voxels within the labelled extent."""
    wrong = (found.mask_of_kind(*case.kinds) != truth.mask) & truth.extent
    across = found.geometry.axis_along(0)
    return int(np.argmax(wrong.sum(axis=tuple(a for a in range(3) if a != across))))


def _as_segmentation(truth: Truth, image: Image, case: ValidationCase) -> Segmentation:
    """Labels as a segmentation; bodies under relative levels from the top."""
    kind = case.kinds[0]
    values = [int(v) for v in np.unique(truth.labels) if v]
    if case.lowest:
        structures = {v: Structure(kind, Level(f"V{n}")) for n, v in enumerate(values, start=1)}
    else:
        structures = {v: Structure(StructureKind.LESION) for v in values}
    labels = truth.labels.astype(np.uint8)
    return Segmentation(labels, image.geometry, structures, image.series.series_uid, "manual")


def _slice(volume: _Volume, number: int) -> _Volume:
    """One sagittal slice of an image or a segmentation, at its place in the patient."""
    grid = volume.geometry
    across = grid.axis_along(0)
    origin = grid.to_patient([number if a == across else 0 for a in range(3)])
    i, j, k = (1 if a == across else n for a, n in enumerate(grid.shape))
    x, y, z = origin.tolist()
    return replace(
        volume,
        voxels=np.take(volume.voxels, [number], axis=across),
        geometry=replace(grid, shape=(i, j, k), origin=(x, y, z)),
    )
