"""Whether vertebrae keep their names where the field of view ends near the sacrum, as in a thoracolumbar station.

A field that ends in L5 shows the sacrum beside and behind it, and L5 then looks like S1: every name would be off by
one. Real images with numbered bodies are cut below L5; a relative name (V1, V2 …) is no error, a wrong one is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level
from spinemri.evaluate.cases import load_image, load_truth, validation_cases
from spinemri.evaluate.instances import BodyCount, count_bodies, levels_upward
from spinemri.evaluate.real import segment_image
from spinemri.evaluate.tables import markdown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from spinemri.evaluate.cases import ValidationCase
    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.segment.predictor import Predictor

BELOW_MM = (6.0, 10.0, 14.0, 18.0, 22.0, 27.0, 33.0, 40.0)
"""From the middle of the lowest labelled body to where the field ends."""

_LOWEST = "L5"
_LEAST_CUT = 4  # voxels; an image that ends there anyway is not cut

TITLE = "Names where the field of view ends near the sacrum"


@dataclass(frozen=True)
class CutField:
    """What the bodies of one image that ends ``below_mm`` under the middle of L5 were named."""

    name: str
    below_mm: float
    bodies: BodyCount


def cases_to_cut() -> tuple[ValidationCase, ...]:
    """Those whose bodies are numbered down to L5."""
    return tuple(case for case in validation_cases() if case.lowest == _LOWEST)


def score_cut_fields(case: ValidationCase, root: Path, predictor: Predictor) -> Iterator[CutField]:
    """Cut the image of a case at every distance and name its bodies.

    Raises
    ------
    SpineMRIError
        If a file is missing or cannot be read.
    """
    image = load_image(case, root)
    labels = load_truth(case, root, image.geometry).labels
    levels = levels_upward(Level(case.lowest), np.unique(labels))
    middle = image.geometry.to_patient(np.argwhere(labels == max(levels)).mean(axis=0))
    for below in BELOW_MM:
        kept = kept_above(image.geometry, float(middle[2]) - below)
        if kept is None:
            continue
        found = segment_image(part_of(image, kept), predictor).segmentation
        inside = np.ones(found.geometry.shape, dtype=bool)
        yield CutField(f"{case.set} {case.case}", below, count_bodies(found, labels[kept], inside, levels))


def kept_above(grid: Geometry, height_mm: float) -> tuple[slice, slice, slice] | None:
    """Slices of an array (k, j, i) above a height (LPS, mm) in its middle; None where that cuts nothing off."""
    axis = grid.axis_along(2)
    places = np.repeat((np.asarray(grid.shape) - 1)[None] / 2, grid.shape[axis], axis=0)
    places[:, axis] = np.arange(grid.shape[axis])
    above = np.flatnonzero(grid.to_patient(places)[:, 2] > height_mm)
    if len(above) < 2 or grid.shape[axis] - len(above) < _LEAST_CUT:
        return None
    k, j, i = (slice(int(above[0]), int(above[-1]) + 1) if a == axis else slice(None) for a in range(3))
    return k, j, i


def part_of(image: Image, kept: tuple[slice, slice, slice]) -> Image:
    """The same image with a smaller field of view."""
    return replace(image, voxels=np.ascontiguousarray(image.voxels[kept]), geometry=image.geometry.part(kept))


def cut_fields_section(scores: Sequence[CutField]) -> list[str]:
    """Lines of Markdown, a row per distance."""
    rows = []
    for below in BELOW_MM:
        here = [score.bodies for score in scores if score.below_mm == below]
        wrong = sum(bodies.misnamed > 0 for bodies in here)
        untold = sum(not bodies.misnamed and (bodies.unnamed > 0 or not bodies.once) for bodies in here)
        if here:
            rows.append((f"{below:g}", len(here), len(here) - wrong - untold, untold, wrong))
    heads = ("mm below the middle of L5", "images", "named right", "relative names or none", "with a wrong name")
    people = len({score.name for score in scores})
    wrong_ones = sorted({score.name for score in scores if score.bodies.misnamed})
    told = f"{people} people of `vb2` and `vb3` whose bodies are numbered down to L5, each image cut below it."
    worst = f"Wrong names: {', '.join(wrong_ones)}." if wrong_ones else "No name was wrong."
    return [f"### {TITLE}", "", told, worst, "", markdown(heads, rows), ""]
