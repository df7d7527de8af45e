"""The notebooks run from the first cell to the last, and are kept without what they put out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SHOWN = {  # what a run of each prints, among other things
    "01_one_study": r"L1: 3\d % \(\d+ to \d+\), reference T12, L2",
    "02_cohort": r"2 studies, 0 failures",
    "03_phantom_and_truth": r"anterior_height    mean error, true masks 0\.\d+, smaller ones [12]\.\d+",
}


def cells(path: Path, kind: str) -> list[dict]:
    """Cells of one kind."""
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    script = "\n\n".join("".join(cell["source"]) for cell in cells(path, "code"))
    here = {**os.environ, "MPLBACKEND": "Agg", "XDG_CONFIG_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    strict = ["-W", "error", "-W", "ignore:FigureCanvasAgg is non-interactive"]  # of plt.show() where nobody looks
    command = [sys.executable, *strict, "-c", script]
    done = subprocess.run(command, cwd=FOLDER, env=here, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(SHOWN[path.stem], done.stdout), done.stdout


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_output_and_says_what_it_shows(path):
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells(path, "code"))
    assert "".join(cells(path, "markdown")[0]["source"]).startswith("# ")
    assert path.stat().st_size < 20_000


def test_there_are_three():
    assert {path.stem for path in NOTEBOOKS} == set(SHOWN)
