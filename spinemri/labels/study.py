"""Masks of a study: each is laid onto the series it belongs to and takes the place of the network's.

Which series that is follows from the masks, never from the order of the files.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import InputError
from spinemri.labels.convert import from_labels
from spinemri.labels.place import laid_on, places_of
from spinemri.labels.schemes import OWN, scheme_named
from spinemri.labels.segments import by_segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from spinemri.image import Image
    from spinemri.labels.convert import ForeignLabels
    from spinemri.labels.numbering import Anchor
    from spinemri.segmentation import Segmentation
    from spinemri.spine import LevelAssignment

    Anatomy = tuple[Segmentation, tuple[LevelAssignment, ...], tuple[str, ...]]

_NEARLY_MM = 60.0


@dataclass(frozen=True, eq=False)
class LabelFile:
    """A mask: its voxels, the file's name for messages to the user, and what stands for it in results.

    ``segments`` are the labels of a DICOM SEG's segments by their number; ``said`` is the same in words, for refusals.
    """

    image: Image
    name: str
    shown: str
    segments: Mapping[int, str] = field(default_factory=dict)
    said: str = ""


@dataclass(frozen=True, eq=False)
class StudyLabels:
    """Number of the image -> segmentation, assignments and remarks; and what goes into the provenance."""

    by_image: Mapping[int, Anatomy]
    record: Mapping[str, str]


def check_files(paths: Sequence[Path], scheme: str | None) -> None:
    """Whether label files and their scheme can be used, as far as that is known before the work begins.

    Raises
    ------
    InputError
        One is given without the other, the scheme is unknown or cannot be used, or a file is not there.
    """
    if bool(paths) != bool(scheme):
        raise InputError("label files and the scheme of their numbers are given together (--labels, --labels-from)")
    if scheme and (refusal := scheme_named(scheme).refusal):
        raise InputError(f"labels, scheme {scheme}: {refusal}")
    if missing := [path.name for path in paths if not path.is_file()]:
        raise InputError(f"labels {', '.join(missing)}: no such file")


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
        A mask cannot be used under the scheme, is implausible, or belongs to no series, or to one of several.
    """
    found: dict[int, Anatomy] = {}
    places = places_of([(file.image, file.name) for file in files], images)
    lowest = {file: _lowest(file.image) for file in files}
    verified = bool(files)
    for file, (n, told) in zip(files, places, strict=True):
        word = anchor if lowest[file] < min(lowest.values()) + _NEARLY_MM else None
        labels = _read(file, scheme, word)
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


def _read(file: LabelFile, scheme: str, anchor: Anchor | None) -> ForeignLabels:
    try:
        image = by_segment(file.image, file.segments, file.name) if scheme == OWN and file.segments else file.image
        return from_labels(image, scheme, name=file.name, anchor=anchor)
    except InputError as error:
        raise InputError(f"{error}; {file.said}" if file.said else str(error)) from error


def _origin(labels: ForeignLabels) -> str:
    checked = "the user's anchor confirms them" if labels.numbering_verified else "they were not verified"
    return f"masks and level names come from a label file, scheme {labels.scheme}; {checked}"


def _lowest(labels: Image) -> float:
    """Lowest patient z (mm) of what is labelled."""
    index = np.argwhere(labels.voxels)
    return float(labels.geometry.to_patient(index)[:, 2].min()) if len(index) else 0.0
