"""What comes along with spinemri: pinned, with checksums, listed, argued for, and permissively licensed."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = "spinemri[dev,docs,notebook,onnx,parquet,ray,shapes,web]"


def script(name: str) -> ModuleType:
    """A script of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


licences = script("licences")
make_sbom = script("make_sbom")
LIBRARIES = {name: found for name, found in licences.closure(EXTRAS).items() if name != "spinemri"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECT = sorted(
    {
        licences.normalised(re.split(r"[\s\[<>=!~;]", line)[0])
        for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
        for line in lines
    }
)


def locked() -> dict[str, list[str]]:
    """Checksums of requirements.lock by 'name==version'."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            name, *checksums = line.split()
            found[licences.normalised(name.partition("==")[0]) + "==" + name.partition("==")[2]] = checksums
    return found


def test_every_pin_but_torch_has_a_checksum():
    pins = {f"{name}=={version}" for name, version in make_sbom.pinned().items() if name != "torch"}
    lock = locked()
    assert pins <= set(lock)
    assert {pin.partition("==")[0] for pin in set(lock) - pins} <= {"setuptools"}
    assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for sums in lock.values() for one in sums)
    assert all(lock.values())


def test_no_list_names_an_index_or_a_machine():
    for name in ("requirements.lock", "constraints.txt"):
        assert not re.search(r"https?:|file:|index-url|find-links|trusted-host", (ROOT / name).read_text())
    assert not re.search(r"file:|/opt/|/root/|/home/|/work/", (ROOT / "docs" / "sbom.cdx.json").read_text())


def test_the_parts_list_holds_every_pin_with_a_licence():
    document = json.loads((ROOT / "docs" / "sbom.cdx.json").read_text(encoding="utf-8"))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["name"] == "spinemri"
    listed = {make_sbom.normalised(c["name"]): c for c in document["components"]}
    assert {name: c["version"] for name, c in listed.items()} == make_sbom.pinned()
    assert [name for name, c in listed.items() if not c.get("licenses")] == []
    assert all(c["purl"].startswith("pkg:pypi/") for c in listed.values())


def test_the_walk_over_what_is_installed_finds_what_is_pinned():
    assert len(LIBRARIES) > 80
    assert set(LIBRARIES) - set(make_sbom.pinned()) <= {"setuptools"}


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_a_licence_is_permissive_or_its_exception_has_a_reason(name):
    licence = licences.licence_of(LIBRARIES[name])
    assert licences.is_permissive(licence) or name in licences.EXCEPTIONS, licence


def test_no_exception_outlives_its_reason():
    """An exception that is permissive now, or gone, is taken off the list; none is under the GPL."""
    for name, reason in licences.EXCEPTIONS.items():
        licence = licences.licence_of(LIBRARIES[name])
        assert not licences.is_permissive(licence)
        assert reason.startswith(licence)
        assert "GPL" not in licence


@pytest.mark.parametrize(
    ("expression", "permissive"),
    [
        ("MIT", True), ("BSD-3-Clause AND MIT", True), ("GPL-3.0 OR MIT", True), ("MIT AND LGPL-2.1", False),
        ("Apache-2.0 WITH LLVM-exception", True), ("(MIT OR GPL-2.0) AND GPL-3.0", False), ("", False),
        ("GNU General Public License v3 (GPLv3)", False), ("MPL-2.0", False), ("AGPL-3.0", False),
    ],
)  # fmt: skip
def test_expressions_of_licences_are_read(expression, permissive):
    assert licences.is_permissive(expression) is permissive


@pytest.mark.parametrize("name", DIRECT)
def test_a_direct_dependency_is_argued_for(name):
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    first = [cell.split("|")[1] for cell in page.splitlines() if cell.startswith("| ")]
    assert any(re.search(rf"(^|[ ,]){re.escape(name)}($|[ ,(])", cell.replace(".", "-").strip()) for cell in first)
