"""The Parquet table holds what the CSV file holds, with its types; without pyarrow the message names the extra."""

from __future__ import annotations

import csv
import io
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spinemri.errors import OutputError
from spinemri.report.table_files import FILE_NAME, to_table, write_parquet
from spinemri.report.tables import COLUMNS, NUMBERS, measurements_csv, number
from spinemri.report.write import formats_named


def test_rows_and_columns_are_those_of_the_csv_file(lesion_case, tmp_path):
    write_parquet(lesion_case, tmp_path)
    rows = pq.read_table(tmp_path / FILE_NAME).to_pylist()
    expected = list(csv.DictReader(io.StringIO(measurements_csv(lesion_case.analysis))))
    assert len(rows) == len(lesion_case.analysis.measurements)
    for row, wanted in zip(rows, expected, strict=True):
        shown = {name: number(cell, row["unit"]) if name in NUMBERS else cell for name, cell in row.items()}
        assert shown == wanted


def test_numbers_are_numbers_and_gaps_are_null_with_their_reason(case):
    table = to_table(case.analysis)
    assert tuple(table.column_names) == COLUMNS
    assert all(table.schema.field(name).type == (pa.float64() if name in NUMBERS else pa.string()) for name in COLUMNS)
    rows = {row["id"]: row for row in table.to_pylist()}
    assert rows["L1.height_loss_pct"]["value"] == 35.0
    gap = rows["L4.posterior_height"]
    assert (gap["value"], gap["status"]) == (None, "not_assessable")
    assert gap["reason"] == "the posterior wall of L4 cannot be followed"


def test_a_study_without_measurements_keeps_the_columns(case):
    table = to_table(case.analysis.model_copy(update={"measurements": ()}))
    assert (table.num_rows, tuple(table.column_names)) == (0, COLUMNS)


def test_the_same_case_gives_the_same_bytes(case, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_parquet(case, tmp_path / name)
    assert (tmp_path / "a" / FILE_NAME).read_bytes() == (tmp_path / "b" / FILE_NAME).read_bytes()


def test_without_pyarrow_the_extra_is_named(case, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match=r"needs pyarrow.*'spinemri\[parquet\]'"):
        write_parquet(case, tmp_path)
    for asked in ("parquet", "all"):  # before the long work, too
        with pytest.raises(OutputError, match="needs pyarrow"):
            formats_named(asked)
    assert not list(tmp_path.iterdir())
