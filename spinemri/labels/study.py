"""Masks of a study: each is laid onto the series it belongs to and takes the place of the network's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import InputError
from spinemri.labels.convert import from_labels
from spinemri.labels.place import laid_on, series_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.image import Image
    from spinemri.labels.convert import ForeignLabels
    from spinemri.labels.numbering import Anchor
    from spinemri.segmentation import Segmentation
    from spinemri.spine import LevelAssignment

    Anatomy = tuple[Segmentation, tuple[LevelAssignment, ...], tuple[str, ...]]

_NEARLY_MM = 60.0


@dataclass(frozen=True, eq=False)
class LabelFile:
    """A mask: its voxels, the file's name for messages to the user, and what stands for it in results."""

    image: Image
    name: str
    shown: str


@dataclass(frozen=True, eq=False)
class StudyLabels:
    """Number of the image -> segmentation, assignments and remarks; and what goes into the provenance."""

    by_image: Mapping[int, Anatomy]
    record: Mapping[str, str]


def label_study(
    files: Sequence[LabelFile], images: Sequence[Image], scheme: str, anchor: Anchor | None = None
) -> StudyLabels:
    """Masks of several files, each on the grid of its series.

    Parameters
    ----------
    anchor : (n, level), the n-th vertebra from the bottom is that level, in the masks that reach lowest

    Raises
    ------
    InputError
        A mask cannot be used under the scheme, is implausible, or belongs to no series.
    """
    found: dict[int, Anatomy] = {}
    lowest = {file: _lowest(file.image) for file in files}
    verified = bool(files)
    for file in files:
        word = anchor if lowest[file] < min(lowest.values()) + _NEARLY_MM else None
        labels = from_labels(file.image, scheme, name=file.name, anchor=word)
        try:
            n, told = series_of(file.image, images, contrast=file.image.series.contrast, taken=found)
        except InputError as error:
            raise InputError(f"labels {file.name}: {error}") from error
        segmentation = laid_on(replace(labels.segmentation, made_by=f"{scheme} ({file.shown})"), images[n])
        shown = {structure.level for structure in segmentation.structures.values()}
        names = tuple(a for a in labels.assignments if a.level in shown)
        found[n] = (segmentation, names, (_origin(labels), *told, *labels.warnings))
        verified &= labels.numbering_verified
    record = {
        "labels": ", ".join(file.shown for file in files),
        "labels_from": scheme,
        "numbering_verified": "yes" if verified else "no",
    }
    return StudyLabels(found, record if files else {})


def _origin(labels: ForeignLabels) -> str:
    checked = "the user's anchor confirms them" if labels.numbering_verified else "they were not verified"
    return f"masks and level names come from a label file, scheme {labels.scheme}; {checked}"


def _lowest(labels: Image) -> float:
    """Lowest patient z (mm) of what is labelled."""
    index = np.argwhere(labels.voxels)
    return float(labels.geometry.to_patient(index)[:, 2].min()) if len(index) else 0.0
