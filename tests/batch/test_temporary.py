"""A patient's files do not outlive the work: what was killed is swept, what is in use stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from spinemri.batch.temporary import private_folder, sweep
from spinemri.errors import OutputError

ROOT = Path(__file__).resolve().parents[2]
KILLED = """
import os, signal
from spinemri.batch.temporary import private_folder
with private_folder() as folder:
    (folder / "001").mkdir()
    (folder / "001" / "000001.dcm").write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_a_folder_is_its_owners_alone_and_is_gone_afterwards(place):
    def failing():
        with private_folder() as folder:
            assert folder.parent.stat().st_mode & 0o077 == 0
            (folder / "a").write_text("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert list(place.iterdir()) == []


def test_what_was_killed_is_swept_by_the_next_and_what_is_in_use_stays(place):
    subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, check=False)
    assert len(list(place.glob("*/files/001/*.dcm"))) == 1
    with private_folder() as folder:
        assert [folder] == list(place.glob("*/files"))
        sweep()
        assert folder.is_dir()
    assert list(place.iterdir()) == []


def test_folders_of_others_are_left_alone(place):
    for name in ("spinemri-abc/study", "other-abc/files", "held/files"):
        (place / name).mkdir(parents=True)
    (place / "spinemri-link").symlink_to(place / "held")
    (place / "spinemri-theirs" / "files").mkdir(parents=True)
    theirs = os.geteuid() == 0  # else nothing can be given away
    if theirs:
        os.chown(place / "spinemri-theirs", 65534, 65534)
    sweep()
    assert sorted(path.name for path in place.iterdir() if path.name != "spinemri-theirs") == [
        "held",
        "other-abc",
        "spinemri-abc",
        "spinemri-link",
    ]
    assert (place / "spinemri-theirs").exists() == theirs
    assert [path.name for path in (place / "held").iterdir()] == ["files"]


def test_no_place_is_one_line(place):
    with (
        pytest.raises(OutputError, match=r"^no temporary folder can be made \(No such file"),
        private_folder(place / "x"),
    ):
        pass
