"""``measurements.parquet``: the long table with its types, for pandas, R, DuckDB and the like; tables of many studies.

The same rows and columns as ``measurements.csv``; numbers are numbers, and what was not measured is null with its
status and reason beside it. Needs pyarrow, which only this format loads: ``pip install 'spinemri[parquet]'``.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from spinemri.errors import InputError, OutputError
from spinemri.report.tables import COLUMNS, NUMBERS, measurement_rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from spinemri.analysis import Analysis
    from spinemri.case import Case

FILE_NAME = "measurements.parquet"
_NEEDED = "format 'parquet': needs pyarrow, which is not installed; expected pip install 'spinemri[parquet]'"


def write_parquet(case: Case, folder: Path) -> None:
    """Write ``measurements.parquet``. Raises OutputError when pyarrow is not installed."""
    table = to_table(case.analysis)
    import_module("pyarrow.parquet").write_table(table, folder / FILE_NAME)


def check_installed() -> None:
    """Raise OutputError when pyarrow is not installed; called before the long work begins."""
    if not installed():
        raise OutputError(_NEEDED)


def installed() -> bool:
    """Whether pyarrow is there."""
    return find_spec("pyarrow") is not None


def to_table(analysis: Analysis) -> Any:
    """The long table as a ``pyarrow.Table``. Raises OutputError when pyarrow is not installed."""
    check_installed()
    arrow = import_module("pyarrow")
    rows = list(measurement_rows(analysis))
    types = {name: arrow.float64() if name in NUMBERS else arrow.string() for name in COLUMNS}
    columns = zip(*rows, strict=True) if rows else ((),) * len(COLUMNS)
    arrays = [arrow.array(column, types[name]) for name, column in zip(COLUMNS, columns, strict=True)]
    return arrow.table(arrays, schema=arrow.schema(list(types.items())))


def parquet_of(table: Path, target: Path, numbers: Iterable[str]) -> None:
    """Write a CSV file once more as Parquet, the columns ``numbers`` as numbers, all others as text.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    arrow, read = import_module("pyarrow"), import_module("pyarrow.csv")
    with table.open(encoding="utf-8") as stream:
        types = dict.fromkeys(stream.readline().strip().split(","), arrow.string())
    types |= dict.fromkeys(numbers, arrow.float64())
    multiline = read.ParseOptions(newlines_in_values=True)
    columns = read.ConvertOptions(column_types=types, strings_can_be_null=False)
    found = read.read_csv(table, parse_options=multiline, convert_options=columns)
    import_module("pyarrow.parquet").write_table(found, target)


def parquet_rows(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a Parquet file as text, of those columns that it has; '' for null.

    Raises
    ------
    InputError
        If it cannot be read, or pyarrow is not installed.
    """
    if not installed():
        raise InputError(
            f"{path.name}: needs pyarrow, which is not installed; expected pip install 'spinemri[parquet]'"
        )
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    try:
        known = [name for name in parquet.read_schema(path).names if name in columns]
        rows = parquet.read_table(path, columns=known).to_pylist()
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"{path.name}: cannot be read as Parquet ({type(error).__name__})") from error
    return [{name: "" if cell is None else str(cell).strip() for name, cell in row.items()} for row in rows]
