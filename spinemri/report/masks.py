"""Masks as NIfTI on the grid of the series they were made on, and one table of what each voxel value means.

``segmentation.json`` gives kind, level and codes (see ``codes.py``) per voxel value: ``code`` says what a structure is,
``site`` where in the spine it lies. The same value means the same in every file of a result.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

from spinemri.codes import site_code, structure_code
from spinemri.convert import write_nifti
from spinemri.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def write_masks(case: Case, folder: Path) -> None:
    """Write ``segmentation_<series>.nii.gz`` per used series and one ``segmentation.json`` for all of them."""
    files: list[MaskFile] = []
    for name, series, segmentation in _named_masks(case):
        write_nifti(segmentation.voxels, segmentation.geometry, folder / name)
        contrast, made_by = series.contrast.value, segmentation.made_by
        files.append(MaskFile(file=name, series=series.label, contrast=contrast, made_by=made_by))
    labels = {str(value): label_of(structure) for value, structure in sorted(_merged_structures(case).items())}
    text = json.dumps({"background": 0, "files": files, "labels": labels}, indent=2, ensure_ascii=False)
    (folder / "segmentation.json").write_text(text + "\n", encoding="utf-8")


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


def _named_masks(case: Case) -> Iterator[tuple[str, Series, Segmentation]]:
    """File name, series and mask; a second series with the same label gets a running number."""
    seen: dict[str, int] = {}
    for series, segmentation in zip(case.analysis.used_series(), case.segmentations, strict=True):
        seen[series.label] = seen.get(series.label, 0) + 1
        suffix = "" if seen[series.label] == 1 else f"_{seen[series.label]}"
        yield f"segmentation_{series.label}{suffix}.nii.gz", series, segmentation


def _merged_structures(case: Case) -> dict[int, Structure]:
    merged: dict[int, Structure] = {}
    for segmentation in case.segmentations:
        for value, structure in segmentation.structures.items():
            if merged.setdefault(value, structure) != structure:
                meanings = f"{merged[value]} in one series and {structure} in another"
                raise OutputError(f"label {value} is {meanings}; expected one meaning")
    return merged
