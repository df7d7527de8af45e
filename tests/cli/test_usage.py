"""The live line says how busy the machine is, and nothing where that cannot be told."""

from __future__ import annotations

import os

from spinemri.cli import usage
from spinemri.cli.usage import Usage


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_use_is_counted_between_two_looks(tmp_path, monkeypatch):
    monkeypatch.setattr(usage, "_EVERY_S", 0)
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 100 800 0 0 0 0 50 0\ncpu0 1 1\n")
    use = Usage(stat, program(tmp_path / "smi", "echo '71, 4213'; echo '0, 3'"))
    stat.write_text("cpu  160 0 110 810 20 0 0 0 90 0\ncpu0 1 1\n")  # 70 of 100 ticks busy; waiting for a disk is not
    assert str(use) == "CPU 70 %, GPU 71 % 4.2 GB, GPU 0 % 0.0 GB"
    assert str(use) == "GPU 71 % 4.2 GB, GPU 0 % 0.0 GB"


def test_it_looks_only_now_and_then(tmp_path):
    use = Usage(tmp_path / "absent", program(tmp_path / "smi", f"echo x >> {tmp_path / 'asked'}; echo '1, 1000'"))
    assert {str(use) for _ in range(5)} == {"GPU 1 % 1.0 GB"}
    assert (tmp_path / "asked").read_text() == "x\n"


def test_what_cannot_be_told_is_left_out(tmp_path):
    for text in ("exit 9", "echo '[N/A], [N/A]'", "echo nothing"):
        assert str(Usage(tmp_path / "absent", program(tmp_path / "smi", text))) == ""
    assert str(Usage(tmp_path / "absent", os.devnull)) == ""
