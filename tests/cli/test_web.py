"""Studies from a DICOMweb server and objects into it, as the commands do it; and no net where no server is named."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pydicom
import pytest

from spinemri.cli.web import Access, servers
from spinemri.convert import write_nifti
from spinemri.pipeline import analyze
from tests.batch.small_study import OPTIONS, true_networks, write_study
from tests.cli.command import run
from tests.orthanc import free_port

ROOT = Path(__file__).resolve().parents[2]
MASKS = ("--labels-from", "spinemri", "--labels-only", "--no-lesions", "--formats")


@pytest.fixture(scope="module")
def stored(pacs, tmp_path_factory):
    """A server with a study, the study's UID, and its true mask in a file."""
    folder = tmp_path_factory.mktemp("study")
    paths = write_study(folder / "study", 1, "MUSTERMANN")
    pacs.store(paths)
    (mask,) = analyze(folder / "study", true_networks(), OPTIONS).segmentations
    write_nifti(mask.voxels, mask.geometry, folder / "mask.nii.gz")
    return pacs, str(pydicom.dcmread(paths[0]).StudyInstanceUID), folder / "mask.nii.gz"


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    """Where nothing may be left behind."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def left_behind(tmp_path):
    return [path for path in (tmp_path / "temporary").rglob("*") if path.suffix == ".dcm"]


def test_a_study_comes_from_a_server_and_its_objects_go_back_unchanged(stored, tmp_path):
    pacs, uid, mask = stored
    objects = ("json,dicom-seg,dicom-sr,rtstruct", "-o", tmp_path / "out")
    outcome = run(
        "analyze", "--from", pacs.url, "--study", uid, "--store", pacs.url, "--labels", mask, *MASKS, *objects
    )
    assert outcome.code == 0, outcome.err
    assert "levels: L4, L5, S1" in outcome.out
    assert outcome.out.splitlines()[-2:] == ["report: out/report.json", f"stored: 3 objects in 127.0.0.1:{pacs.port}"]
    assert pacs.modalities(uid) == ["MR", "RTSTRUCT", "SEG", "SR"]
    for path in (tmp_path / "out").glob("*.dcm"):
        sent = pydicom.dcmread(path)
        assert pacs.fetch(sent) == sent
        assert str(sent.PatientName) == "MUSTERMANN"
    assert left_behind(tmp_path) == []
    assert uid not in outcome.out + outcome.err + (tmp_path / "out" / "report.json").read_text()


def test_objects_of_a_folder_are_stored_without_leaving_an_identity_in_the_result(stored, tmp_path):
    pacs, _, mask = stored
    write_study(tmp_path / "study", 1, "MUSTERMANN")
    own = ("--labels", mask, *MASKS, "txt", "--store", pacs.url)
    outcome = run("analyze", tmp_path / "study", "-o", tmp_path / "out", *own)
    assert outcome.code == 0, outcome.err
    assert "stored: 3 objects" in outcome.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.json", "report.txt"]


def test_a_server_that_takes_nothing_is_one_line_and_the_result_stays(stored, tmp_path):
    pacs, uid, mask = stored
    nowhere = f"http://127.0.0.1:{free_port()}/x"
    own = ("--labels", mask, *MASKS, "txt", "-o", tmp_path / "out", "--store", nowhere)
    outcome = run("analyze", "--from", pacs.url, "--study", uid, *own)
    assert outcome.code == 2
    said = f"error: server {nowhere.removeprefix('http://').removesuffix('/x')}: cannot be reached"
    assert outcome.err.splitlines()[-1] == said
    assert (tmp_path / "out" / "report.txt").is_file()
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "expected a FOLDER, or --from URL with --study UID"),
        (("--study", "1.2.3.4711"), "expected a FOLDER, or --from URL with --study UID"),
        (("--from", "http://127.0.0.1:1/x"), "--from: expected --study UID with it, and no FOLDER"),
        (("folder", "--from", "http://127.0.0.1:1/x", "--study", "1.2.3.4711"), "and no FOLDER"),
        (("--from", "http://127.0.0.1:1/x", "--study", "1.2.3.4711"), "server 127.0.0.1:1: cannot be reached"),
        (("--from", "http://127.0.0.1:1/x", "--study", "MUSTERMANN"), "expected a Study Instance UID"),
        (("folder", "--store", "pacs"), "expected https://HOST/PATH"),
        (("folder", "--from-auth", "env:X"), "--from-auth without --from"),
        (("folder", "--store-auth", "env:X"), "--store-auth without --store"),
        (("folder", "--store", "https://pacs/x", "--store-auth", "4711"), "expected env:NAME or file:PATH"),
        (("folder", "--store", "https://pacs/x", "--ca", "none.pem"), "--ca none.pem: expected a file"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = run("analyze", *words, "-o", "out")
    assert outcome.code == 2
    assert told in outcome.err
    assert outcome.err.count("\n") == 1
    assert not [word for word in ("4711", "MUSTERMANN") if word in outcome.err]
    assert not Path("out").exists()


def test_a_credential_goes_to_another_host_only_when_it_was_meant_for_it(monkeypatch):
    monkeypatch.setenv("PACS", "abc")
    access = Access("env:PACS", None, None, no_verify=False, timeout=5)
    source, same = servers("https://pacs/a", "https://pacs/b", access)
    assert source.headers == same.headers == {"Authorization": "Bearer abc"}
    for other in ("https://other/b", "https://pacs:444/b"):
        assert servers("https://pacs/a", other, access)[1].headers == {}


def test_without_a_server_nothing_is_asked_of_the_net(tmp_path):
    """With the real network. torch and monai load requests, which looks whether IPv6 is there."""
    for path in sorted((ROOT / "sample_data" / "4_T2w").iterdir())[4:11]:
        (tmp_path / "study").mkdir(exist_ok=True)
        (tmp_path / "study" / path.name).write_bytes(path.read_bytes())
    code = (
        "import sys; seen = []\n"
        "harmless = {'socket.__new__', 'socket.bind', 'socket.gethostname'}\n"
        "sys.addaudithook(lambda e, _: seen.append(e) if e.startswith('socket.') and e not in harmless else None)\n"
        "from spinemri.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print('seen:', seen, 'dicomweb_client' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path / "key")}
    command = [sys.executable, "-c", code, "analyze", "study", "-o", "out", "--no-lesions"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "report: out/report.html" in done.stdout
    assert done.stdout.splitlines()[-1] == "seen: [] False"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_ends_cleanly_when_it_is_asked_to(pacs, end, tmp_path):
    """With nothing to do, so no network is loaded; a shell may have started the tests with Ctrl-C ignored."""
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heard}; from spinemri.cli import main; main()"
    words = ("watch", "--from", pacs.url, "--store", pacs.url, "--state", "state", "--interval", "1", "--days", "0")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr.readline() == f"watching 127.0.0.1:{pacs.port}; Ctrl-C ends\n"
    process.send_signal(end)
    assert process.communicate(timeout=180)[1].endswith(
        "ended; what was being worked on is taken up by the next watch\n"
    )
    assert process.returncode == 0
    assert not (tmp_path / "state" / "work").exists()


def test_the_watch_tells_what_it_does_by_token(stored, tmp_path, monkeypatch):
    pacs, uid, _ = stored
    monkeypatch.setattr("spinemri.batch.run.networks", lambda *_, **__: true_networks())
    told = []

    def shown(event):
        told.append(event)
        if event.status == "stored":
            raise KeyboardInterrupt

    monkeypatch.setattr("spinemri.cli.watch._show", shown)
    words = ("--state", tmp_path / "state", "--interval", "1", "--days", "36500", "--formats", "dicom-seg")
    outcome = run("watch", "--from", pacs.url, "--store", pacs.url, *words)
    assert outcome.code == 0, outcome.err
    assert [event.status for event in told] == ["arriving", "started", "stored"]
    assert len({event.study for event in told}) == 1
    assert re.fullmatch(r"[0-9a-f]{16}", told[0].study)
    (record,) = (tmp_path / "state" / "studies").iterdir()
    assert json.loads(record.read_text())["status"] == "stored"
    assert uid not in repr(told) + record.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--from", "http://127.0.0.1:1/x"), "expected --from URL and --store URL"),
        (("--from", "http://127.0.0.1:1/x", "--store", "http://127.0.0.1:1/x", "--formats", "docx"), "format 'docx'"),
    ],
)
def test_a_watch_that_cannot_be_meant_is_refused(words, told, tmp_path):
    outcome = run("watch", *words, "--state", tmp_path / "state")
    assert outcome.code == 2
    assert told in outcome.err
    assert not (tmp_path / "state").exists()
