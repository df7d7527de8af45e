"""A run writes results and tables, goes on where another ended, and outlives broken studies, rivals and full disks."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import pytest

from spinemri.analysis import Analysis
from spinemri.batch import store
from spinemri.batch.run import analyze_many, run
from spinemri.batch.sources import find_sources
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import OutputError
from spinemri.pipeline import analyze
from tests.batch.small_study import GRID, OPTIONS, edit, job, study_image, true_networks, write_study
from tests.batch.tables_of import rows, tables

ROOT = Path(__file__).resolve().parents[2]


def done(root, out, **values) -> dict[str, str]:
    """Place -> status of a run over every study of a folder."""
    sources = find_sources(root, OPTIONS)
    place = {source.id: source.place for source in sources}
    return {place[outcome.id]: outcome.status for outcome in run(sources, job(**values), out)}


def test_results_tables_and_page_say_what_was_found(cohort, tmp_path):
    out = tmp_path / "out"
    assert done(cohort, out) == dict.fromkeys(["s0", "s1", "s2", "s3", "s4"], "done")
    studies = rows(out / "studies.csv")
    assert [row["id"] for row in studies] == sorted(path.name for path in (out / "studies").iterdir())
    assert {row["series"] for row in studies} == {"4 (T2w)"}
    assert {row["levels"] for row in studies} == {"3"}
    spent = [float(row[f"seconds_{stage}"]) for row in studies for stage in ("read", "segment", "measure", "write")]
    assert min(spent) > 0
    reports = {p.parent.name: json.loads(p.read_text()) for p in (out / "studies").glob("*/report.json")}
    results = rows(out / "results.csv")
    assert len(set(results[0])) == len((out / "results.csv").read_text().partition("\n")[0].split(","))
    assert Counter(row["study_id"] for row in results) == {k: len(v["measurements"]) for k, v in reports.items()}
    assert rows(out / "failures.csv") == []
    page = (out / "index.html").read_text()
    links = re.findall(r'href="([^"]+)"', page)
    assert len(links) == 5
    assert all((out / link).is_file() for link in links)
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert "height loss pct</b>, %: " in page
    assert 'role="img" aria-label="wedge ratio: histogram of ' in page


def test_tables_stand_as_parquet_beside_the_csv_and_say_the_same(cohort, tmp_path):
    out = tmp_path / "out"
    cut(tuple((cohort / "s1").iterdir()))
    done(cohort, out)
    for name in ("studies", "results"):
        table = pq.read_table(out / f"{name}.parquet")
        said = rows(out / f"{name}.csv")
        assert table.column_names == list(said[0])
        for row, texts in zip(table.to_pylist(), said, strict=True):
            assert {k: "" if v is None else v for k, v in row.items()} == {
                k: float(v) if v and pa.types.is_floating(table.schema.field(k).type) else v for k, v in texts.items()
            }
    assert table.schema.field("value").type == pa.float64()
    (cohort / "s1").rename(tmp_path / "held")
    done(cohort, out)
    assert pq.read_table(out / "studies.parquet").num_rows == 5


def test_a_study_of_a_run_is_what_analyze_says_of_it(cohort, tmp_path):
    done(cohort, tmp_path / "out")
    alone = analyze(cohort / "s3", true_networks(), OPTIONS).analysis
    text = (tmp_path / "out" / "studies" / alone.study / "report.json").read_text()
    assert Analysis.model_validate_json(text).model_dump(exclude={"provenance"}) == Analysis.model_validate_json(
        alone.model_dump_json()
    ).model_dump(exclude={"provenance"})


def test_what_is_done_is_not_done_again_until_something_changes(cohort, tmp_path):
    out = tmp_path / "out"
    done(cohort, out)
    assert set(done(cohort, out).values()) == {"unchanged"}
    file = next((cohort / "s1").iterdir())
    os.utime(file, ns=(1, 1))
    shutil.rmtree(out / "studies" / next(s.id for s in find_sources(cohort, OPTIONS) if s.place == "s2"))
    write_series(study_image(77), cohort / "s3" / "more", StudyHeader("P3"))
    again = done(cohort, out)
    changed = {place for place, status in again.items() if status == "done"}
    assert changed == {"s1", "s2", "s3/more"}
    assert {again[place] for place in again.keys() - changed} == {"unchanged"}
    assert set(done(cohort, out, formats=("json", "txt")).values()) == {"done"}
    assert len(list((out / "studies").glob("*/report.txt"))) == 6
    assert set(done(cohort, out, formats=("json", "txt"), force=True).values()) == {"done"}
    said = replace(OPTIONS, anchor="S1=1")
    assert set(done(cohort, out, formats=("json", "txt"), options=said).values()) == {"done"}


def test_a_study_that_failed_is_tried_again_and_its_new_failure_takes_the_place_of_its_result(cohort, tmp_path):
    out, first = tmp_path / "out", cohort / "s0"
    files = tuple(sorted(first.iterdir()))
    whole = [path.read_bytes() for path in files]
    done(cohort, out)
    for path, data in zip(files, whole, strict=True):
        path.write_bytes(data[:-500])
    assert done(cohort, out)["s0"] == "failed"
    (failure,) = rows(out / "failures.csv")
    assert failure["stage"] == "read"
    assert failure["id"] not in {row["study_id"] for row in rows(out / "results.csv")}
    assert f"studies/{failure['id']}/" not in (out / "index.html").read_text()
    for path, data in zip(files, whole, strict=True):
        path.write_bytes(data)
    assert done(cohort, out)["s0"] == "done"
    assert rows(out / "failures.csv") == []


# broken studies


def cut(files):
    for path in files:
        path.write_bytes(path.read_bytes()[:-700])


def far_away(files):
    for path in files:
        x, y, z = pydicom.dcmread(path).ImagePositionPatient
        edit((path,), ImagePositionPatient=[x, y + 900, z + 900])


BREAKS = {  # what is done to the files -> stage and cause
    "cut": (cut, "read", "truncated|cannot be read"),
    "no position": (lambda files: edit(files, ImagePositionPatient=None), "read", "Image Position"),
    "emptied": (lambda files: [path.write_bytes(b"") for path in files], "read", "empty file"),
    "garbage": (lambda files: [p.write_bytes(p.read_bytes()[:150]) for p in files], "read", "no image"),
    "axial": (lambda files: edit(files, ImageOrientationPatient=[1, 0, 0, 0, 1, 0]), "read", "no sagittal"),
    "diffusion": (lambda files: edit(files, SequenceName="ep_b1000", ScanningSequence="EP"), "read", "no sagittal"),
    "two slices": (lambda files: [path.unlink() for path in files[2:]], "read", "slice"),
    "no pixels": (lambda files: edit(files, PixelData=None), "read", "no pixel data"),
    "derived": (lambda files: edit(files, ImageType=["DERIVED", "SECONDARY"]), "read", "derived"),
    "elsewhere": (far_away, "segment", "no spine"),
}


def test_twenty_broken_studies_of_forty_are_all_reported_by_cause(tmp_path):
    root, out = tmp_path / "root", tmp_path / "out"
    broken = {}
    for number in range(40):
        files = write_study(root / f"s{number:02d}", number)
        if number % 2:
            kind = list(BREAKS)[number // 2 % len(BREAKS)]
            BREAKS[kind][0](files)
            broken[f"s{number:02d}"] = kind
    assert len(broken) == 20
    statuses = done(root, out)
    assert {place for place, status in statuses.items() if status == "failed"} == broken.keys()
    assert Counter(statuses.values()) == {"done": 20, "failed": 20}
    place = {source.id: source.place for source in find_sources(root, OPTIONS)}
    failures = {place[row["id"]]: row for row in rows(out / "failures.csv")}
    wrong = [
        (kind, failures[name]["stage"], failures[name]["error"])
        for name, kind in broken.items()
        if failures[name]["stage"] != BREAKS[kind][1] or not re.search(BREAKS[kind][2], failures[name]["error"])
    ]
    assert wrong == []
    assert not [row for row in failures.values() if "unexpected" in row["error"] or "\n" in row["error"]]
    page = (out / "index.html").read_text()
    assert all(row["id"] in page for row in failures.values())


def test_messages_hold_no_names_of_folders_unless_identifiers_are_kept(tmp_path):
    folder = tmp_path / "MUSTERMANN_HANS"
    for number, inner in enumerate(("MUSTER_a", "MUSTER_b")):
        write_study(folder / inner, number)
    (tmp_path / "MUSTER_empty").mkdir()
    table, out = tmp_path / "list.csv", tmp_path / "out"
    table.write_text("id,path\nX1,MUSTERMANN_HANS\nX2,MUSTER_absent\nX3,MUSTER_empty\n")
    outcomes = {outcome.id: outcome for outcome in run(find_sources(table, OPTIONS), job(), out)}
    assert outcomes["X1"].error.startswith("2 patients in one folder")
    assert outcomes["X2"].error == "line 3: no such folder or file"
    assert outcomes["X3"].error.startswith("no DICOM found in the folder")
    assert not [path for path in out.rglob("*") if path.is_file() and b"MUSTER" in path.read_bytes()]
    assert "MUSTER" not in str(pq.read_table(out / "studies.parquet").to_pylist())


# ends before the end


KILLED = """
import sys
from pathlib import Path
from spinemri.batch.run import run
from spinemri.batch.sources import find_sources
from tests.batch.small_study import OPTIONS, job
for outcome in run(find_sources(Path(sys.argv[1]), OPTIONS), job(), Path(sys.argv[2])):
    print(outcome.status, flush=True)
"""


def test_a_run_that_was_killed_goes_on_and_ends_as_if_nothing_had_been(tmp_path):
    root, out, calm = tmp_path / "root", tmp_path / "out", tmp_path / "calm"
    for number in range(12):
        write_study(root / f"s{number:02d}", number)
    cut(tuple((root / "s05").iterdir()))
    command = [sys.executable, "-c", KILLED, str(root), str(out)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        told = [process.stdout.readline().strip() for _ in range(3)]
        process.send_signal(signal.SIGKILL)
    assert told == ["done"] * 3
    (out / "studies" / f".{find_sources(root, OPTIONS)[-1].id}.0123abcd.partial").mkdir()
    statuses = done(root, out)
    assert Counter(statuses.values())["unchanged"] >= 3
    assert Counter(statuses.values())["done"] >= 1
    done(root, calm)
    assert tables(out) == tables(calm)
    assert sorted(path.name for path in (out / "studies").iterdir()) == sorted(
        path.name for path in (calm / "studies").iterdir()
    )
    assert not list((out / ".batch" / "locks").iterdir())


def test_a_run_that_is_left_early_lets_go_of_its_studies_and_has_written_its_tables(cohort, tmp_path):
    out = tmp_path / "out"
    outcomes = run(find_sources(cohort, OPTIONS), job(), out)
    first = next(outcomes)
    outcomes.close()
    assert first.id in {row["id"] for row in rows(out / "studies.csv")}
    assert not list((out / ".batch" / "locks").iterdir())
    statuses = Counter(done(cohort, out).values())
    assert statuses["unchanged"] >= 1
    assert statuses.total() == 5


def test_what_a_worker_had_begun_to_write_when_it_died_is_gone_at_the_end_of_the_run(cohort, tmp_path):
    """A worker that dies over one study may be writing another, which is then done again."""
    out = tmp_path / "out"
    names = []
    for outcome in run(find_sources(cohort, OPTIONS), job(), out):
        names.append(outcome.id)
        (out / "studies" / f".{outcome.id}.0123abcd.partial").mkdir()
    assert sorted(path.name for path in (out / "studies").iterdir()) == sorted(names)


def test_two_runs_share_a_folder_and_no_study_is_done_twice(cohort, tmp_path):
    out, found = tmp_path / "out", []
    threads = [Thread(target=lambda: found.append(done(cohort, out))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    for place in found[0]:
        assert {run[place] for run in found} <= {"done", "unchanged", "elsewhere"}
        assert [run[place] for run in found].count("done") == 1
    done(cohort, tmp_path / "alone")
    assert tables(out) == tables(tmp_path / "alone")


@contextmanager
def no_file_over(size: int):
    """The system refuses to make a file longer, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_ends_the_run_in_one_line_and_what_was_done_is_kept(cohort, tmp_path):
    out, held = tmp_path / "out", tmp_path / "held"
    (cohort / "s4").rename(held)
    done(cohort, out)
    before = tables(out)
    held.rename(cohort / "s4")
    with no_file_over(4000), pytest.raises(OutputError, match=r"^output out: cannot be written \(.*\); what was done"):
        done(cohort, out)
    assert tables(out) == before
    assert len(list((out / "studies").glob("*/report.json"))) == 4
    assert Counter(done(cohort, out).values()) == {"unchanged": 4, "done": 1}


def test_a_folder_that_cannot_be_made_is_one_line(cohort, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"^output out: cannot be written \(Not a directory\)"):
        done(cohort, tmp_path / "file" / "out")


def test_what_killed_processes_left_is_swept_and_what_a_living_one_works_on_stays(tmp_path):
    store.prepare(tmp_path)
    studies = tmp_path / "studies"
    for name in (".a.0123abcd.partial", ".a.0123abcd.partial.former", ".a.b.0123abcd.partial", "a", ".a.notes"):
        (studies / name).mkdir()
    lock = store.lock_of(tmp_path, "a.b")
    store.prepare(tmp_path)
    assert sorted(path.name for path in studies.iterdir()) == [".a.b.0123abcd.partial", ".a.notes", "a"]
    lock.release()
    store.prepare(tmp_path)
    assert sorted(path.name for path in studies.iterdir()) == [".a.notes", "a"]


def test_a_lock_is_held_by_one_and_leaves_nothing(tmp_path):
    store.prepare(tmp_path)
    lock = store.lock_of(tmp_path, "a")
    assert store.lock_of(tmp_path, "a") is None
    other = store.lock_of(tmp_path, "b")
    lock.release()
    again = store.lock_of(tmp_path, "a")
    assert again is not None
    again.release()
    other.release()
    assert not list((tmp_path / ".batch" / "locks").iterdir())


# in memory


def test_analyses_are_handed_out_one_by_one_and_failures_are_told(cohort, caplog):
    cut(tuple((cohort / "s2").iterdir()))
    failed = []
    found = list(analyze_many(cohort, true_networks, OPTIONS, failed=failed.append))
    assert [len(analysis.spine.vertebrae) for analysis in found] == [3] * 4
    assert [outcome.stage for outcome in failed] == ["read"]
    folders = [cohort / "s2", cohort / "s0", cohort / "s0"]
    found = list(analyze_many(folders, true_networks))
    assert len(found) == 1
    (message,) = {record.getMessage() for record in caplog.records if record.name == "spinemri.batch"}
    assert re.match(r"study [0-9a-f]{16} failed \(read\): series 4: ", message)


def test_the_grid_of_the_studies_is_oblique_and_anisotropic():
    assert len(set(GRID.spacing)) == 3
    assert abs(GRID.axes[0, 0]) < 0.999
