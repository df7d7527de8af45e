"""Tables that list a training set of one's own: CSV, or TSV with tabs; paths in them are relative to the table."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from spinemri.errors import InputError
from spinemri.given_text import given_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TABLES = (".csv", ".tsv")


def is_table(path: Path) -> bool:
    """Whether a path is a file with the name of a table."""
    return path.suffix.lower() in TABLES and path.is_file()


def table_rows(
    table: Path, columns: Sequence[str], needed: Sequence[str], expected: str
) -> Iterator[tuple[str, dict[str, str]]]:
    """Every row of a table: 'pairs.csv, line 2' for messages, and its cells without blanks around them.

    Parameters
    ----------
    table : the file
    columns : all that a table may have
    needed : those that it must have
    expected : both in words, for the message

    Raises
    ------
    InputError
        It cannot be read, has other columns, or no row.
    """
    text = given_text(table, "", encoding="utf-8-sig")
    delimiter = "\t" if table.suffix.lower() == ".tsv" else ","
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        found = [name.strip() for name in reader.fieldnames or ()]
        rows = [(reader.line_num, dict(zip(found, row.values(), strict=False))) for row in reader]
    except csv.Error as error:
        raise InputError(f"{table.name}: cannot be read as a table ({type(error).__name__})") from error
    if not set(needed) <= set(found) <= set(columns) or not rows:
        raise InputError(f"{table.name}: columns {', '.join(found) or 'nothing'}: expected {expected}")
    for line, cells in rows:
        yield f"{table.name}, line {line}", {name: str(cell or "").strip() for name, cell in cells.items()}


def check_paths(where: str, cells: dict[str, str], home: Path, columns: Sequence[str]) -> None:
    """Raise InputError when a column of a row names no file."""
    for column in columns:
        if not cells[column] or not (home / cells[column]).exists():
            raise InputError(f"{where}: {column} {cells[column]!r}: no such file; paths are relative to the table")
