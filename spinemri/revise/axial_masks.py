"""Masks of axial slices that a person corrected: each takes the place of the program's mask of its slices.

A few axial slices are no spine, so nothing is asked of a mask but its grid and its values. Which level a bone is comes
from the sagittal series, here as in the program's own masks: another name than theirs is refused, and is given there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.correction import BY_PERSON
from spinemri.errors import InputError
from spinemri.labels.convert import whole_numbers
from spinemri.labels.place import laid_on
from spinemri.labels.schemes import OWN, SCHEMES
from spinemri.labels.segments import by_segment
from spinemri.revise.difference import difference
from spinemri.revise.lesion_masks import is_lesions
from spinemri.revise.masks import STEM, unknown_values
from spinemri.revise.series import placed
from spinemri.segmentation import Segmentation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.anatomy import Structure
    from spinemri.correction import CorrectedMask
    from spinemri.image import Image
    from spinemri.labels.study import LabelFile

_TABLE = SCHEMES[OWN].table


@dataclass(frozen=True, eq=False)
class CorrectedAxial:
    """Masks of axial images with the person's in them, and the record of what differs."""

    masks: tuple[Segmentation, ...]
    record: tuple[CorrectedMask, ...] = ()


def correct_axial(
    files: Sequence[LabelFile], images: Sequence[Image], axial: Sequence[Image], masks: Sequence[Segmentation]
) -> CorrectedAxial:
    """Masks of the axial images of a study with corrected ones in the place of the program's.

    Parameters
    ----------
    files : masks in spinemri's own scheme; those of sagittal series and of lesions are passed over
    images : the sagittal images, one of which a file may belong to instead
    axial, masks : the axial images, and what the program sees in them; no masks where nobody read them

    Raises
    ------
    InputError
        Nobody read axial slices, a mask holds values that stand for no structure, or names a bone otherwise than the
        sagittal series do; the message names the file, what was found and what was expected.
    """
    drawn = [file for file in files if not is_lesions(file)]
    places = placed(drawn, (*images, *axial), STEM) if drawn else ()
    changed, record = list(masks), []
    for file, n in ((file, place - len(images)) for file, place in zip(drawn, places, strict=True)):
        if n < 0:
            continue
        if not masks:
            raise InputError(f"corrected {file.name}: a mask of axial slices, which no network reads in this analysis")
        known = masks[n]
        mask = _read(file, axial[n], _meanings(known))
        change = difference(known, mask, axial[n].series.label, file.shown)
        if change.renamed:
            was, now = change.renamed[0]
            raise InputError(
                f"corrected {file.name}: the body of {was} bears the value of {now}; expected the names of the "
                "sagittal series, from which axial slices take theirs: correct them there, or in review.json"
            )
        record.append(change)
        if not change.is_unchanged:
            made_by = f"{known.made_by}, {BY_PERSON} ({file.shown})"
            changed[n] = replace(mask, made_by=made_by, cut=known.cut, drawing=known.drawing)
    return CorrectedAxial(tuple(changed), tuple(record))


def _meanings(known: Segmentation) -> dict[int, Structure]:
    """Every value of the scheme; a disc has the neighbours that it has in the program's mask."""
    return {**{value: group[0] for value, group in _TABLE.items() if group}, **known.structures}


def _read(file: LabelFile, image: Image, meanings: Mapping[int, Structure]) -> Segmentation:
    """What the mask shows, on the grid of its slices."""
    try:
        drawn = by_segment(file.image, file.segments, file.name) if file.segments else file.image
    except InputError as error:
        raise InputError(f"corrected {error}{f'; {file.said}' if file.said else ''}") from error
    voxels = whole_numbers(drawn, f"corrected {file.name}")
    values, counts = np.unique(voxels, return_counts=True)
    found = {int(value): int(count) for value, count in zip(values, counts, strict=True) if value}
    if unknown := {value: count for value, count in found.items() if value not in meanings}:
        raise unknown_values(file.name, unknown)
    structures = {value: meanings[value] for value in found}
    return laid_on(Segmentation(voxels.astype(np.uint8), drawn.geometry, structures, "", ""), image)
