"""The reference pages are what the program says of itself today, and nothing that a user meets is missing from them."""

from __future__ import annotations

import re
from pathlib import Path

import make_reference
import pytest
import reference_medicine
import typer

import spinemri
from spinemri.assess import RULES, urgency
from spinemri.cli import app
from spinemri.labels.schemes import SCHEMES
from spinemri.measure.catalogue import LESION_MEASURES, MARROW_MEASURES, MEASURES
from spinemri.norms import NORMS
from spinemri.report.write import WRITERS

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
PAGES = make_reference.pages()
COMMANDS = typer.main.get_command(app).commands
ALL_MEASURES = (*MEASURES, *LESION_MEASURES, *MARROW_MEASURES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_its_script_writes_today(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name], "stale: run `make reference`"


def test_there_is_no_page_that_the_script_does_not_write():
    assert {path.name for path in FOLDER.iterdir()} == set(PAGES)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_stands_there_with_every_option(name):
    section = PAGES["commands.md"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| (`.+?`) \|.*\| (.{11,}) \|$", section, re.MULTILINE))
    shown = set(re.findall(r"`([^`]+)`", " ".join(rows)))
    flags = {f for p in COMMANDS[name].params for f in (p.opts if p.param_type_name == "option" else [p.name.upper()])}
    assert shown == flags


@pytest.mark.parametrize("measure", ALL_MEASURES, ids=lambda measure: measure.name)
def test_a_measurement_has_definition_known_failure_unit_and_code(measure):
    page = PAGES["measurements.md"]
    before, found, _ = page.partition(f"\n| `{measure.name}` | {measure.unit} |")
    section = before[before.rindex("\n## ") :]
    assert found
    assert "**Known failure.**" in section
    assert len(section) > 300
    row = next(line for line in page.splitlines() if line.startswith(f"| `{measure.name}` |"))
    assert re.search(r"\| `[A-Z0-9_-]+`( \([A-Z]+\))? \|$", row), row


def test_a_measurement_that_nobody_explains_is_refused():
    with pytest.raises(KeyError, match="unheard_of"):
        reference_medicine.defining_module("unheard_of")


@pytest.mark.parametrize("kind", sorted({*reference_medicine.kinds(), *(k for _, k, _ in RULES), *urgency.KINDS}))
def test_a_finding_has_rule_and_source(kind):
    section = PAGES["findings.md"].partition(f"\n## {kind}\n")[2].partition("\n## ")[0]
    for word in ("Rule", "Source"):
        found = re.search(rf"^\*\*{word}\.\*\* (.+)$", section, re.MULTILINE)
        assert found, kind
        assert not re.fullmatch(r"[A-Z_]+\.", found[1]), "the name of a constant in place of its text"


def test_every_norm_stands_there_with_its_source():
    rows = [line.split(" | ") for line in PAGES["norms.md"].splitlines() if line.startswith("| `")]
    assert [(row[0].strip("| `"), row[1]) for row in rows] == list(NORMS)
    assert all(len(row[-1].strip("| ")) > 3 for row in rows)


@pytest.mark.parametrize("name", WRITERS)
def test_a_format_names_its_files(name):
    section = PAGES["formats.md"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert re.search(r"`[\w<>]+(\.[a-z.]+)?`", section)
    assert len(section) > 100


@pytest.mark.parametrize("name", SCHEMES)
def test_a_label_scheme_says_whose_it_is_and_what_its_values_mean(name):
    section = PAGES["labels.md"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert len(section.strip().split("\n")[0]) > 20
    assert "| value | what it is |" in section


@pytest.mark.parametrize("name", spinemri.__all__)
def test_a_public_name_stands_there(name):
    section = PAGES["python.md"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert len(section) > 60
    for title in ("Parameters\n---", "Returns\n---", ":class:"):
        assert title not in section
