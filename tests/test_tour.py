"""Every block of docs/tour.md runs as it stands, in a new environment, and prints what the page shows.

The environment is new, and the package in it is the wheel, so what the wheel lacks is missed. The libraries are those
of this environment, by a ``.pth`` file: to install torch anew takes minutes and a network. A ``.pth`` of a path does
not carry on to the ``.pth`` files in it, so an editable install of the source tree is not seen.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOUR = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
INSTALL = "venv/bin/pip install -c constraints.txt ."


class Block(NamedTuple):
    """A fenced block of the page."""

    language: str
    text: str


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", TOUR, re.MULTILINE | re.DOTALL)]


class Run(NamedTuple):
    """What a block that runs printed, and what the page says it prints."""

    text: str
    printed: str
    shown: str


def wheel(folder: Path) -> Path:
    """The package as it is published."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (made,) = folder.glob("*.whl")
    return made


def installation(made: Path) -> str:
    """The page's line that installs, from the wheel and without the libraries, which a ``.pth`` file lends."""
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    lend = f"printf '%s\\n' {' '.join(libraries)} > \"$(ls -d venv/lib/python*/site-packages)/lent.pth\""
    return f"venv/bin/pip install --quiet --no-deps --no-index {made} && {lend}"


def runnable(block: Block, made: Path) -> list[str]:
    """The command that runs a block."""
    if block.language == "python":
        return ["venv/bin/python", "-c", block.text]
    text = block.text.replace("python3.11", sys.executable).replace(INSTALL, installation(made))
    return ["bash", "-e", "-c", text]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Run]:
    """Every block, run in one folder; the first that fails ends it."""
    folder = tmp_path_factory.mktemp("tour")
    (folder / "sample_data").symlink_to(ROOT / "sample_data")
    made = wheel(tmp_path_factory.mktemp("wheel"))
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    path = f"{folder / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    threads = os.environ.get("OMP_NUM_THREADS", "2")
    here = {**kept, "PATH": path, "XDG_CONFIG_HOME": str(folder), "OMP_NUM_THREADS": threads, "COLUMNS": "120"}
    found: list[Run] = []
    for block in BLOCKS:
        if block.language == "text":
            found[-1] = found[-1]._replace(shown=block.text)
            continue
        done = subprocess.run(runnable(block, made), cwd=folder, env=here, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
        found.append(Run(block.text, done.stdout + done.stderr, ""))
    ask = ["venv/bin/python", "-c", "import spinemri; print(spinemri.__file__)"]
    where = subprocess.run(ask, cwd=folder, env=here, check=True, capture_output=True, text=True)
    assert Path(where.stdout.strip()).is_relative_to(folder / "venv")
    return found


def test_the_tour_installs_in_the_words_that_are_replaced():
    assert INSTALL in BLOCKS[0].text


def test_every_block_prints_what_the_page_shows(runs):
    shown = [run for run in runs if run.shown]
    assert len(shown) >= 4
    for run in shown:
        printed = " ".join(run.printed.split())
        for line in run.shown.splitlines():
            assert " ".join(line.split()) in printed, f"{run.text}\n{run.printed}"


def test_python_prints_the_fracture_and_why_something_is_missing(runs):
    statements, reasons = (run.printed for run in runs if "import spinemri" in run.text)
    lost = re.search(r"^L1 lost (\d+) % of its height \(95 % interval (\d+) to (\d+)\)$", statements, re.MULTILINE)
    assert lost
    low, value, high = (float(lost[n]) for n in (2, 1, 3))
    assert low < value < high
    assert abs(value - 35) < 8
    assert all(re.match(r"[LTS]\d+(-[LS]\d+)?\.\w+ - \w+", line) for line in reasons.splitlines())


def test_the_tour_meets_every_main_command():
    assert {"scan", "analyze", "phantom", "compare", "batch", "score"} <= set(
        re.findall(r"^spinemri (\w+)", TOUR, re.MULTILINE)
    )
