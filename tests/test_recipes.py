"""The recipes work: marked blocks run in one folder, and of the others every command, option and name exists."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer

from spinemri.cli import app

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
FOUND = re.findall(r"(<!-- run -->\n)?^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = [(language, text) for _, language, text in FOUND]
COMMANDS = typer.main.get_command(app).commands
LINES = [
    line
    for language, text in BLOCKS
    if language in {"console", "bash"}
    for line in text.replace("\\\n", " ").splitlines()
    if line.startswith("spinemri ")
]


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> str:
    """What the marked blocks printed, in a folder with one study twice, analysed and compared."""
    folder = tmp_path_factory.mktemp("recipes")
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    here = {**os.environ, "PATH": beside, "XDG_CONFIG_HOME": str(folder), "MPLBACKEND": "Agg", "COLUMNS": "120"}

    def run(command: list[str]) -> str:
        done = subprocess.run(command, cwd=folder, env=here, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def spinemri(text: str) -> str:
        return run([sys.executable, "-c", "from spinemri.cli import main; main()", *text.split()])

    spinemri("phantom --seed 3 --contrast T2w -o studies/first")
    shutil.copytree(folder / "studies" / "first", folder / "later")
    spinemri("batch studies -o results --no-lesions --formats json")
    spinemri("compare studies/first later -o change --no-lesions")
    told = ""
    for marked, language, text in FOUND:
        if marked:
            told += run([sys.executable, "-W", "error", "-c", text] if language == "python" else ["bash", "-ec", text])
    assert (folder / "disc_height.png").stat().st_size > 5000
    return told


def test_marked_blocks_run_and_score_the_other_tool(printed):
    dice = [float(value) for value in re.findall(r"vertebral body L[12]\s+.\s+(\d\.\d+)", printed)]
    assert len(dice) == 2
    assert all(0.8 < value < 0.97 for value in dice)
    assert re.search(r"^\d+ \w+ - \w+", printed, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_a_command_exists_with_its_options(line):
    name, *words = shlex.split(line.partition(" #")[0])[1:]
    known = {flag for option in COMMANDS[name].params for flag in option.opts}
    assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("text", [text for language, text in BLOCKS if language == "python"])
def test_a_name_that_is_imported_exists(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            module = import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("text", [text for language, text in BLOCKS if language == "bash"])
def test_a_script_is_one(text):
    subprocess.run(["/bin/bash", "-n", "-c", text], check=True)


def test_there_are_blocks_of_every_kind():
    assert sum(bool(marked) for marked, *_ in FOUND) >= 5
    assert len(LINES) >= 10
