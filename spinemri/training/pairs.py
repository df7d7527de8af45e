"""A training set of one's own: pairs of an image and a mask, from a table or a BIDS data set.

A table (CSV, or TSV with tabs) has a row for each pair: ``image``, a volume file or a folder with the DICOM files of a
study, and ``label``, the mask, both relative to the table; and if need be ``contrast`` of the image, ``scheme`` of the
mask's numbers, ``anchor`` where that scheme only counts, and ``labelled``, the structures that can be trusted, divided
by ``;``. In a BIDS data set every ``*_dseg`` below it is a mask, of the image of the same subject and session whose
contrast and grid it shares; what can be trusted may stand in its sidecar (``"Labelled": ["vertebral_body"]``). Without
such a word everything that is drawn is trusted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.anatomy import StructureKind
from spinemri.errors import InputError, SpineMRIError
from spinemri.labels.place import coincide
from spinemri.labels.schemes import OWN, scheme_named
from spinemri.read import file_geometry, is_label_file, named_contrast, suffix_of
from spinemri.segment.levels import Anchor
from spinemri.series import Contrast, contrast_named
from spinemri.training.table import TABLES, check_paths, is_table, table_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

COLUMNS = ("image", "label", "contrast", "scheme", "anchor", "labelled")
_NEEDED = COLUMNS[:2]
_RESULT = "segmentation.json"  # see report/masks.py
_RAW = ("sub-*/anat/*", "sub-*/ses-*/anat/*")
_ACQUIRED = re.compile(r"acq-(?:sagittal|coronal|axial)([A-Za-z0-9]+)_")  # as report/bids_names.py writes it
_TRUSTED = tuple(kind for kind in StructureKind if kind is not StructureKind.LESION)


@dataclass(frozen=True)
class Pair:
    """An image and its mask.

    Parameters
    ----------
    image : a volume file, or a folder with the DICOM files of a study
    label : the mask
    scheme : what its numbers mean
    contrast : of the image; None where its name or its headers tell
    anchor : the user's word on one vertebra, where the scheme only counts
    labelled : structures that can be trusted; None for all that are drawn
    """

    image: Path
    label: Path
    scheme: str = OWN
    contrast: Contrast | None = None
    anchor: Anchor | None = None
    labelled: frozenset[StructureKind] | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.label.name} of {self.image.name}"


def find_pairs(data: Path, scheme: str = OWN) -> tuple[Pair, ...]:
    """Every pair of a table or a BIDS data set.

    Parameters
    ----------
    scheme : of masks of which the table does not say it

    Raises
    ------
    InputError
        There is no such table or data set, it has no pair, or one of it cannot be used; file and row are named.
    """
    table = scheme_named(scheme)
    if table.refusal:
        raise InputError(f"{data.name}, scheme {scheme}: {table.refusal}")
    if is_table(data):
        return _listed(data, scheme)
    if not data.is_dir():
        raise InputError(f"{data.name}: no such folder or table; expected a BIDS data set or {' or '.join(TABLES)}")
    pairs = tuple(_bids_pair(mask, data, scheme) for mask in _masks(data))
    if not pairs and (data / _RESULT).is_file():
        raise InputError(
            f"{data.name}: a result of spinemri analyze holds masks and no images: expected a table (.csv) with the "
            f"columns {', '.join(_NEEDED)}, such as STUDY,{data.name}/segmentation_1.nii.gz"
        )
    if not pairs:
        raise InputError(
            f"{data.name}: no mask in it: expected a BIDS data set with files sub-*_dseg.nii.gz below it, or a table "
            f"(.csv) with the columns {', '.join(_NEEDED)}"
        )
    return pairs


def _listed(table: Path, scheme: str) -> tuple[Pair, ...]:
    rows = table_rows(table, COLUMNS, _NEEDED, f"{', '.join(COLUMNS)}, and a row for each pair")
    return tuple(_row(where, cells, table.parent, scheme) for where, cells in rows)


def _row(where: str, cells: dict[str, str], home: Path, scheme: str) -> Pair:
    check_paths(where, cells, home, _NEEDED)
    image, label = (home / cells[column] for column in _NEEDED)
    try:
        stated = cells.get("scheme") or scheme
        if refusal := scheme_named(stated).refusal:
            raise InputError(f"scheme {stated}: {refusal}")
        contrast = contrast_named(cells.get("contrast") or None)
        anchor = Anchor.parse(cells["anchor"]) if cells.get("anchor") else None
        words = re.split(r"[; ]+", cells["labelled"]) if cells.get("labelled") else _sidecar(label)
        return Pair(image, label, stated, contrast, anchor, _trusted(words))
    except SpineMRIError as error:
        raise InputError(f"{where}: {error}") from error


def _trusted(words: Iterable[str] | None) -> frozenset[StructureKind] | None:
    """Kinds of structure by name."""
    if words is None:
        return None
    by_name = {kind.value: kind for kind in _TRUSTED}
    if strange := [word for word in words if word not in by_name]:
        raise InputError(f"labelled {', '.join(strange)}: expected some of {', '.join(by_name)}")
    return frozenset(by_name[word] for word in words)


def _sidecar(label: Path) -> Sequence[str] | None:
    """What the JSON file beside a mask says under 'Labelled'; None when there is no such word."""
    said = _sidecar_content(label).get("Labelled")
    if said is not None and not (isinstance(said, list) and all(isinstance(word, str) for word in said)):
        raise InputError(f"{label.name}: 'Labelled' of its sidecar: expected a list of structures")
    return said


def _sidecar_content(label: Path) -> dict[str, object]:
    path = label.with_name(label.name.removesuffix(suffix_of(label)) + ".json")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read as JSON") from error
    return content if isinstance(content, dict) else {}


def _masks(root: Path) -> list[Path]:
    """Segmentations of anatomy; those of lesions have values that mean nothing here."""
    found = (path for path in root.rglob("sub-*_dseg.*") if suffix_of(path))
    return sorted(path for path in found if "_desc-lesions_" not in path.name)


def _bids_pair(mask: Path, root: Path, scheme: str) -> Pair:
    try:
        said = _sidecar_content(mask)
        labelled = _trusted(_sidecar(mask))
        return Pair(_image_of(mask, root, said), mask, scheme, labelled=labelled)
    except SpineMRIError as error:
        raise InputError(f"{mask.relative_to(root).as_posix()}: {error}") from error


def _image_of(mask: Path, root: Path, said: Mapping[str, object]) -> Path:
    """The image that a mask was drawn on: named as its source, or alone in sharing subject, session, contrast, grid."""
    images = sorted(p for pattern in _RAW for p in root.glob(pattern) if suffix_of(p) and not is_label_file(p))
    mine = [p for p in images if _entities(p, "sub", "ses") == _entities(mask, "sub", "ses")]
    sources = " ".join(str(said.get(key, "")) for key in ("Sources", "RawSources"))
    if named := [p for p in mine if p.name in re.split(r"[^A-Za-z0-9_.-]+", sources)]:
        mine = named
    contrast = _contrast_of(mask, said)
    stated = [p for p in mine if contrast is Contrast.OTHER or named_contrast(p) is contrast]
    runs = [p for p in stated if _entities(p, "run") == _entities(mask, "run")] or stated
    alike = runs if len(runs) == 1 else [p for p in runs if coincide(file_geometry(p), file_geometry(mask))]
    if len(alike) != 1:
        found = ", ".join(p.name for p in alike or mine) or "none"
        raise InputError(
            f"its image is not known: {found} of the same subject and session: expected one with the same contrast "
            f"({contrast.value}) and grid; name the pairs in a table (columns {', '.join(_NEEDED)}) instead"
        )
    return alike[0]


def _entities(path: Path, *keys: str) -> tuple[str, ...]:
    """Values of BIDS entities in a name, '' where one is not there."""
    found = dict(word.split("-", 1) for word in path.name.split("_") if "-" in word)
    return tuple(found.get(key, "") for key in keys)


def _contrast_of(mask: Path, said: Mapping[str, object]) -> Contrast:
    """Contrast of the image that a mask was drawn on, by its sidecar or its name; OTHER when neither tells."""
    if isinstance(said.get("Contrast"), str):
        return contrast_named(str(said["Contrast"])) or Contrast.OTHER
    joined = {contrast.value.replace("-", "").lower(): contrast for contrast in Contrast}
    acquired = _ACQUIRED.search(mask.name)
    known = joined.get(acquired[1].lower()) if acquired else None
    return known or named_contrast(mask)
