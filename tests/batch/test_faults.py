"""Whatever ends a run, at whatever moment: what was done is kept, and the next run ends as if nothing had been."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from spinemri.batch.run import run
from spinemri.batch.sources import find_sources
from spinemri.errors import OutputError
from tests.batch.killing import killed_runs
from tests.batch.small_study import OPTIONS, job, write_study
from tests.batch.tables_of import rows, tables

ROOT = Path(__file__).resolve().parents[2]
KILLS = 10
STUDIES = 16


def test_killed_at_ten_random_moments_and_resumed_it_ends_as_an_undisturbed_run(tmp_path):
    root, out, calm = (tmp_path / name for name in ("root", "out", "calm"))
    for number in range(STUDIES):
        write_study(root / f"s{number:02d}", number)
    for path in (root / "s07").iterdir():
        path.write_bytes(path.read_bytes()[:-700])
    assert killed_runs(root, out, KILLS, most=3, seed=5) >= KILLS // 2
    sources = find_sources(root, OPTIONS)
    last = Counter(outcome.status for outcome in run(sources, job(), out))
    assert last["unchanged"] >= 2
    assert last.total() == STUDIES
    assert Counter(outcome.status for outcome in run(sources, job(), calm)) == {"done": STUDIES - 1, "failed": 1}
    assert tables(out) == tables(calm)
    assert {p.name for p in (out / "studies").iterdir()} == {p.name for p in (calm / "studies").iterdir()}
    assert not list((out / ".batch" / "locks").iterdir())


@contextmanager
def without_rights():
    """As somebody who may read everything here and write nothing: root takes another user's rights meanwhile."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_an_output_that_became_read_only_is_one_line_and_nothing_done_before_is_lost():
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        base.chmod(0o755)
        out = base / "out"
        for number in range(3):
            write_study(base / "root" / f"s{number}", number)
        list(run(find_sources(base / "root", OPTIONS), job(), out))
        write_study(base / "root" / "s3", 3)
        folders = [out, *(path for path in out.rglob("*") if path.is_dir())]
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        try:
            for folder in folders:
                folder.chmod(0o555)
            sources = find_sources(base / "root", OPTIONS)
            with (
                without_rights(),
                pytest.raises(OutputError, match=r"^output out: cannot be written \(Permission"),
            ):
                list(run(sources, job(), out))
        finally:
            for folder in folders:
                folder.chmod(0o755)
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
        assert Counter(o.status for o in run(sources, job(), out)) == {"unchanged": 3, "done": 1}
        assert len(rows(out / "studies.csv")) == 4
