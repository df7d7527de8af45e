"""A pair of one's own on the network's working grid, once for each class that its mask teaches.

A class is taught where, and only where, it is labelled: between the outer ends of levels that follow each other, as in
``real``. A gap in the labels is a gap in what is taught. Values that stand for several classes at once, such as a canal
that holds sac and cord, teach none of them; a whole vertebra is parted into body and posterior elements. Of all other
classes the network keeps what it was sure of before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from spinemri.anatomy import Level, StructureKind
from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.dicom.seg import load_labels
from spinemri.errors import InputError, SpineMRIError
from spinemri.labels.convert import from_labels
from spinemri.labels.place import coincide, laid_on
from spinemri.labels.schemes import OWN, below
from spinemri.labels.segments import by_segment
from spinemri.read import read_volume, volume_series
from spinemri.segment.preprocess import working_map, working_slices
from spinemri.training.loss import UNKNOWN
from spinemri.training.real import LABELLED, LabelledCase, LabelledVolume, labelled_extent
from spinemri.training.teacher import DrawnBodies, seen_classes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Structure
    from spinemri.image import Image
    from spinemri.labels.convert import ForeignLabels
    from spinemri.segment.model import Model
    from spinemri.segment.predictor import Predictor
    from spinemri.segment.preprocess import WorkingMap
    from spinemri.segmentation import Segmentation
    from spinemri.training.pairs import Pair

    Flat = NDArray[np.bool_]

_BODY = StructureKind.VERTEBRAL_BODY
_LEAST_PIXELS = 5000  # of a slice, at the network's pixel size, that show something
_LOWEST = (Level("L5"), Level("L6"))


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What a mask teaches, on the image's grid; ``sacrum`` are voxels of a sacrum that may be S1's body or the rest."""

    segmentation: Segmentation
    kinds: frozenset[StructureKind]
    sacrum: Flat


def own_volumes(pair: Pair, model: Model, earlier: Predictor | None = None) -> list[LabelledVolume]:
    """A pair on the model's working grid, a volume for each class that is taught.

    Parameters
    ----------
    pair : image and mask
    model : whose grid, classes and contrasts
    earlier : what it sees where the mask says nothing is to be kept; None to leave that open

    Raises
    ------
    InputError
        A file cannot be read, the two grids differ, the model does not read the contrast, values have no meaning in the
        scheme, or nothing is labelled; the message names file, what was found and what was expected.
    """
    try:
        image, drawn = _read(pair, model)
        mapping = working_map(image, model)
    except InputError:
        raise
    except SpineMRIError as error:
        raise InputError(f"{pair.name}: {error}") from error
    slices = working_slices(image, mapping)
    if int((slices > 0).sum(dim=(1, 2)).max()) < _LEAST_PIXELS:
        size = " x ".join(map(str, slices.shape[1:]))
        raise InputError(f"{pair.name}: {size} pixels of {model.spacing_mm:g} mm: too small to be learnt from")
    channel = {StructureKind(name): value for value, name in model.classes.items() if value}
    masks = {kind: _shown(drawn.segmentation.mask_of_kind(kind), mapping) for kind in sorted(drawn.kinds)}
    extents = {kind: torch.from_numpy(_extent(kind, drawn, mapping)) for kind in masks}
    seen = torch.full(mapping.shape, UNKNOWN, dtype=torch.int8)
    if earlier is not None:
        seen = seen_classes(image, mapping, earlier, _column(drawn.segmentation), arches=True)
    for kind, extent in extents.items():
        seen[(seen == channel[kind]) & extent] = UNKNOWN  # the mask says it is not
    for kind, mask in masks.items():
        seen[mask] = channel[kind]
    return [
        LabelledVolume(
            LabelledCase(kind.value, pair.label.name, "", kind.value),
            slices,
            extents[kind],
            channel[kind],
            mapping.stride,
            torch.where(mask, LABELLED, seen).to(torch.int8),
        )
        for kind, mask in masks.items()
    ]


def _read(pair: Pair, model: Model) -> tuple[Image, _Drawn]:
    mask = load_labels(pair.label)
    labels = by_segment(mask.image, mask.segments, pair.label.name) if pair.scheme == OWN else mask.image
    image = _image(pair, labels)
    if image.series.contrast not in model.contrasts:
        accepted = ", ".join(sorted(contrast.value for contrast in model.contrasts))
        raise InputError(
            f"{pair.image.name}: contrast {image.series.contrast.value}: {model.name} reads {accepted}; expected it in "
            "the file's name (_T2w) or in the table's column 'contrast'"
        )
    anchor = (pair.anchor.index, pair.anchor.level) if pair.anchor else None
    read = from_labels(labels, pair.scheme, name=pair.label.name, anchor=anchor, partial=True)
    if read.unknown:
        listed = ", ".join(f"{value} ({voxels} voxels)" for value, voxels in read.unknown.items())
        raise InputError(
            f"{pair.label.name}: values {listed} have no meaning in the scheme {pair.scheme}; expected others"
        )
    return image, _drawn(pair, image, labels, read, {StructureKind(n) for v, n in model.classes.items() if v})


def _image(pair: Pair, labels: Image) -> Image:
    """The image of a pair, of a folder the series whose grid is the mask's."""
    if pair.image.is_dir():
        series = [
            s for study in scan(pair.image, contrast=pair.contrast).studies for s in study.series if not s.refusal
        ]
        images = [load(s) for s in series if sorted(s.shape or ()) == sorted(labels.geometry.shape)]
    else:
        images = [read_volume(pair.image, volume_series(pair.image, pair.image.parent, pair.contrast))]
    alike = [image for image in images if coincide(image.geometry, labels.geometry)]
    if len(alike) != 1:
        found = "; ".join(f"{image.series.label}: {_grid(image)}" for image in images) or "no series of that size"
        many = f"{len(alike)} series have it" if alike else f"found {found}"
        raise InputError(f"{pair.label.name}: its grid is {_grid(labels)}: expected that of {pair.image.name}; {many}")
    return alike[0]


def _grid(image: Image) -> str:
    geometry = image.geometry
    size, spacing = " x ".join(map(str, geometry.shape)), " x ".join(f"{v:.2f}" for v in geometry.spacing)
    return f"{size} voxels of {spacing} mm at {', '.join(f'{v:.0f}' for v in geometry.origin)} mm"


def _drawn(pair: Pair, image: Image, labels: Image, read: ForeignLabels, known: set[StructureKind]) -> _Drawn:
    frame = image.geometry.frame_of_reference_uid
    unclear = [value for value, group in read.meanings.items() if _unclear(group)]
    values = read.segmentation.voxels.copy()
    values[np.isin(labels.voxels, unclear)] = 0
    shown = {v: s for v, s in read.segmentation.structures.items() if (values == v).any()}
    trusted = known if pair.labelled is None else known & pair.labelled
    kinds = frozenset(s.kind for s in shown.values()) & trusted
    if not kinds:
        said = "" if pair.labelled is None else f" of {', '.join(sorted(pair.labelled))}"
        where = f"{pair.label.name}, scheme {pair.scheme}"
        raise InputError(f"{where}: no voxel{said} that says of what class it is: expected a labelled structure")
    grid = replace(labels.geometry, frame_of_reference_uid=frame)
    made = laid_on(replace(read.segmentation, voxels=values, structures=shown, geometry=grid), image)
    sacral = [value for value in unclear if read.meanings[value][0].kind is StructureKind.SACRUM]
    opened = np.isin(labels.voxels, sacral).astype(np.uint8)
    marked = laid_on(replace(read.segmentation, voxels=opened, structures={}, geometry=grid), image)
    return _Drawn(made, kinds, marked.voxels > 0)


def _unclear(group: Sequence[Structure]) -> bool:
    """Whether a value stands for several classes that are not parted: all but a whole vertebra."""
    kinds = {s.kind for s in group}
    return len(kinds) > 1 and kinds != {_BODY, StructureKind.POSTERIOR_ELEMENTS}


def _shown(mask: Flat, mapping: WorkingMap) -> torch.Tensor:
    """(slices, rows, columns) bool: the pixels of the working grid of which a mask fills more than half."""
    across, front, up = mapping.to_work
    filled = torch.from_numpy(mask.transpose(mapping.axes).astype(np.float32))
    return torch.einsum("sk,kyz,ay,bz->sab", across, filled, front, up) > 0.5


def _shadow(mask: Flat, mapping: WorkingMap) -> Flat:
    """(rows, columns) where any slice shows a mask."""
    _, front, up = mapping.to_work
    flat = torch.from_numpy(mask.transpose(mapping.axes).any(0).astype(np.float32))
    found: Flat = (front @ flat @ up.T).numpy() > 0.5
    return found


def _extent(kind: StructureKind, drawn: _Drawn, mapping: WorkingMap) -> Flat:
    """(rows, columns) where a class is taught: between the ends of every run of labelled levels."""
    taught = np.zeros(mapping.shape[1:], dtype=bool)
    for run in _runs([s for s in drawn.segmentation.structures.values() if s.kind is kind]):
        shadows = {n: _shadow(drawn.segmentation.mask(s), mapping) for n, s in enumerate(run)}
        if kept := {n: shadow for n, shadow in shadows.items() if shadow.any()}:
            taught |= labelled_extent(kept)
    open_ = _shadow(drawn.sacrum, mapping) & ~_shadow(drawn.segmentation.mask_of_kind(_BODY), mapping)
    return taught & ~open_ if kind in (_BODY, StructureKind.POSTERIOR_ELEMENTS) else taught


def _runs(structures: Sequence[Structure]) -> Iterator[list[Structure]]:
    """Structures by levels that follow each other, head to foot; one without a level stands alone."""
    ordered = sorted((s for s in structures if s.level is not None), key=lambda s: s.level.rank if s.level else 0)
    run = ordered[:1]
    for upper, lower in pairwise(ordered):
        if not _follows(upper.level, lower.level):
            yield run
            run = []
        run.append(lower)
    if run:
        yield run
    yield from ([s] for s in structures if s.level is None)


def _follows(upper: Level | None, lower: Level | None) -> bool:
    """Whether no level can lie between two: T13 and L6 are not missed where they are not there."""
    if upper is None or lower is None:
        return False
    return lower.rank - upper.rank == 1 or (not upper.is_relative and below(upper) == lower)


def _column(segmentation: Segmentation) -> DrawnBodies | None:
    """The labelled bodies where they reach down to the sacrum; then S1 is known to be the body below."""
    bodies = [s for s in segmentation.of_kind(_BODY) if s.level is not None and s.level.region != "S"]
    if not bodies or bodies[-1].level not in _LOWEST:
        return None
    index = np.argwhere(segmentation.mask(bodies[-1]))
    mask = np.any([segmentation.mask(s) for s in bodies], axis=0)
    return DrawnBodies(mask, segmentation.geometry.to_patient(index).mean(axis=0))
