"""``measurements.parquet``: the long table with its types, for pandas, R, DuckDB and the like.

The same rows and columns as ``measurements.csv``; numbers are numbers, and what was not measured is null with its
status and reason beside it. Needs pyarrow, which only this format loads: ``pip install 'spinemri[parquet]'``.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from spinemri.errors import OutputError
from spinemri.report.tables import COLUMNS, NUMBERS, measurement_rows

if TYPE_CHECKING:
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
    if find_spec("pyarrow") is None:
        raise OutputError(_NEEDED)


def to_table(analysis: Analysis) -> Any:
    """The long table as a ``pyarrow.Table``. Raises OutputError when pyarrow is not installed."""
    check_installed()
    arrow = import_module("pyarrow")
    rows = list(measurement_rows(analysis))
    types = {name: arrow.float64() if name in NUMBERS else arrow.string() for name in COLUMNS}
    columns = zip(*rows, strict=True) if rows else ((),) * len(COLUMNS)
    arrays = [arrow.array(column, types[name]) for name, column in zip(COLUMNS, columns, strict=True)]
    return arrow.table(arrays, schema=arrow.schema(list(types.items())))
