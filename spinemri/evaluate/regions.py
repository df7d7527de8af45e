"""A synthetic test set: random people with fractures and lesions, each region of the spine, contrasts in turn.

The seeds lie far from those of training volumes (3000 and up). Images come from signal equations and a plain scanner
model; what is hard about real images only real images show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.evaluate.overlap import dice
from spinemri.evaluate.real import segment_image
from spinemri.evaluate.truth import true_segmentation
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.series import Contrast, Plane, Series
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.acquire import acquire
from spinemri.synthesis.labels import paint
from spinemri.synthesis.random_subject import field_axes, random_pathology
from spinemri.synthesis.signal import PROTOCOLS, signal_table
from spinemri.synthesis.subject import sample_subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from spinemri.segment.predictor import Predictor
    from spinemri.segmentation import Segmentation
    from spinemri.synthesis.labels import LabelVolume
    from spinemri.synthesis.subject import Subject
    from spinemri.synthesis.texture import Axes

REGIONS = {"cervical": sizes.C3 + 2, "thoracic": sizes.T1 + 6, "lumbar": sizes.L1 + 2}
CONTRASTS = tuple(PROTOCOLS)
FIRST_SEED = 900_000
KINDS = tuple(kind for kind in StructureKind if kind is not StructureKind.LESION)
LAYERS, SLICE_MM, PIXEL_MM = 3, 4.0, 0.9  # an odd number: what fills half of a voxel would be counted as absent
_LEAST_VOXELS = 200  # a structure of which the field of view shows less is not scored


@dataclass(frozen=True)
class RegionScore:
    """One synthetic image: Dice per structure that it shows, 0 to 1, and what became of the bodies shown whole.

    A body is ``found`` when a found one, of whatever name, has a Dice above 0.5 with it, ``named`` when that has its
    name. Without C2 or the sacrum in the field nothing anchors a name.
    """

    region: str
    contrast: str
    seed: int
    dice: dict[str, float]
    bodies: int
    found: int
    named: int
    failure: str = ""


def region_images(
    region: str, number: int, contrasts: Iterable[Contrast] = CONTRASTS
) -> tuple[tuple[Image, ...], Segmentation]:
    """Sagittal images, 4 x 0.9 x 0.9 mm, of one random person in several contrasts, and the truth on their grid.

    Parameters
    ----------
    region : 'cervical', 'thoracic' or 'lumbar'
    number : counts people from 0
    contrasts : of the images
    """
    seed = FIRST_SEED + 10_000 * list(REGIONS).index(region) + number
    rng = np.random.default_rng(seed)
    subject = sample_subject(rng, random_pathology(rng), variation=float(rng.uniform(0.5, 1.5)))
    axes = field_axes(rng, subject, REGIONS[region], (SLICE_MM / LAYERS, PIXEL_MM, PIXEL_MM))
    return painted_stack(subject, axes, rng, seed, contrasts)


def painted_stack(
    subject: Subject, axes: Axes, rng: np.random.Generator, seed: int, contrasts: Iterable[Contrast]
) -> tuple[tuple[Image, ...], Segmentation]:
    """Sagittal images of a person in several contrasts, and the truth on their grid.

    Parameters
    ----------
    axes : coordinates (x, z, a) in mm of the layers and pixels, ``LAYERS`` to a slice
    seed : of how the stack is turned, and of what the scanner adds
    """
    volume = paint(subject, (axes[0][: len(axes[0]) // LAYERS * LAYERS], axes[1], axes[2]), rng)
    geometry = stack_grid(volume, seed)
    images = tuple(_image(volume, contrast, geometry, seed) for contrast in contrasts)
    return images, true_segmentation(volume, geometry, f"2.25.{seed}.1")


def score_region(
    region: str, numbers: Iterable[int], predictor: Predictor, contrasts: Sequence[Contrast] = CONTRASTS
) -> Iterator[RegionScore]:
    """Score the final segmentation of some people, each in one of the contrasts in turn."""
    for number in numbers:
        (image,), truth = region_images(region, number, (contrasts[number % len(contrasts)],))
        yield score_image(region, number, image, truth, predictor)


def score_image(region: str, number: int, image: Image, truth: Segmentation, predictor: Predictor) -> RegionScore:
    """Score one image against the truth on its grid."""
    result = segment_image(image, predictor)
    masks = {kind: truth.mask_of_kind(kind) for kind in KINDS}
    shown = {kind: mask for kind, mask in masks.items() if mask.sum() >= _LEAST_VOXELS}
    names = names_at(truth, result.segmentation)
    return RegionScore(
        region,
        image.series.contrast.value,
        number,
        {kind.value: dice(result.segmentation.mask_of_kind(kind), mask) for kind, mask in shown.items()},
        len(names),
        sum(found is not None for _, found in names),
        sum(found == true for true, found in names),
        result.failure,
    )


def names_at(truth: Segmentation, found: Segmentation) -> tuple[tuple[str, str | None], ...]:
    """Of each true body that the field shows whole, its level and that of the body found at its place."""
    masks = {str(s.level): truth.mask(s) for s in truth.of_kind(StructureKind.VERTEBRAL_BODY)}
    return tuple((level, _name_of(mask, found)) for level, mask in masks.items() if not _cut(mask, truth))


def _name_of(mask: NDArray[np.bool_], found: Segmentation) -> str | None:
    """Level of the found body that overlaps most with a true one; None when there is none with a Dice above 0.5."""
    touching = {found.structures[int(v)] for v in np.unique(found.voxels[mask]) if v}
    bodies = [s for s in touching if s.kind is StructureKind.VERTEBRAL_BODY]
    best = max(((dice(found.mask(s), mask), str(s.level)) for s in bodies), default=(0.0, ""))
    return best[1] if best[0] > 0.5 else None


def _cut(mask: NDArray[np.bool_], truth: Segmentation) -> bool:
    """Whether the upper or lower edge of the field cuts a structure."""
    rows = np.flatnonzero(mask.any(axis=(0, 2)))
    return bool(rows[0] == 0 or rows[-1] == truth.geometry.shape[1] - 1)


def stack_grid(volume: LabelVolume, seed: int) -> Geometry:
    """Slices to the left, rows downwards, columns backwards; turned a little, as patients lie."""
    slices, rows, columns = volume.tissue.shape
    turn = np.radians(np.random.default_rng([seed, 1]).uniform(-5, 5))
    down, back = (0.0, np.sin(turn), -np.cos(turn)), (0.0, np.cos(turn), np.sin(turn))
    direction = np.stack([(1.0, 0.0, 0.0), down, back], axis=1)
    return Geometry(
        (slices // LAYERS, rows, columns),
        (SLICE_MM, PIXEL_MM, PIXEL_MM),
        (-40.0, -120.0, 200.0),
        tuple(direction.ravel().tolist()),
        f"2.25.{seed}.9",
    )


def _image(volume: LabelVolume, contrast: Contrast, geometry: Geometry, seed: int) -> Image:
    rng = np.random.default_rng([seed, CONTRASTS.index(contrast), 2])
    table = signal_table(PROTOCOLS[contrast], rng)
    voxels = acquire(volume, table, rng, sub=(LAYERS, 1), snr=float(rng.uniform(15, 40)))
    return Image(voxels, geometry, synthetic_series(contrast, geometry, seed))


def synthetic_series(contrast: Contrast, geometry: Geometry, seed: int) -> Series:
    """Header facts of one image of a synthetic person."""
    number = CONTRASTS.index(contrast) + 1
    return Series(
        series_uid=f"2.25.{seed}.{number}",
        number=number,
        contrast=contrast,
        plane=Plane.SAGITTAL,
        shape=geometry.shape,
        spacing=geometry.spacing,
        slice_thickness_mm=0.9 * SLICE_MM,
    )
