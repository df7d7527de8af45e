"""Outlines of lesions that a person drew: each takes the place of the network's outline of that lesion.

What a lesion may be, its level and its side stay the network's: an outline says where it ends and nothing of its kind.
So an outline over no lesion of the network is refused, for nothing would say what it is. A lesion without an outline in
the person's mask is gone. Known failure: an outline that is moved to the other side keeps its side in words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Structure, StructureKind
from spinemri.correction import BY_PERSON, CorrectedMask, StructureChange
from spinemri.errors import InputError
from spinemri.labels.convert import whole_numbers
from spinemri.language import Phrases
from spinemri.resample import resample_voxels
from spinemri.revise.series import placed
from spinemri.segmentation import Segmentation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.labels.study import LabelFile
    from spinemri.lesion import Lesion
    from spinemri.segment.lesions import MarrowView

    Labels = NDArray[np.unsignedinteger]

phrases = Phrases("revise.lesion_masks")

STEM = "lesions"
"""Beginning of the names of masks of lesions."""


@dataclass(frozen=True, eq=False)
class Outlined:
    """The marrow with a person's outlines, and the record of what differs."""

    marrow: MarrowView | None
    record: tuple[CorrectedMask, ...] = ()


def is_lesions(file: LabelFile) -> bool:
    """Whether a file is a mask of lesions, by the name that spinemri gave it."""
    return file.name.startswith(f"{STEM}_")


def correct_lesions(files: Sequence[LabelFile], images: Sequence[Image], marrow: MarrowView | None) -> Outlined:
    """Marrow with the outlines of every file that is a mask of lesions.

    Raises
    ------
    InputError
        Nobody looked for lesions; the grid is that of no series; an outline lies over no lesion of the network, or two
        lie over one. The message names the file, what was found and what was expected.
    """
    drawn = [file for file in files if is_lesions(file)]
    if not drawn:
        return Outlined(marrow)
    if marrow is None:
        raise InputError(f"corrected {drawn[0].name}: nobody looked for lesions in this analysis")
    record = []
    for file, n in zip(drawn, placed(drawn, images, STEM), strict=True):
        marrow, change = _outlined(marrow, file, images[n])
        record.append(change)
    return Outlined(marrow, tuple(record))


def _outlined(marrow: MarrowView, file: LabelFile, image: Image) -> tuple[MarrowView, CorrectedMask]:
    uid = image.series.series_uid
    mask = next((m for m in marrow.masks if m.series_uid == uid), None)
    empty = Segmentation(np.zeros(image.geometry.shape, dtype=np.uint16), image.geometry, {}, uid, "")
    known = mask or empty
    own = {lesion.label: lesion for lesion in marrow.lesions if lesion.series_uid == uid}
    given = resample_voxels(
        whole_numbers(file.image, phrases.CORRECTED.format(name=file.name)),
        file.image.geometry,
        image.geometry,
        interpolation="nearest",
    )
    voxels = _labelled(given, known.voxels, own, file)
    changes = tuple(_changes(known.voxels, voxels, own))
    both = (known.voxels > 0) & (voxels > 0)
    record = CorrectedMask(
        series_uid=uid,
        series=image.series.label,
        file=file.shown,
        added=int(np.count_nonzero(voxels) - np.count_nonzero(both)),
        removed=int(np.count_nonzero(known.voxels) - np.count_nonzero(both)),
        relabelled=int(np.count_nonzero(both & (known.voxels != voxels))),
        voxel_mm3=float(np.prod(image.geometry.spacing)),
        structures=changes,
    )
    touched = {change.place for change in changes}
    if not touched:
        return marrow, record
    shown = set(np.unique(voxels).tolist())
    lesions = tuple(
        _drawn(lesion, voxels, image) if lesion.id in touched and lesion.series_uid == uid else lesion
        for lesion in marrow.lesions
        if lesion.series_uid != uid or lesion.label in shown
    )
    structures = {value: Structure(StructureKind.LESION, own[value].level) for value in own if value in shown}
    made_by = f"{known.made_by}, {BY_PERSON} ({file.shown})"
    fresh = replace(known, voxels=voxels, structures=structures, made_by=made_by)
    masks = tuple(fresh if m is mask else m for m in marrow.masks)
    return replace(marrow, lesions=lesions, masks=tuple(m for m in masks if m.structures)), record


def _labelled(
    given: NDArray[np.generic], known: Labels, own: Mapping[int, Lesion], file: LabelFile
) -> NDArray[np.uint16]:
    """The person's outlines under the labels of the lesions that they lie over."""
    out = np.zeros(known.shape, dtype=np.uint16)
    taken: dict[int, float] = {}
    for value in (v for v in np.unique(given).tolist() if v):
        inside = given == value
        counts = np.bincount(known[inside].ravel(), minlength=1)
        counts[0] = 0
        label = int(counts.argmax())
        if not counts[label] or label not in own:
            listed = ", ".join(lesion.id for lesion in own.values()) or "none"
            raise InputError(
                f"corrected {file.name}: the outline of value {value:g} ({np.count_nonzero(inside)} voxels) lies over "
                f"no lesion, and does not say what it is of; expected outlines of the lesions of this series: {listed}"
            )
        if label in taken:
            raise InputError(
                f"corrected {file.name}: the outlines of values {taken[label]:g} and {value:g} both lie over "
                f"{own[label].id}; expected one outline of each lesion"
            )
        taken[label] = value
        out[inside] = label
    return out


def _changes(before: Labels, after: Labels, own: Mapping[int, Lesion]) -> Iterator[StructureChange]:
    for label, lesion in own.items():
        one, two = before == label, after == label
        sizes = [int(np.count_nonzero(mask)) for mask in (one, two, one & two)]
        if len(set(sizes)) == 1:
            continue
        yield StructureChange(
            kind=StructureKind.LESION,
            place=lesion.id,
            before=sizes[0],
            after=sizes[1],
            added=sizes[1] - sizes[2],
            removed=sizes[0] - sizes[2],
            dice=2 * sizes[2] / (sizes[0] + sizes[1]),
        )


def _drawn(lesion: Lesion, voxels: Labels, image: Image) -> Lesion:
    """A lesion whose outline a person drew: it is sure, and its centre is that of the outline."""
    points = image.geometry.to_patient(np.argwhere(voxels == lesion.label))
    x, y, z = points.mean(axis=0).tolist()
    return lesion.model_copy(update={"centre": (x, y, z), "confirmed": True})
