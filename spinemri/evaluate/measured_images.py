"""Every measurement of random people in the masks that the model draws on their rendered T2w images, against the truth.

The people are those of ``measurements``. A body counts where the model's body of its name lies; where nothing in the
field gives the names, the level of one body is told, as a user would, for wrong names say nothing about a measurement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.errors import LevelError
from spinemri.evaluate.measured_people import random_person, whole_bodies
from spinemri.evaluate.measurements import matched
from spinemri.image import Image
from spinemri.measure import measure
from spinemri.segment.anatomy import name_anatomy
from spinemri.segment.levels import Anchor
from spinemri.series import Contrast, Plane, Series
from spinemri.synthesis.acquire import acquire
from spinemri.synthesis.signal import PROTOCOLS, signal_table

if TYPE_CHECKING:
    from spinemri.anatomy import Level
    from spinemri.evaluate.measured_people import PaintedPerson
    from spinemri.evaluate.measurements import Compared
    from spinemri.segment.predictor import ClassMap, Predictor
    from spinemri.segmentation import Segmentation

LAYERS = 3  # painted per slice; an odd number, see ``regions.LAYERS``
_SNR = 15.0, 40.0


class ImageScore(NamedTuple):
    """Measurements of one image against the truth; bodies shown whole, and those found under their name.

    ``told`` says whether the level of one body had to be told.
    """

    compared: tuple[Compared, ...]
    bodies: int
    right: int
    told: bool


def score_image(seed: int, predictor: Predictor) -> ImageScore:
    """Render, segment and measure one random person."""
    person = random_person(seed, LAYERS)
    image = rendered(person, seed)
    return score_found(person, image, predictor.predict(image))


def rendered(person: PaintedPerson, seed: int) -> Image:
    """A T2w image of a person, on the grid of the slices."""
    rng = np.random.default_rng([seed, 8])
    table = signal_table(PROTOCOLS[Contrast.T2W], rng)
    layers = len(person.volume.axes[0]) // person.grid.shape[0]
    voxels = acquire(person.volume, table, rng, sub=(layers, 1), snr=float(rng.uniform(*_SNR)))
    series = Series(
        series_uid=f"2.25.{seed}",
        contrast=Contrast.T2W,
        plane=Plane.SAGITTAL,
        shape=person.grid.shape,
        spacing=person.grid.spacing,
        slice_thickness_mm=0.9 * person.grid.spacing[0],
    )
    return Image(voxels, person.grid, series)


def score_found(person: PaintedPerson, image: Image, classes: ClassMap) -> ImageScore:
    """Name and measure what the network saw, and compare it with the truth."""
    truth = whole_bodies(person.segmentation(image.series.series_uid))
    places = {v.level: person.grid.to_index(v.centre) for v in truth.vertebrae}
    found = name_anatomy(classes, image)[0]
    right, told = _right(found, places), False
    anchor = None if 2 * len(right) > len(places) else _anchor(found, places)
    if anchor is not None:
        try:
            found, told = name_anatomy(classes, image, anchor=anchor)[0], True
        except LevelError:
            return ImageScore((), len(places), 0, told)
        right = _right(found, places)
    spine = whole_bodies(found)
    spine = spine.model_copy(update={"vertebrae": tuple(v for v in spine.vertebrae if v.level in right)})
    values = matched(measure(spine, [image], [found]), person.truth(spine.levels))
    return ImageScore(tuple(values), len(places), len(right), told)


def _at(found: Segmentation, place: np.ndarray) -> Level | None:
    """Level of the body found at a voxel index."""
    structure = found.structures.get(int(found.voxels[tuple(np.rint(place).astype(int))]))
    return structure.level if structure and structure.kind is StructureKind.VERTEBRAL_BODY else None


def _right(found: Segmentation, places: dict[Level, np.ndarray]) -> set[Level]:
    """Levels whose body was found at its place."""
    return {level for level, place in places.items() if _at(found, place) == level}


def _anchor(found: Segmentation, places: dict[Level, np.ndarray]) -> Anchor | None:
    """What a user would say of the lowest body that was found, of whatever name; None when none was."""
    names = [s.level for s in found.of_kind(StructureKind.VERTEBRAL_BODY)]
    met = [(level, name) for level, place in places.items() if (name := _at(found, place)) is not None]
    return Anchor(len(names) - names.index(met[-1][1]), met[-1][0]) if met else None
