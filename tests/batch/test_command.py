"""``spinemri batch``: what it prints, and how it exits."""

from __future__ import annotations

import json

import pytest

from tests.batch.small_study import true_networks
from tests.batch.tables_of import rows
from tests.cli.command import run


@pytest.fixture
def line(cohort, tmp_path, monkeypatch):
    """Runs the command on five studies, one of them broken, with a network that knows the truth."""
    monkeypatch.setattr("spinemri.batch.run.networks", lambda *_, **__: true_networks())
    for path in (cohort / "s2").iterdir():
        path.write_bytes(path.read_bytes()[:-700])
    fixed = ("--token-key", tmp_path / "key", "-o", tmp_path / "out", "--formats", "txt")
    return lambda *words: run("batch", cohort, *fixed, *words)


def test_a_run_prints_a_line_for_each_study_and_exits_well_unless_it_is_strict(line, tmp_path):
    outcome = line()
    assert outcome.code == 0, outcome.err
    lines = outcome.err.splitlines()
    assert [text.partition(":")[0] for text in lines] == [f"{n} of 5" for n in range(1, 6)]
    assert sum(" failed (read): series 4: " in text for text in lines) == 1
    assert outcome.out.splitlines() == ["studies: 4 done, 1 failed", "overview: out/index.html"]
    assert len(rows(tmp_path / "out" / "studies.csv")) == 5
    again = line("--strict")
    assert again.code == 1
    assert "studies: 1 failed, 4 unchanged" in again.out


def test_json_lines_are_events(line):
    events = [json.loads(text) for text in line("--log-json", "--limit", "3").out.splitlines()]
    assert [event["event"] for event in events] == ["done", "done", "failed", "end"]
    assert events[2]["stage"] == "read"
    assert events[-1] == {"event": "end", "done": 2, "failed": 1}


def test_a_dry_run_lists_names_and_places_and_writes_nothing(line, tmp_path):
    outcome = line("--dry-run", "--include", "s[0-3]", "--exclude", "s1")
    assert [text.split("\t")[1] for text in outcome.out.splitlines()] == ["s0", "s2", "s3"]
    assert not (tmp_path / "out").exists()
    assert json.loads(line("--dry-run", "--log-json").out.splitlines()[0])["place"] == "s0"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--formats", "docx"), "format 'docx'"),
        (("--include", "nothing"), "no study fits"),
        (("--workers", "0"), "workers"),
        (("--contrast", "T9"), "contrast 'T9'"),
        (("--engine", "slurm"), "slurm"),
        (("--address", "auto"), "--address without --engine ray"),
    ],
)
def test_what_cannot_be_used_exits_with_two(line, words, told):
    outcome = line(*words)
    assert outcome.code == 2
    assert told in outcome.err


def test_an_output_that_cannot_be_written_is_one_line(line, tmp_path):
    (tmp_path / "out").write_text("x")
    outcome = line()
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "cannot be written" in outcome.err


def test_ray_that_is_not_installed_or_not_there_is_one_line(line, monkeypatch, tmp_path):
    with monkeypatch.context() as without:
        without.setattr("spinemri.batch.cluster.find_spec", lambda _: None)
        outcome = line("--engine", "ray")
    assert outcome.code == 2
    assert "needs Ray, which is not installed; expected pip install 'spinemri[ray]'" in outcome.err
    assert not (tmp_path / "out").exists()
