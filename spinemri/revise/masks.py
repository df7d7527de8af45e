"""Masks that a person corrected: each takes the place of the program's mask of its series, and the rest stays.

What a person did not touch stays as the program has it, to the bit: structures keep their names, their place in the
count and how sure it is. So a measurement changes only where its own structures did. Level names are the person's where
they differ; the other series then follow, as they follow any word of the user.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spinemri.anatomy import StructureKind
from spinemri.correction import BY_PERSON
from spinemri.errors import InputError
from spinemri.labels.convert import from_labels
from spinemri.labels.place import laid_on
from spinemri.labels.schemes import OWN, SCHEMES
from spinemri.labels.segments import by_segment
from spinemri.language import Phrases
from spinemri.revise.difference import difference, overlap
from spinemri.revise.lesion_masks import is_lesions
from spinemri.revise.series import placed
from spinemri.segment.reconcile import reconcile
from spinemri.spine import LevelAssignment, LevelBasis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.anatomy import Structure
    from spinemri.correction import CorrectedMask
    from spinemri.image import Image
    from spinemri.labels.study import LabelFile
    from spinemri.segmentation import Segmentation

    Names = tuple[LevelAssignment, ...]

phrases = Phrases("revise.masks")

STEM = "segmentation"
"""Beginning of the names of masks of anatomy."""
_BODY = StructureKind.VERTEBRAL_BODY
_SHOWN = 8  # values that a message names


@dataclass(frozen=True, eq=False)
class Corrected:
    """Segmentations and assignments with the person's masks in them, what is to be told, and the record."""

    segmentations: tuple[Segmentation, ...]
    assignments: tuple[Names, ...]
    warnings: tuple[str, ...] = ()
    record: tuple[CorrectedMask, ...] = ()

    @property
    def anatomy(self) -> tuple[tuple[Segmentation, ...], tuple[Names, ...]]:
        """Segmentations and assignments."""
        return self.segmentations, self.assignments


def correct(
    files: Sequence[LabelFile],
    images: Sequence[Image],
    segmentations: Sequence[Segmentation],
    assignments: Sequence[Names],
    beside: Sequence[Image] = (),
) -> Corrected:
    """The anatomy of a study with corrected masks in the place of the program's.

    Parameters
    ----------
    files : masks in spinemri's own scheme, on the grids of their series, axes in any order
    images, segmentations, assignments : parallel, one per sagittal series, as the program sees them
    beside : axial images; masks of theirs are passed over

    Raises
    ------
    InputError
        A mask has the grid of no series, or of several and nothing tells which, holds values that stand for no
        structure, or is no spine; the message names the file, what was found and what was expected.
    """
    masks, names, told, record = list(segmentations), list(assignments), [], []
    drawn = [file for file in files if not is_lesions(file)]
    for file, n in zip(drawn, placed(drawn, (*images, *beside), STEM) if drawn else (), strict=True):
        if n >= len(images):
            continue
        mask, warnings = _read(file, images[n])
        known = masks[n]
        change = difference(known, mask, images[n].series.label, file.shown)
        told += [phrases.SERIES_CORRECTED_MASK.format(label=images[n].series.label, line=line) for line in warnings]
        record.append(change)
        if not change.is_unchanged:
            masks[n], names[n] = (
                _in_place(mask, known, file.shown),
                _names(mask, names[n], by_person=bool(change.renamed)),
            )
    if not any(change.renamed for change in record):
        return Corrected(tuple(masks), tuple(names), tuple(told), tuple(record))
    agreed, named, notes = reconcile(images, masks, names)
    return Corrected(agreed, named, (*told, *notes), tuple(record))


def _read(file: LabelFile, image: Image) -> tuple[Segmentation, tuple[str, ...]]:
    """What the mask shows, on the grid of its series."""
    try:
        drawn = by_segment(file.image, file.segments, file.name) if file.segments else file.image
        found = from_labels(drawn, OWN, name=file.name)
    except InputError as error:
        raise InputError(f"corrected {error}{f'; {file.said}' if file.said else ''}") from error
    if found.unknown:
        raise unknown_values(file.name, found.unknown)
    return laid_on(found.segmentation, image), found.warnings


def unknown_values(name: str, unknown: Mapping[int, int]) -> InputError:
    """The refusal of a file with values (and their numbers of voxels) that stand for no structure."""
    values = [f"{value} ({count} voxels)" for value, count in unknown.items()]
    return InputError(
        f"corrected {name}: values that stand for no structure: {', '.join(values[:_SHOWN])}"
        f"{' …' if len(values) > _SHOWN else ''}; expected those of segmentation.json, "
        f"{min(SCHEMES[OWN].table)} to {max(SCHEMES[OWN].table)}, such as 21 for the body of L1"
    )


def _in_place(mask: Segmentation, known: Segmentation, shown: str) -> Segmentation:
    """The person's mask; structures that are as the program drew them are the program's own."""
    counts = overlap(known, mask)
    structures = {value: known.structures.get(value, structure) for value, structure in mask.structures.items()}
    same = {
        value
        for value in structures
        if counts[value, value] == counts[value].sum() == counts[:, value].sum() and value in known.structures
    }
    cut = {s for s in known.cut if _value(known, s) in same} | {s for s in mask.cut if _value(mask, s) not in same}
    made_by = f"{known.made_by}, {BY_PERSON} ({shown})"
    return replace(mask, structures=structures, cut=frozenset(cut), made_by=made_by, drawing=known.drawing)


def _value(mask: Segmentation, structure: Structure) -> int:
    return next(value for value, one in mask.structures.items() if one == structure)


def _names(mask: Segmentation, before: Names, *, by_person: bool) -> Names:
    """Whose word each level name is: the person's for every body where one has another name, and for new bodies."""
    own = {} if by_person else {name.level: name for name in before}
    levels = [body.level for body in mask.of_kind(_BODY) if body.level is not None]
    return tuple(
        own.get(level, LevelAssignment(level=level, basis=LevelBasis.USER, confidence=1.0)) for level in levels
    )
