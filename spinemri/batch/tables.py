"""``studies.csv``, ``results.csv``, ``failures.csv`` and ``index.html`` of an output folder, made from its records.

The first two stand beside themselves as Parquet when pyarrow is there, read from the CSV, so both always say the same.

They are written whole and renamed into place, one process at a time, so they can be read while a run goes on and agree
with what lies in the folder, whichever run did it. A study that failed has no rows in ``results.csv``,
whose ``study_id`` is the ``id`` of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.batch import store
from spinemri.batch.lock import locked
from spinemri.batch.page import page
from spinemri.report.table_files import installed, parquet_of
from spinemri.report.tables import COLUMNS, NUMBERS, csv_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from spinemri.batch.store import Record

STAGES = ("read", "segment", "align", "lesions", "measure", "write")
STUDY_COLUMNS = (
    *("id", "study", "status", "series", "levels", "findings", "urgency", "urgent", "warnings"),
    *(f"seconds_{stage}" for stage in (*STAGES, "total")),
)
STUDY_NUMBERS = ("levels", "findings", *(name for name in STUDY_COLUMNS if name.startswith("seconds_")))
FAILURE_COLUMNS = ("id", "stage", "error")


def write_tables(out: Path) -> None:
    """Make the tables and the page anew from the records. Raises OutputError when the folder cannot be written."""
    try:
        lock = locked(out / ".batch" / "tables", wait=True)
        try:
            found = tuple(store.records(out))
            done = [record for record in found if record.status == store.DONE]
            failed = [record for record in found if record.status == store.FAILED]
            store.write_whole(out / "studies.csv", csv_text([STUDY_COLUMNS, *map(_study_row, found)]))
            store.write_whole(
                out / "failures.csv", csv_text([FAILURE_COLUMNS, *((r.id, r.stage, r.error) for r in failed)])
            )
            store.write_whole(out / "results.csv", _results(out, done))
            for name, numbers in (("studies", STUDY_NUMBERS), ("results", NUMBERS)):
                _parquet(out / f"{name}.csv", numbers)
            store.write_whole(out / "index.html", page(out, found))
        finally:
            if lock is not None:
                lock.release()
    except OSError as error:
        raise store.not_written(out, error) from error


def _study_row(record: Record) -> tuple[object, ...]:
    spent = [record.seconds.get(stage) for stage in STAGES]
    total = round(sum(second for second in spent if second is not None), 3) if record.seconds else None
    texts = ("; ".join(texts) for texts in (record.urgent, record.warnings))
    facts = (record.id, record.study, record.status, ";".join(record.series), record.levels, record.findings)
    return (*facts, record.urgency, *texts, *spent, total)


def _results(out: Path, done: Iterable[Record]) -> str:
    """Rows of every study, by id, under one header."""
    header = csv_text([("study_id", *COLUMNS)])
    rows = (store.result_rows(out, record.id).partition("\n")[2] for record in done)
    return header + "".join(rows)


def _parquet(table: Path, numbers: tuple[str, ...]) -> None:
    target = table.with_suffix(".parquet")
    if not installed():
        target.unlink(missing_ok=True)  # an older one would say something else
        return
    with store.whole(target) as beside:
        parquet_of(table, beside, numbers)
