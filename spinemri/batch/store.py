"""What lies in the output folder of a run, and when a study counts as done.

``studies/<id>/`` is the result that ``report.write`` renames into place when it is complete. Beside it, in ``.batch/``,
stands a record: made of which input, by which program, models and parameters, and how it ended. A study is done when
both are there and the record's key is that of the study as it is now; the record is written last, so a process that is
killed loses only what it was working on.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spinemri.batch.lock import Lock, locked
from spinemri.errors import OutputError
from spinemri.finding import Certainty, Urgency
from spinemri.report.tables import csv_text, measurements_csv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from spinemri.analysis import Analysis
    from spinemri.batch.sources import Source

DONE, FAILED = "done", "failed"
_LEFT = re.compile(r"\.(.+)\.[0-9a-f]{8}\.(?:partial|partial\.former|trial)")


class Record(BaseModel):
    """How one study ended: a row of ``studies.csv``."""

    model_config = ConfigDict(frozen=True)

    id: str
    key: str = Field(description="checksum of input, program, models and parameters")
    status: str = Field(description="'done' or 'failed'")
    study: str = ""
    seconds: dict[str, float] = Field(default_factory=dict)
    series: tuple[str, ...] = ()
    levels: int = 0
    findings: int = Field(default=0, description="those that are present")
    urgent: tuple[str, ...] = Field(default=(), description="statements of urgent findings, most urgent first")
    urgency: str = ""
    warnings: tuple[str, ...] = ()
    stage: str = Field(default="", description="where it failed")
    error: str = ""


def prepare(out: Path) -> None:
    """Make the folders of a run and tidy them. Raises OutputError in one line when that cannot be done."""
    try:
        for name in ("records", "locks"):
            (out / ".batch" / name).mkdir(parents=True, exist_ok=True)
        (out / "studies").mkdir(exist_ok=True)
        sweep(out)
    except OSError as error:
        raise not_written(out, error) from error


def not_written(out: Path, error: OSError) -> OutputError:
    """What is said when the output folder is full or read-only."""
    said = error.strerror or type(error).__name__
    return OutputError(f"output {out.name}: cannot be written ({said}); what was done before is kept")


def result_folder(out: Path, name: str) -> Path:
    """Where the result of a study lies."""
    return out / "studies" / name


def lock_of(out: Path, name: str) -> Lock | None:
    """The lock of a study; None when another process works on it."""
    return locked(out / ".batch" / "locks" / name)


def key_of(source: Source, settings: Mapping[str, object]) -> str:
    """Checksum of the study's files (name, size, time of change) and of what the result depends on besides.

    File contents are not read: a file that changes without a new size or time is not noticed; files that are copied
    without keeping their times count as changed. Of a study on a server, its MR series and how many files each has
    stand in their place.
    """
    files = source.remote.series if source.remote else _files_of(source)
    own = sorted((name, str(value)) for name, value in source.own.items())
    said = json.dumps([files, source.fault, own, settings], sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _files_of(source: Source) -> list[tuple[str, int, int]]:
    """Name, size and time of change of each file."""
    base = source.base if source.base.is_dir() else source.base.parent
    files = []
    for path in source.every_file():
        try:
            facts = path.stat()
        except OSError:
            files.append((os.path.relpath(path, base), -1, -1))
        else:
            files.append((os.path.relpath(path, base), facts.st_size, facts.st_mtime_ns))
    return files


def is_done(out: Path, name: str, key: str) -> bool:
    """Whether the result of exactly this study, made in exactly this way, is complete."""
    record = read_record(_record_file(out, name))
    complete = (result_folder(out, name) / "report.json").is_file()
    return record is not None and complete and (record.key, record.status) == (key, DONE)


def sweep(out: Path) -> None:
    """Remove what killed processes left beside results; what a living one works on is locked and stays."""
    for left in (out / "studies").iterdir():
        name = _LEFT.fullmatch(left.name)
        lock = lock_of(out, name[1]) if name else None
        if lock is not None:
            shutil.rmtree(left, ignore_errors=True)
            lock.release()


def save(out: Path, record: Record, analysis: Analysis | None) -> None:
    """Write a record, and before it the rows of ``results.csv`` that belong to it. Raises OutputError."""
    path = _record_file(out, record.id)
    try:
        if analysis is not None:
            write_whole(path.with_suffix(".csv"), _with_id(record.id, measurements_csv(analysis)))
        write_whole(path, record.model_dump_json())
    except OSError as error:
        raise not_written(out, error) from error


def record_of(name: str, key: str, analysis: Analysis, seconds: Mapping[str, float]) -> Record:
    """The record of a study that was analysed."""
    present = [f for f in analysis.findings if f.certainty is Certainty.PRESENT]
    order = list(Urgency)
    urgent = sorted((f for f in present if f.urgency is not Urgency.NONE), key=lambda f: -order.index(f.urgency))
    return Record(
        id=name,
        key=key,
        status=DONE,
        study=analysis.study,
        seconds={stage: round(spent, 3) for stage, spent in seconds.items()},
        series=tuple(f"{s.label} ({s.contrast.value})" for s in analysis.used_series()),
        levels=len(analysis.spine.vertebrae),
        findings=len(present),
        urgent=tuple(f.statement for f in urgent),
        urgency=urgent[0].urgency.value if urgent else "",
        warnings=analysis.warnings,
    )


def records(out: Path) -> Iterator[Record]:
    """Every record of the folder, by id."""
    for path in sorted((out / ".batch" / "records").glob("*.json")):
        record = read_record(path)
        if record is not None:
            yield record


def read_record(path: Path) -> Record | None:
    """The record in a file; None when there is none or it is no record."""
    try:
        return Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def result_rows(out: Path, name: str) -> str:
    """Rows of one study for ``results.csv``, header first; empty when there are none."""
    try:
        return _record_file(out, name).with_suffix(".csv").read_text(encoding="utf-8")
    except OSError:
        return ""


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that it is there in its old or its new form, whatever happens. Raises OSError."""
    with whole(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name beside a file, for its new form, which takes its place when it is complete. Raises OSError."""
    beside = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _record_file(out: Path, name: str) -> Path:
    return out / ".batch" / "records" / f"{name}.json"


def _with_id(name: str, table: str) -> str:
    """The table with the study's id in front of every row."""
    header, *rows = csv.reader(io.StringIO(table))
    return csv_text([("study_id", *header), *((name, *row) for row in rows)])
