"""A training set of lesions of one's own: studies of one person each, and what somebody outlined in them.

A table (CSV, or TSV with tabs) has a row for each study: ``study``, a folder with the images of one person, and
``lesions``, the outlines, a mask on the grid of one of the series, both relative to the table; empty for a person
without lesions. And if need be ``kind``, what the outlines are (one word for all, or ``1=tumour;2=haemangioma`` by the
mask's values), and ``levels``, the vertebrae in which every lesion is outlined, divided by ``;``. Outlines that
``spinemri analyze`` wrote and a reader corrected name their kinds themselves, in the ``lesions.json`` beside them.
``anatomy`` is a mask of the bones in spinemri's scheme; without one the anatomy network draws them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.anatomy import Level
from spinemri.errors import InputError, SpineMRIError
from spinemri.lesion import MarrowChange
from spinemri.training.table import TABLES, check_paths, is_table, table_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COLUMNS = ("study", "lesions", "kind", "levels", "anatomy")
_NAMED = {word: kind for kind in MarrowChange for word in (kind.name.lower(), kind.value)}
_NEEDED, _RECORD = COLUMNS[:2], "lesions.json"  # see report/masks.py


@dataclass(frozen=True)
class OwnStudy:
    """Images of one person and outlines in them.

    Parameters
    ----------
    study : folder of the images
    lesions : mask on the grid of one of its series; None for a person without lesions
    kinds : value of the mask -> what it outlines; the kind of all other values under None
    levels : vertebrae in which every lesion is outlined; None for all that are shown
    anatomy : mask of the bones, or None
    """

    study: Path
    lesions: Path | None
    kinds: Mapping[int | None, MarrowChange]
    levels: frozenset[Level] | None = None
    anatomy: Path | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.lesions.name} of {self.study.name}" if self.lesions else self.study.name

    def kind_of(self, value: int) -> MarrowChange:
        """What a value of the mask outlines. Raises InputError where nothing says it."""
        kind = self.kinds.get(value, self.kinds.get(None))
        if kind is None:
            raise InputError(
                f"{self.name}: nothing says what value {value} outlines: expected it in the column 'kind' "
                f"({value}=tumour), or in a {_RECORD} beside the mask"
            )
        return kind


def find_studies(table: Path) -> tuple[OwnStudy, ...]:
    """Every row of a table.

    Raises
    ------
    InputError
        There is no such table, it has no row, or one of it cannot be used; file and line are named.
    """
    if not is_table(table):
        raise InputError(f"{table.name}: lesions are learnt from a table ({' or '.join(TABLES)}) with {_wanted()}")
    rows = table_rows(table, COLUMNS, _NEEDED, _wanted())
    return tuple(_row(where, cells, table.parent) for where, cells in rows)


def _wanted() -> str:
    return f"the columns {', '.join(COLUMNS)} (the last three may be left out), and a row for each study"


def _row(where: str, cells: dict[str, str], home: Path) -> OwnStudy:
    named = [column for column in ("study", "lesions", "anatomy") if cells.get(column) or column == "study"]
    check_paths(where, cells, home, named)
    mask = home / cells["lesions"] if "lesions" in named else None
    try:
        words = [word for word in re.split(r"[; ]+", cells.get("levels", "")) if word]
        levels = frozenset(Level(word) for word in words) if words else None
        kinds = _kinds(cells["kind"]) if cells.get("kind") else _recorded(mask) if mask else {}
    except (SpineMRIError, ValueError) as error:
        raise InputError(f"{where}: {error}") from error
    return OwnStudy(home / cells["study"], mask, kinds, levels, home / cells["anatomy"] if "anatomy" in named else None)


def _kinds(text: str) -> dict[int | None, MarrowChange]:
    """Kinds by value from 'tumour' or '1=tumour;2=haemangioma'. Raises InputError for any other word."""
    found: dict[int | None, MarrowChange] = {}
    for word in (word.strip() for word in text.split(";") if word.strip()):
        value, _, name = (part.strip() for part in word.rpartition("="))
        if name not in _NAMED or not (value.isdigit() or not value):
            known = ", ".join(kind.name.lower() for kind in MarrowChange)
            raise InputError(f"kind {word!r}: expected one of {known}, or VALUE=KIND;VALUE=KIND …")
        found[int(value) if value else None] = _NAMED[name]
    return found


def _recorded(mask: Path) -> dict[int | None, MarrowChange]:
    """What the record beside outlines of ``spinemri analyze`` says of each of them; nothing where there is none."""
    try:
        content = json.loads((mask.parent / _RECORD).read_text(encoding="utf-8"))
        mine = [one for one in content["lesions"] if one["file"] and mask.name.startswith(one["file"].split(".")[0])]
        return {int(one["label"]): MarrowChange(max(one["kinds"], key=one["kinds"].get)) for one in mine}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{_RECORD} beside {mask.name}: cannot be read ({type(error).__name__})") from error
