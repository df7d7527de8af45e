"""Studies with outlines of lesions as the lesion network reads them: sequences laid over each other, and the kinds.

The images go the way of every analysis: the anatomy is drawn, levels are named, series are laid over each other
vertebra by vertebra. Outlines are carried from the series that they were drawn on to the one in which lesions are
looked for. Vertebrae of which nobody has said that all their lesions are outlined teach nothing but the outlines in
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.dicom.seg import load_labels
from spinemri.errors import InputError, SpineMRIError
from spinemri.labels.convert import whole_numbers
from spinemri.labels.place import coincide
from spinemri.labels.schemes import OWN
from spinemri.networks import Networks
from spinemri.pipeline import Options, infer, read_study
from spinemri.register import motion_between, to_moving
from spinemri.segment.lesion_input import CHANNEL_OF, CHANNELS, lesion_input
from spinemri.segment.lesions import references
from spinemri.synthesis.marrow_changes import KINDS, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.lesion import MarrowChange
    from spinemri.pipeline import Reading
    from spinemri.segment.lesion_input import LesionInput
    from spinemri.segment.lesion_model import LesionModel
    from spinemri.segment.predictor import Predictor
    from spinemri.spine import VertebraAlignment
    from spinemri.training.own_lesions import OwnStudy

_KEY = b"own lesions"


@dataclass(frozen=True, eq=False)
class OwnScene:
    """What one reference series of a study teaches.

    Parameters
    ----------
    volume : (channels, slices, rows, columns) float32, as the predictor reads it
    kinds : (slices, rows, columns) uint8; 0 is unchanged, then as ``MarrowChange`` counts, UNKNOWN is not taught
    shown : the sequences that it holds
    """

    volume: torch.Tensor
    kinds: NDArray[np.uint8]
    shown: tuple[str, ...]

    def outlined(self) -> tuple[MarrowChange, ...]:
        """The kinds that are outlined in it."""
        return tuple(kind for n, kind in enumerate(KINDS, start=1) if (self.kinds == n).any())


@dataclass(frozen=True, eq=False)
class _Outlines:
    """The number of the kind of every voxel (k, j, i) of a mask, its grid, and the series that it was drawn on."""

    kinds: NDArray[np.uint8]
    geometry: Geometry
    series_uid: str


def own_scenes(study: OwnStudy, model: LesionModel, anatomy: Predictor) -> list[OwnScene]:
    """The scenes of a study, one for each series in which lesions are looked for.

    Raises
    ------
    InputError
        A file cannot be read, the mask has the grid of no series or of several, a value has no kind, or no outline
        lies at a vertebra that the network looks at; the message says what was found and what was expected.
    """
    labels = (study.anatomy,) if study.anatomy else ()
    options = Options(token_key=_KEY, labels=labels, labels_from=OWN if labels else None)
    try:
        loaded = read_study(study.study, options)
        drawn = _outlines(study, loaded.images)  # a mask that does not fit is refused before anything is read
        seen = infer(loaded, Networks(anatomy), options)
    except InputError:
        raise
    except SpineMRIError as error:
        raise InputError(f"{study.name}: {error}") from error
    found = list(_scenes(study, loaded.images, seen, drawn, model))
    taught = sum(int(np.count_nonzero((s.kinds > 0) & (s.kinds != UNKNOWN))) for s in found)
    if not found or (drawn.kinds.any() and not taught):
        raise InputError(
            f"{study.name}: no outline lies at a vertebra that is looked at: expected sagittal T1w, STIR, T2w or "
            f"T2w-FS series with the bones around it; found {', '.join(i.series.contrast.value for i in loaded.images)}"
        )
    return found


def _outlines(study: OwnStudy, images: Sequence[Image]) -> _Outlines:
    if study.lesions is None:
        grid = images[0].geometry
        return _Outlines(np.zeros(grid.shape, dtype=np.uint8), grid, images[0].series.series_uid)
    mask = load_labels(study.lesions).image
    alike = [image for image in images if coincide(image.geometry, mask.geometry)]
    if not alike:
        sizes = "; ".join(f"{i.series.label}: {' x '.join(map(str, i.geometry.shape))}" for i in images)
        found = " x ".join(map(str, mask.geometry.shape))
        raise InputError(f"{study.name}: a grid of {found} voxels: expected that of a series of the study ({sizes})")
    values = whole_numbers(mask, study.name)
    kinds = np.zeros(values.shape, dtype=np.uint8)
    for value in (int(v) for v in np.unique(values) if v):
        kinds[values == value] = 1 + KINDS.index(study.kind_of(value))
    return _Outlines(kinds, mask.geometry, min(alike, key=lambda image: _rank(image, study)).series.series_uid)


def _rank(image: Image, study: OwnStudy) -> tuple[bool, int]:
    """Of series on one grid the one that the mask's name tells, else the first in the order of the network's input."""
    channel = CHANNEL_OF.get(image.series.contrast, CHANNELS[-1])
    name = study.lesions.name if study.lesions else ""
    return not name.startswith(f"lesions_{image.series.label}."), CHANNELS.index(channel)


def _scenes(
    study: OwnStudy, images: Sequence[Image], seen: Reading, drawn: _Outlines, model: LesionModel
) -> Iterator[OwnScene]:
    for number, levels in references(seen.spine, images, seen.segmentations)[0].items():
        others = [image for n, image in enumerate(images) if n != number]
        read = lesion_input(
            (images[number], seen.segmentations[number]), others, seen.alignments, levels, model.spacing_mm
        )
        if read is None:
            continue
        kinds = _carried(read, drawn, seen.alignments, images[number].series.series_uid)
        if study.levels is not None:
            trusted = [n for n, level in enumerate(read.levels) if level in study.levels]
            kinds[(kinds == 0) & ~np.isin(read.zones, trusted)] = UNKNOWN
        yield OwnScene(read.volume, kinds, tuple(read.sources))


def _carried(
    read: LesionInput, drawn: _Outlines, alignments: Sequence[VertebraAlignment], reference: str
) -> NDArray[np.uint8]:
    """Kinds (slices, rows, columns) on the network's grid; UNKNOWN where nobody knows how both series lie."""
    kinds = np.full(read.zones.shape, UNKNOWN, dtype=np.uint8)
    for n, level in enumerate(read.levels):
        motion = motion_between(alignments, level, reference, drawn.series_uid)
        if motion is not None and motion.status == "unpaired":
            continue
        zone = read.zones == n
        points = read.geometry.to_patient(np.argwhere(zone))
        index = drawn.geometry.to_index(points if motion is None else to_moving(motion, points))
        places = np.rint(index).astype(int)
        held = ((places >= 0) & (places < drawn.geometry.shape)).all(axis=1)
        found = np.full(len(places), UNKNOWN, dtype=np.uint8)
        found[held] = drawn.kinds[tuple(places[held].T)]
        kinds[zone] = found
    return kinds
