"""Other people's programs that judge DICOM: dciodvfy (dicom3tools), dsr2html (DCMTK), Orthanc."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


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
