"""A watch analyses what is new once, waits for what is arriving, reports what is broken once, and outlives its end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from spinemri.analysis import token
from spinemri.batch.archive import STORED
from spinemri.batch.watch import ARRIVING, FAILED, LATER, STARTED, STORED_BACK, UNREACHABLE, Watch, watch
from spinemri.dicom.server import Server
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import InputError
from spinemri.networks import Networks
from tests.batch.small_study import KEY, OPTIONS, edit, study_image, true_networks
from tests.orthanc import free_port, orthanc

ROOT = Path(__file__).resolve().parents[2]
SEG = ("dicom-seg",)  # quick to make


@pytest.fixture
def pacs(tmp_path):
    """A server of each test's own: what is new depends on what is there."""
    with orthanc(tmp_path) as server:
        yield server


@pytest.fixture
def job(pacs, tmp_path):
    server = Server(pacs.url)
    return Watch(server, server, tmp_path / "state", OPTIONS, true_networks, SEG, interval_s=0.02)


def study(folder, number, day=None):
    """Files of a study of today; and its UID."""
    header = StudyHeader(f"MUSTERMANN{number}", study_date=day or datetime.now(UTC).astimezone().strftime("%Y%m%d"))
    paths = write_series(study_image(number), folder / str(number), header)
    return paths, pydicom.dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID


class EnoughError(Exception):
    """Ends a watch."""


def every_event(job, looks=4):
    """What happens in so many looks at the server."""
    left = iter(range(looks - 1))

    def pause(seconds):
        if next(left, None) is None:
            raise EnoughError
        time.sleep(seconds)

    found = []
    with suppress(EnoughError):
        found.extend(watch(job, pause))
    return found


def events(job, looks=4):
    """The same without starts and arrivals: status -> studies, as often as it happened."""
    found = defaultdict(list)
    for event in every_event(job, looks):
        if event.status not in {STARTED, ARRIVING}:
            found[event.status].append(event.study)
    return {status: sorted(names) for status, names in found.items()}


def remembered(job):
    return {p.stem: json.loads(p.read_text())["status"] for p in (job.state / "studies").glob("[!.]*")}


def names(*uids):
    return sorted(token(uid, KEY) for uid in uids)


def test_each_new_study_is_done_once_and_its_objects_are_in_the_pacs(pacs, job, tmp_path):
    (first, one), (second, two), (old, before) = (
        study(tmp_path, n, day) for n, day in ((1, ""), (2, ""), (3, "20200101"))
    )
    pacs.store([*first, *second, *old])
    job = replace(job, formats=STORED)
    assert events(job) == {STORED_BACK: names(one, two)}
    back = ["MR", "RTSTRUCT", "SEG", "SR"]
    assert [pacs.modalities(uid) for uid in (one, two, before)] == [back, back, ["MR"]]
    assert events(job) == {}
    assert pacs.instances(one) == len(first) + 3
    assert not job.work.exists()
    assert events(replace(job, days=36500, formats=SEG)) == {STORED_BACK: names(before)}


def test_a_study_that_is_still_arriving_is_waited_for(pacs, job, tmp_path):
    paths, uid = study(tmp_path, 1)
    halves = [paths[:3], paths[3:]]
    looks = []

    def pause(seconds):
        looks.append(seconds)
        if halves:
            pacs.store(halves.pop(0))
        elif len(looks) > 4:
            raise EnoughError

    found = []
    with suppress(EnoughError):
        found.extend(watch(job, pause))
    assert [event.status for event in found] == [ARRIVING, ARRIVING, STARTED, STORED_BACK]
    assert found[1].told == f"{len(paths)} images so far"
    assert pacs.modalities(uid) == ["MR", "SEG"]


def test_a_broken_study_is_reported_once_and_stops_no_other(pacs, job, tmp_path):
    (broken, bad), (sound, good) = study(tmp_path, 1), study(tmp_path, 2)
    for path in broken[1:]:
        edit((path,), PixelSpacing=None)
    pacs.store([*broken, *sound])
    found = every_event(job, looks=6)
    (failed,) = [event for event in found if event.status == FAILED]
    assert (failed.study, *names(good)) == (*names(bad), *[e.study for e in found if e.status == STORED_BACK])
    assert "series 4" in failed.told
    assert events(job) == {}
    told = "".join(path.read_text() for path in job.state.rglob("*") if path.is_file()) + repr(found) + repr(job)
    assert not [word for word in ("MUSTERMANN", bad, good, str(tmp_path / "state" / "work")) if word in told]


def test_a_watch_that_is_killed_takes_up_what_it_was_doing(pacs, job, tmp_path):
    (first, one), (second, two) = study(tmp_path, 1), study(tmp_path, 2)
    pacs.store([*first, *second])
    killed_when(job, STARTED)
    assert sorted(remembered(job).values()) == [STARTED]
    assert len(list(job.work.iterdir())) == 1  # what it had fetched
    assert events(job) == {STORED_BACK: names(one, two)}
    assert not job.work.exists()
    assert [pacs.instances(one), pacs.instances(two)] == [len(first) + 1, len(second) + 1]


def test_a_watch_that_is_killed_after_one_study_does_only_the_other(pacs, job, tmp_path):
    (first, one), (second, two) = study(tmp_path, 1), study(tmp_path, 2)
    pacs.store([*first, *second])
    killed_when(job, STORED_BACK)
    done = [name for name, status in remembered(job).items() if status == STORED_BACK]
    (left,) = {*names(one, two)} - {*done}
    assert events(job) == {STORED_BACK: [left]}


def killed_when(job, status):
    """A watch in a process of its own, killed when a study has come so far."""
    code = (
        "import sys; from pathlib import Path; from spinemri.batch.watch import Watch, watch\n"
        "from spinemri.dicom.server import Server; from tests.batch.small_study import OPTIONS, true_networks\n"
        "server = Server(sys.argv[1])\n"
        "job = Watch(server, server, Path(sys.argv[2]), OPTIONS, true_networks, ('dicom-seg',), interval_s=0.02)\n"
        "for _ in watch(job): pass"
    )
    process = subprocess.Popen([sys.executable, "-c", code, job.source.url, str(job.state)], cwd=ROOT)
    try:
        while not (job.state / "studies").is_dir() or status not in remembered(job).values():
            assert process.poll() is None
            time.sleep(0.01)
        while status == STARTED and not list(job.work.iterdir()):
            time.sleep(0.001)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_a_study_over_which_the_program_ends_again_and_again_is_given_up(pacs, job, tmp_path):
    paths, uid = study(tmp_path, 1)
    pacs.store(paths)
    assert every_event(job, looks=1)[0].status == ARRIVING
    (job.state / "studies" / f"{token(uid, KEY)}.json").write_text('{"status": "started", "attempts": 5}')
    assert events(job) == {FAILED: names(uid)}
    assert events(job) == {}


def test_what_the_user_ends_counts_for_nothing(pacs, job, tmp_path):
    paths, uid = study(tmp_path, 1)
    pacs.store(paths)

    def interrupted():
        return Networks(Interrupted())

    with pytest.raises(KeyboardInterrupt):
        every_event(replace(job, load=interrupted))
    assert not job.work.exists()
    assert remembered(job) == {token(uid, KEY): LATER}
    assert events(job) == {STORED_BACK: names(uid)}


class Interrupted:
    """A network over which the user loses patience."""

    model = property(lambda _: true_networks().anatomy.model)
    device = "cpu"
    levels = outlines = None
    together = 1

    def predict(self, _):
        raise KeyboardInterrupt


def test_what_a_server_does_not_take_is_sent_again_later_and_not_for_ever(pacs, job, tmp_path):
    paths, uid = study(tmp_path, 1)
    pacs.store(paths)
    nowhere = Server(f"http://127.0.0.1:{free_port()}/dicom-web")
    (event,) = [e for e in every_event(replace(job, target=nowhere, interval_s=0.5), 2) if e.status == LATER]
    assert event.told == f"server {nowhere.name}: cannot be reached"
    path = job.state / "studies" / f"{token(uid, KEY)}.json"
    assert json.loads(path.read_text())["not_before"] > time.time() - 0.5
    path.write_text('{"status": "later", "attempts": 4}')
    assert events(replace(job, target=nowhere)) == {FAILED: names(uid)}
    path.unlink()  # what the page of the watch says: forget it, and it is done again
    assert events(job) == {STORED_BACK: names(uid)}


def test_a_server_that_is_away_is_waited_for(pacs, job, tmp_path):
    nowhere = Server(f"http://127.0.0.1:{free_port()}/dicom-web")
    assert events(replace(job, source=nowhere), looks=3) == {UNREACHABLE: ["", "", ""]}


def test_a_state_folder_has_one_watch_and_one_key(pacs, job, tmp_path):
    pacs.store(study(tmp_path, 1)[0])
    running = watch(job, lambda _: None)
    with pytest.raises(InputError, match="give Options a token_key"):
        replace(job, options=replace(OPTIONS, token_key=None))
    try:
        assert next(running).status == ARRIVING
        with pytest.raises(InputError, match="state folder state: another watch works with it"):
            every_event(job)
    finally:
        running.close()
    with pytest.raises(InputError, match="made with another token key"):
        every_event(replace(job, options=replace(OPTIONS, token_key=b"x" * 16)))
