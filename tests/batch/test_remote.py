"""Studies of a PACS are found, fetched one by one, done once, and gone from this machine, however a run ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pydicom
import pytest

from spinemri.analysis import token
from spinemri.batch.cluster import Cluster
from spinemri.batch.remote import Archive, find_remote, surveyed
from spinemri.batch.run import analyze_many, run
from spinemri.batch.sources import chosen, find_sources
from spinemri.dicom.server import Server
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import InputError, ServerError
from tests.batch.small_study import KEY, OPTIONS, deadly_job, edit, job, study_image, true_networks
from tests.batch.tables_of import rows, tables
from tests.cli.command import run as command
from tests.dicom.web_server import says, serving
from tests.orthanc import orthanc

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = "geheim4711"
KEPT_UNTIL_WRITTEN = ("json", "dicom-seg")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Where temporary folders are made, of this process and others; nothing may be left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", tempfile.gettempdir())  # names of its sockets must be short
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def pacs(tmp_path):
    with orthanc(tmp_path) as server:
        yield server


def study(folder, number, **values):
    """Files of a study; and its UID."""
    header = StudyHeader(f"MUSTERMANN{number}", study_date=f"2025010{number}")
    paths = write_series(study_image(number), folder / "studies" / f"s{number}", header)
    edit(paths, StudyDescription=f"MRT {'LWS' if number % 2 else 'HWS'}", **values)
    return paths, str(pydicom.dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)


@pytest.fixture
def three(pacs, tmp_path):
    """UIDs of three sound studies in the PACS."""
    found = [study(tmp_path, number) for number in (1, 2, 3)]
    pacs.store([path for paths, _ in found for path in paths])
    return [uid for _, uid in found]


def sources(pacs, **days):
    return find_remote(Archive(Server(pacs.url, {"X-Api-Key": HIDDEN}), **days), OPTIONS)


def done(pacs, out, workers=1, **values) -> Counter[str]:
    return Counter(outcome.status for outcome in run(sources(pacs), job(**values), out, workers))


def names(*uids):
    return sorted(token(uid, KEY) for uid in uids)


def test_every_study_is_done_once_as_if_it_lay_in_a_folder_and_until_it_changes(pacs, three, tmp_path, place):
    out, local = tmp_path / "out", tmp_path / "local"
    assert done(pacs, out) == {"done": 3}
    assert sorted(path.name for path in (out / "studies").iterdir()) == names(*three)
    list(run(find_sources(tmp_path / "studies", OPTIONS), job(), local))
    assert tables(out) == tables(local)
    assert done(pacs, out) == {"unchanged": 3}
    assert done(pacs, out, force=True) == {"done": 3}
    assert list(place.iterdir()) == []
    more = write_series(study_image(77), tmp_path / "more", StudyHeader("MUSTERMANN1"))
    edit(more, StudyInstanceUID=three[0], Modality="OT")  # as objects that others store
    pacs.store(more[:1])
    assert done(pacs, out) == {"unchanged": 3}
    edit(more, Modality="MR", SeriesInstanceUID="1.2.3.4711")
    pacs.store(more[1:])
    again = {outcome.id: outcome.status for outcome in run(sources(pacs), job(), out)}
    assert [name for name, status in again.items() if status != "unchanged"] == names(three[0])


def test_nothing_that_is_written_or_told_says_who_it_is_or_what_opens_the_server(pacs, tmp_path, place, caplog):
    (broken, bad), (sound, good) = study(tmp_path, 1), study(tmp_path, 2)
    edit(broken[1:], PixelSpacing=None)
    pacs.store([*broken, *sound])
    out = tmp_path / "out"
    found = sources(pacs)
    outcomes = list(run(found, job(formats=("json", "html", "txt", "csv")), out))
    assert {outcome.id: outcome.status for outcome in outcomes} == {
        token(bad, KEY): "failed",
        token(good, KEY): "done",
    }
    (failure,) = rows(out / "failures.csv")
    assert (failure["id"], failure["stage"]) == (token(bad, KEY), "read")
    assert "series 4" in failure["error"]
    told = [repr(found), repr(outcomes), caplog.text, *(str(path.relative_to(out)) for path in out.rglob("*"))]
    written = b"".join([*(path.read_bytes() for path in out.rglob("*") if path.is_file()), "".join(told).encode()])
    assert not [word for word in ("MUSTERMANN", bad, good, HIDDEN, str(place)) if word.encode() in written]
    assert list(place.iterdir()) == []


def test_days_and_places_choose_and_identifiers_are_kept_on_request_only(pacs, three):
    assert [source.place for source in sources(pacs)] == [
        "2025-01-01/MRT LWS",
        "2025-01-02/MRT HWS",
        "2025-01-03/MRT LWS",
    ]
    second = date(2025, 1, 2)
    assert len(sources(pacs, since=second)) == len(sources(pacs, until=second)) == 2
    (only,) = chosen(sources(pacs, until=second), ["*LWS"], [])
    assert only.id == token(three[0], KEY)
    with pytest.raises(InputError, match="no MR study found of these days"):
        sources(pacs, since=date(2026, 1, 1))
    kept = find_remote(Archive(Server(pacs.url)), replace(OPTIONS, keep_identifiers=True))
    assert [source.id for source in kept] == three


def test_a_study_that_is_gone_when_its_turn_comes_is_one_failure_and_the_others_go_on(three, pacs, tmp_path, place):
    out, found = tmp_path / "out", surveyed(sources(pacs))
    asked = json.dumps({"Level": "Study", "Query": {"StudyInstanceUID": three[1]}}).encode()
    gone = json.loads(pacs.request("/tools/find", asked)[1])
    pacs.request("/tools/bulk-delete", json.dumps({"Resources": gone}).encode())
    outcomes = {outcome.id: outcome for outcome in run(found, job(), out)}
    assert [outcomes[name].status for name in (found[0].id, found[1].id, found[2].id)] == ["done", "failed", "done"]
    assert outcomes[found[1].id].stage == "read"
    assert "no such study" in outcomes[found[1].id].error or "no MR series" in outcomes[found[1].id].error
    assert list(place.iterdir()) == []


def test_when_the_server_goes_in_mid_run_what_is_done_stays_done(tmp_path, place):
    out = tmp_path / "out"
    with orthanc(tmp_path) as pacs:
        pacs.store([path for number in (1, 2) for path in study(tmp_path, number)[0]])
        assert done(pacs, out) == {"done": 2}
        pacs.store(study(tmp_path, 3)[0])
        found = surveyed(sources(pacs))
    outcomes = list(run(found, job(), out))
    assert [outcome.status for outcome in outcomes] == ["unchanged", "unchanged", "failed"]
    assert outcomes[2].error == f"server 127.0.0.1:{pacs.port}: cannot be reached"
    with pytest.raises(ServerError, match="cannot be reached"):
        list(run([replace(s, remote=replace(s.remote, series=None)) for s in found], job(), out))
    assert list(place.iterdir()) == []


def test_a_study_whose_series_are_refused_is_one_failure(tmp_path):
    listed = {"0020000D": {"Value": ["1.2.3.4711"]}, "00080020": {"Value": ["20250101"]}}

    def answer(handler):
        if "/series" in handler.path:
            says(403)(handler)
        else:
            says(200, json.dumps([listed] if "offset=0" in handler.path else []).encode())(handler)

    with serving(answer) as url:
        found = find_remote(Archive(Server(url)), OPTIONS)
        (outcome,) = run(found, job(), tmp_path / "out")
    assert (outcome.status, outcome.stage) == ("failed", "read")
    assert "HTTP 403: this user may not do that" in outcome.error


def test_analyses_are_handed_out_from_a_server_too(pacs, three, tmp_path, place):
    there = {a.study: a.measurements for a in analyze_many(Archive(Server(pacs.url)), true_networks, OPTIONS)}
    here = {a.study: a.measurements for a in analyze_many(tmp_path / "studies", true_networks, OPTIONS)}
    assert there == here
    assert list(place.iterdir()) == []


# the command


@pytest.fixture
def batch(tmp_path, monkeypatch):
    """Runs the command with a network that knows the truth."""
    monkeypatch.setattr("spinemri.batch.run.networks", lambda *_, **__: true_networks())
    monkeypatch.setenv("PACS", HIDDEN)
    (tmp_path / "key").write_bytes(KEY)
    fixed = ("-o", tmp_path / "out", "--token-key", tmp_path / "key", "--formats", "txt")
    return lambda *words: command("batch", *words, *fixed)


def test_the_command_does_what_was_chosen_and_goes_on_where_it_ended(pacs, three, batch, tmp_path, place):
    words = ("--from", pacs.url, "--from-auth", "env:PACS")
    outcome = batch(*words, "--include", "*LWS", "--limit", "1")
    assert (outcome.code, outcome.out.splitlines()[0]) == (0, "studies: 1 done"), outcome.err
    assert [path.name for path in (tmp_path / "out" / "studies").iterdir()] == names(three[0])
    assert "studies: 1 done" in batch(*words, "--since", "2025-01-02", "--exclude", "*LWS").out
    again = batch(*words)
    assert "studies: 1 done, 2 unchanged" in again.out
    assert not [word for word in (*three, HIDDEN) if word in outcome.err + again.err + again.out]
    assert list(place.iterdir()) == []


def test_a_dry_run_asks_for_the_list_and_for_nothing_else(batch, tmp_path):
    listed = {"0020000D": {"Value": ["1.2.3.4711"]}, "00080020": {"Value": ["20250101"]}}
    asked = []

    def answer(handler):
        asked.append(handler.path)
        says(200, json.dumps([listed] if "offset=0" in handler.path else []).encode())(handler)

    with serving(answer) as url:
        outcome = batch("--from", url, "--dry-run", "--since", "2025-01-01", "--until", "2025-01-31")
    assert outcome.out == f"{token('1.2.3.4711', KEY)}\t2025-01-01\n"
    assert {path.partition("?")[0] for path in asked} == {"/dicom-web/studies"}
    assert all("StudyDate=20250101-20250131" in path for path in asked)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "expected a folder or list of studies, or --from URL"),
        (("folder", "--from", "http://127.0.0.1:1/x"), "expected a folder or list of studies, or --from URL"),
        (("folder", "--since", "2025-01-01"), "expected --from URL with them"),
        (("folder", "--from-auth", "env:PACS"), "--from-auth without --from"),
        (("--from", "http://127.0.0.1:1/x", "--until", "yesterday"), "yesterday"),
        (("--from", "http://127.0.0.1:1/x"), "server 127.0.0.1:1: cannot be reached"),
        (("--from", "http://pacs/x", "--from-auth", "env:PACS"), "http would send the credential in clear"),
    ],
)
def test_what_cannot_be_meant_or_reached_is_refused(words, told, batch, tmp_path):
    outcome = batch(*words)
    assert outcome.code == 2
    assert told in outcome.err
    assert HIDDEN not in outcome.err
    assert not (tmp_path / "out").exists()


# many processes, and ends before the end


def test_a_worker_that_dies_leaves_nothing_and_the_others_go_on(pacs, three, tmp_path, place):
    """The files are kept until a SEG is made of them, so they are there when the network is killed."""
    deadly = replace(deadly_job(int(study_image(3).voxels.max())), formats=KEPT_UNTIL_WRITTEN)
    outcomes = {outcome.id: outcome for outcome in run(sources(pacs), deadly, tmp_path / "out", 2)}
    assert Counter(outcome.status for outcome in outcomes.values()) == {"done": 2, "failed": 1}
    assert "ended twice" in outcomes[token(three[2], KEY)].error
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 2
    assert list(place.iterdir()) == []
    assert done(pacs, tmp_path / "out", formats=KEPT_UNTIL_WRITTEN) == {"done": 1, "unchanged": 2}


def test_actors_of_ray_fetch_for_themselves(pacs, three, tmp_path, place):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'spinemri[ray]'")
    out = tmp_path / "out"
    assert done(pacs, out, Cluster(workers=1), formats=KEPT_UNTIL_WRITTEN) == {"done": 3}
    assert done(pacs, out, formats=KEPT_UNTIL_WRITTEN) == {"unchanged": 3}
    assert list(place.glob("spinemri-*")) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_left_early_drops_what_it_fetched(pacs, three, tmp_path, place, workers):
    outcomes = run(sources(pacs), job(formats=KEPT_UNTIL_WRITTEN), tmp_path / "out", workers)
    next(outcomes)
    outcomes.close()
    assert list(place.iterdir()) == []
    statuses = done(pacs, tmp_path / "out", formats=KEPT_UNTIL_WRITTEN)
    assert statuses["unchanged"] >= 1
    assert statuses.total() == 3


SLOW = """
import time
import spinemri.batch.run
from tests.batch.small_study import true_networks
from spinemri.networks import Networks
class Slow:
    model, device, levels, outlines, together = true_networks().anatomy.model, "cpu", None, None, 1
    def predict(self, image):
        time.sleep(0.5)
        return true_networks().anatomy.predict(image)
spinemri.batch.run.networks = lambda *_, **__: Networks(Slow())
from spinemri.cli import main
main()
"""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_a_command_the_files_are_gone_at_the_latest_with_the_next_run(pacs, three, tmp_path, place, end):
    words = [
        "batch",
        "--from",
        pacs.url,
        "-o",
        tmp_path / "out",
        "--token-key",
        tmp_path / "key",
        "--formats",
        "dicom-seg",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, *map(str, words)], env=environment, stderr=subprocess.PIPE, text=True
    )
    with process:
        while not list(place.rglob("*.dcm")):
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(end)
        told = process.stderr.read()
    assert process.returncode != 0
    assert not [uid for uid in three if uid in told]
    if end == signal.SIGTERM:
        assert list(place.iterdir()) == []
    assert done(pacs, tmp_path / "out").total() == 3
    assert list(place.iterdir()) == []
