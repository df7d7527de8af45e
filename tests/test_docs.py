"""What is written about spinemri is true: examples run, commands and files exist, every option is explained."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import typer

import spinemri
from spinemri.cli import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(
    path
    for folder in (".", "docs", "models", "sample_data")
    for path in (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")
)
COMMANDS = typer.main.get_command(app).commands
OPTIONS = [(name, option) for name, command in COMMANDS.items() for option in command.params]


def blocks(language: str) -> list[str]:
    """Fenced code blocks of the README in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_readmes_python_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    """On the T2 series of the sample study, which is enough for every line of it."""
    (block,) = blocks("python")
    script = tmp_path / "readme.py"
    script.write_text(block, encoding="utf-8")
    (tmp_path / "sample_data").mkdir()
    (tmp_path / "sample_data" / "4_T2w").symlink_to(ROOT / "sample_data" / "4_T2w")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))
    levels, *losses = capsys.readouterr().out.splitlines()
    assert "'L5', 'S1'" in levels
    assert len(losses) >= 5
    assert all(re.match(r"[TL]\d+: -?\d+ % \(reference ", line) for line in losses)
    assert (tmp_path / "sample-report" / "report.html").is_file()


def test_the_readmes_example_is_short():
    (block,) = blocks("python")
    assert len([line for line in block.splitlines() if line.strip()]) <= 15


def test_the_first_commands_of_the_readme_are_targets_of_the_makefile():
    first = blocks("console")[0]
    targets = re.findall(r"^make (\w+)", first, re.MULTILINE)
    assert targets == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    mentioned = {name for page in PAGES for name in re.findall(r"`make (\w+)`", page.read_text(encoding="utf-8"))}
    for target in {*targets, *mentioned}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
        assert phony is not None
        assert target in phony[1].split()


@pytest.mark.parametrize("line", re.findall(r"^spinemri .*", "\n".join(blocks("console")), re.MULTILINE))
def test_a_command_of_the_readme_exists_with_its_options(line):
    name, *words = line.partition("#")[0].split()[1:]
    known = {flag for option in COMMANDS[name].params for flag in option.opts}
    assert {word for word in words if word.startswith("-")} <= known
    assert line.partition("#")[2].strip()


def test_every_command_is_in_the_readme_with_the_main_ones_in_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for name, command in COMMANDS.items():
        assert f"spinemri {name}" in README
        assert f"`spinemri {name}" in changelog
        assert len(command.help or "") > 20


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=[f"{name} {option.name}" for name, option in OPTIONS])
def test_every_option_is_explained(command, option):
    assert len(option.help or "") > 10, f"{command} {option.name} has no help"
    assert option.help[0].isupper() or option.name == "device"


def test_the_help_is_what_the_terminal_shows(capsys):
    with pytest.raises(SystemExit):
        app(["analyze", "--help"])
    shown = capsys.readouterr().out
    assert all(flag in shown for option in COMMANDS["analyze"].params for flag in option.opts if flag.startswith("--"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_within_the_repository_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_the_changelog_has_the_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(version)}\]", changelog, re.MULTILINE)


@pytest.mark.parametrize("name", spinemri.__all__)
def test_a_public_name_is_documented(name):
    text = getattr(spinemri, name).__doc__ or ""
    assert re.match(r"[A-Z0-9].{15,}", text), name
    assert not text.startswith(f"{name}(")  # what a dataclass says of itself when nobody wrote anything


@pytest.mark.parametrize("file", ["report.html", "report.txt", "report.json", "measurements.csv", "segmentation.json"])
def test_the_readme_names_every_file_of_a_result(file):
    assert f"`{file}`" in README
