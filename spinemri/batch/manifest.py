"""A list of studies, as CSV or Parquet, with a row for each: a ``path``, and what the user says of that study alone.

Columns (others are ignored): ``path`` of a folder or file, relative to the list; ``id``, the name of the result;
``patient``, ``contrast`` and ``anchor`` as of ``spinemri analyze``; ``labels``, mask files divided by ``;``, with
``labels_from``, the scheme of their numbers. What is typed wrongly ends the run before it begins; a file that is not
there is the failure of its row.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from spinemri.errors import InputError, SpineMRIError
from spinemri.given_text import given_text
from spinemri.report.table_files import parquet_rows
from spinemri.series import contrast_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from spinemri.pipeline import Options

    Cells = Mapping[str, str]

LISTS = (".csv", ".parquet")
COLUMNS = ("path", "id", "patient", "contrast", "anchor", "labels", "labels_from")
_SAFE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Row:
    """One study of a list.

    Parameters
    ----------
    where : the list and the row, for messages
    path : as it is written
    id : the user's word; empty when there is none
    own : fields of ``Options`` that are said of this study
    fault : which file is not there
    """

    where: str
    path: str
    id: str = ""
    own: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""


def listed(table: Path, options: Options) -> Iterator[Row]:
    """Rows of a list.

    Raises
    ------
    InputError
        It cannot be read, has no column ``path``, or a cell cannot be used; the row is named.
    """
    rows = _rows(table)
    if not rows or "path" not in rows[0][1]:
        raise InputError(f"{table.name}: expected a column 'path', and perhaps 'id', with a row for each study")
    for where, cells in rows:
        yield _row(f"{table.name}, {where}", cells, table.parent, options)


def _rows(table: Path) -> list[tuple[str, Cells]]:
    """Which row it is, and its cells by column, as text without spaces around it."""
    if table.suffix.lower() == ".parquet":
        return [(f"row {n}", cells) for n, cells in enumerate(parquet_rows(table, COLUMNS), start=1)]
    try:
        reader = csv.DictReader(io.StringIO(given_text(table, "", encoding="utf-8-sig"), newline=""))
        rows = [(f"line {reader.line_num}", row) for row in reader]
    except csv.Error as error:
        raise InputError(f"{table.name}: cannot be read as CSV ({type(error).__name__})") from error
    return [(where, {name: (row[name] or "").strip() for name in COLUMNS if name in row}) for where, row in rows]


def _row(where: str, cells: Cells, home: Path, options: Options) -> Row:
    path, name = cells["path"], cells.get("id", "")
    if not path:
        raise InputError(f"{where}: the path is empty")
    if name and not _SAFE_ID.fullmatch(name):
        raise InputError(f"{where}: an id is made of letters, digits, '_', '-', '.', 100 at most")
    labels = tuple((home / part.strip()).absolute() for part in cells.get("labels", "").split(";") if part.strip())
    row = Row(where, path, name)
    if not _there(home / path):
        return replace(row, fault=f"{where.rpartition(', ')[2]}: no such folder or file")
    if not all(_there(label) and label.is_file() for label in labels):
        return replace(row, fault=f"{where.rpartition(', ')[2]}: no such file of labels")
    try:
        own = _own(cells, labels)
        replace(options, **own)
    except SpineMRIError as error:
        raise InputError(f"{where}: {error}") from error
    return replace(row, own=own)


def _there(path: Path) -> bool:
    """Whether there is such a file or folder; a name that no file can have is not there."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _own(cells: Cells, labels: tuple[Path, ...]) -> dict[str, Any]:
    """Fields of ``Options``, only those that the row fills."""
    said = {
        "patient": cells.get("patient"),
        "contrast": contrast_named(cells.get("contrast") or None),
        "anchor": cells.get("anchor"),
        "labels": labels,
        "labels_from": cells.get("labels_from") if labels else None,
    }
    return {name: value for name, value in said.items() if value}
