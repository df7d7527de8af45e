"""Masks as NIfTI on the grid of the series they were made on, and one table of what each voxel value means.

``segmentation.json`` gives kind, level and codes (see ``codes.py``) per voxel value: ``code`` says what a structure is,
``site`` where in the spine it lies. The same value means the same in every file of a result. ``lesions.json`` says the
same of the lesions' outlines, and is there whenever somebody looked for lesions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from spinemri.codes import site_code, structure_code
from spinemri.convert import write_nifti
from spinemri.errors import OutputError
from spinemri.report.marrow import was_assessed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from spinemri.anatomy import Structure
    from spinemri.case import Case
    from spinemri.codes import Code
    from spinemri.segmentation import Segmentation
    from spinemri.series import Series


class CodeEntry(TypedDict):
    """A coded concept."""

    scheme: str
    value: str
    meaning: str


class Label(TypedDict):
    """What one voxel value means."""

    kind: str
    level: str | None
    name: str
    code: CodeEntry
    site: CodeEntry | None


class MaskFile(TypedDict):
    """One NIfTI file: its series and what made the mask."""

    file: str
    series: str
    contrast: str
    made_by: str


class LesionEntry(TypedDict):
    """One lesion: its voxel value in its file (None when it has no outline), and its kinds with their shares."""

    id: str
    label: int
    file: str | None
    levels: list[str]
    kinds: dict[str, float]
    probability: float


def write_masks(case: Case, folder: Path) -> None:
    """Write ``segmentation_<series>.nii.gz`` per used series and one ``segmentation.json`` for all of them.

    And ``lesions_<series>.nii.gz`` per mask of lesions with one ``lesions.json``, unless nobody looked for lesions.

    Raises
    ------
    OutputError
        One label has two meanings, or a mask of lesions belongs to no series of the analysis.
    """
    _write_anatomy(case, folder)
    if was_assessed(case.analysis):
        _write_lesions(case, folder)


def _write_anatomy(case: Case, folder: Path) -> None:
    files: list[MaskFile] = []
    for name, series, segmentation in named_masks(case):
        write_nifti(segmentation.voxels, segmentation.geometry, folder / name)
        contrast, made_by = series.contrast.value, segmentation.made_by
        files.append(MaskFile(file=name, series=series.label, contrast=contrast, made_by=made_by))
    labels = {str(value): label_of(structure) for value, structure in sorted(merged_structures(case).items())}
    save_json(folder / "segmentation.json", {"background": 0, "files": files, "labels": labels})


def _write_lesions(case: Case, folder: Path) -> None:
    files: list[MaskFile] = []
    file_of: dict[tuple[str, int], str] = {}
    for name, series, mask in named_lesion_masks(case):
        write_nifti(mask.voxels, mask.geometry, folder / name)
        contrast = series.contrast.value
        files.append(MaskFile(file=name, series=series.label, contrast=contrast, made_by=mask.made_by))
        file_of |= {(mask.series_uid, value): name for value in np.unique(mask.voxels).tolist() if value}
    lesions = [
        LesionEntry(
            id=lesion.id,
            label=lesion.label,
            file=file_of.get((lesion.series_uid, lesion.label)),
            levels=[str(level) for level in lesion.levels],
            kinds={kind.value: share for kind, share in lesion.shares.items()},
            probability=lesion.probability,
        )
        for lesion in case.analysis.lesions
    ]
    save_json(folder / "lesions.json", {"background": 0, "files": files, "lesions": lesions})


def save_json(path: Path, document: object) -> None:
    """Write a JSON document for people and programs to read."""
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def label_of(structure: Structure) -> Label:
    """Kind, level, name and codes of one structure."""
    site = site_code(structure)
    return Label(
        kind=structure.kind.value,
        level=structure.place or None,
        name=str(structure),
        code=_entry(structure_code(structure)),
        site=_entry(site) if site else None,
    )


def _entry(code: Code) -> CodeEntry:
    return CodeEntry(scheme=code.scheme, value=code.value, meaning=code.meaning)


def named_masks(case: Case) -> Iterator[tuple[str, Series, Segmentation]]:
    """File name, series and mask of the anatomy of every used series."""
    pairs = list(zip(case.analysis.used_series(), case.segmentations, strict=True))
    names = file_names("segmentation", [series for series, _ in pairs])
    yield from ((name, *pair) for name, pair in zip(names, pairs, strict=True))


def named_lesion_masks(case: Case) -> Iterator[tuple[str, Series, Segmentation]]:
    """File name, series and mask of the lesions, in the order of the masks."""
    by_uid = {series.series_uid: series for series in case.analysis.used_series()}
    if any(mask.series_uid not in by_uid for mask in case.lesion_masks):
        raise OutputError("a mask of lesions belongs to no used series; expected the series_uid of one")
    pairs = [(by_uid[mask.series_uid], mask) for mask in case.lesion_masks]
    names = file_names("lesions", [series for series, _ in pairs])
    yield from ((name, *pair) for name, pair in zip(names, pairs, strict=True))


def file_names(first: str, series: Sequence[Series], suffix: str = ".nii.gz") -> Iterator[str]:
    """'segmentation_3.nii.gz'; a second series with the same label gets a running number."""
    seen: dict[str, int] = {}
    for one in series:
        seen[one.label] = seen.get(one.label, 0) + 1
        number = "" if seen[one.label] == 1 else f"_{seen[one.label]}"
        yield f"{first}_{one.label}{number}{suffix}"


def merged_structures(case: Case) -> dict[int, Structure]:
    """What each value means in all masks; a disc whose lower vertebra only some series show is that disc in all."""
    merged: dict[int, Structure] = {}
    for segmentation in case.segmentations:
        for value, structure in segmentation.structures.items():
            known = merged.setdefault(value, structure)
            if known == structure:
                continue
            same = (known.kind, known.level) == (structure.kind, structure.level)
            if not same or None not in (known.lower, structure.lower):
                meanings = f"{known} in one series and {structure} in another"
                raise OutputError(f"label {value} is {meanings}; expected one meaning")
            merged[value] = structure if known.lower is None else known
    return merged
