"""Other people's programs that judge what is written: dciodvfy (dicom3tools), dsr2html (DCMTK), the BIDS validator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KINDS = ("Segmentation", "SR", "RTStructureSet", "EncapsulatedPDF", "KeyObjectSelection")


def tool(name: str, package: str) -> str:
    """Path of a program; the test is skipped where it is absent."""
    found = shutil.which(name, path="/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"no {name}: apt-get install {package}")
    return found


def faults(path: Path) -> list[str]:
    """Lines in which dciodvfy calls something an error."""
    command = [tool("dciodvfy", "dicom3tools"), str(path)]
    said = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    assert any(word in line for line in lines for word in KINDS), lines
    return [line for line in lines if line.startswith(("Error", "Abort"))]


def rendered(path: Path, out: Path) -> str:
    """The page that dsr2html makes of a structured report."""
    command = [tool("dsr2html", "dcmtk"), str(path), str(out)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    assert "E: " not in said.stderr
    return out.read_text(encoding="utf-8")


def bids_issues(folder: Path) -> list[tuple[str, str, str]]:
    """Severity, code and place of whatever the BIDS validator, which brings its schema, has to say of a data set."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    command = shutil.which("bids-validator-deno", path=beside)
    if command is None:
        pytest.skip("no bids-validator-deno: pip install bids-validator-deno")
    told = [command, str(folder), "--format", "json"]
    said = subprocess.run(told, capture_output=True, text=True, timeout=120, check=False)
    document = json.loads(said.stdout)
    assert document["summary"]["totalFiles"] > 0
    return [(i["severity"], i["code"], i.get("location", "")) for i in document["issues"]["issues"]]
