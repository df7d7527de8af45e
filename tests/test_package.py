"""What `import spinemri` promises, and what the wheel carries once it is installed outside the source tree."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path

import pytest

import spinemri
from tests.test_layers import DOORS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = sorted({"torch", "monai", "SimpleITK", "scipy", "matplotlib", "highdicom", "pydicom", "numpy", "typer"})


def run(code: str, folder: Path = ROOT, path: Path | None = None) -> str:
    """What a fresh interpreter prints; ``path`` stands before everything else on its module path."""
    environment = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_no_heavy_library():
    code = f"import sys, json, spinemri; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    assert json.loads(run(code)) == []


def test_the_nouns_load_neither_torch_nor_simpleitk():
    code = "import sys, spinemri; spinemri.Geometry, spinemri.Analysis, spinemri.Case; print(sorted(sys.modules))"
    loaded = run(code)
    assert "'spinemri.case'" in loaded
    assert not [library for library in DOORS if f"'{library}'" in loaded]


def test_the_share_of_threads_of_a_test_process_is_settled_before_a_library_is_loaded():
    """They read it as they are loaded; else each test process uses all cores, and all of them take longer."""
    code = f"import sys, json, tests.conftest; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    assert json.loads(run(code)) == []


def test_there_are_at_most_twenty_one_public_names():
    assert sorted(spinemri.__all__) == spinemri.__all__
    assert len(spinemri.__all__) <= 21
    assert set(spinemri.__all__) == set(spinemri._HOME)
    assert set(spinemri.__all__) <= set(dir(spinemri))


@pytest.mark.parametrize("name", spinemri.__all__)
def test_a_public_name_is_defined_where_the_package_says(name):
    found = getattr(spinemri, name)
    assert callable(found)
    assert found.__module__ == f"spinemri.{spinemri._HOME[name]}"
    assert found is getattr(spinemri, name)


@pytest.mark.parametrize("name", spinemri.__all__)
def test_type_checkers_see_the_same_home(name):
    """The lazy table and the imports under TYPE_CHECKING say the same."""
    source = Path(spinemri.__file__).read_text(encoding="utf-8")
    statement = rf"^    from spinemri\.{re.escape(spinemri._HOME[name])} import .*\b{name}\b"
    assert re.search(statement, source, re.MULTILINE)


@pytest.mark.parametrize("name", ["segment", "measure"])
@pytest.mark.parametrize("before", ["pass", "import spinemri.{0}", "from spinemri.{0} import *", "spinemri.analyze"])
def test_a_function_is_not_hidden_by_the_sub_package_of_its_name(name, before):
    code = f"import spinemri; {before.format(name)}; print(callable(spinemri.{name}), spinemri.{name}.__module__)"
    assert run(code) == f"True spinemri.{spinemri._HOME[name]}"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'segmentt'"):
        attrgetter("segmentt")(spinemri)


def test_the_version_is_that_of_the_installed_package():
    assert spinemri.__version__ == version("spinemri")


def distributions(*groups: list[str]) -> set[str]:
    """Normalised names of requirements such as 'python-gdcm>=3.0.24,<4'."""
    return {re.split(r"[\s\[<>=!~;]", line)[0].lower().replace("_", "-") for group in groups for line in group}


def test_every_dependency_is_pinned_and_torch_in_any_build():
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    assert distributions(PROJECT["dependencies"], PROJECT["optional-dependencies"]["dev"]) <= distributions(pins)
    assert "torch==2.13.0" in pins


@pytest.mark.parametrize("name", sorted(distributions(PROJECT["dependencies"])))
def test_a_dependency_is_argued_for(name):
    table = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    assert f"| {name} |" in table


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Folder that the built wheel is installed into, outside the source tree."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run(build, check=True, capture_output=True, cwd=folder)
    (wheel,) = folder.glob("spinemri-*.whl")
    site = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True, cwd=folder)
    return site


def test_the_wheel_carries_package_types_and_models(installed):
    files = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    models = {path.relative_to(ROOT).as_posix() for path in (ROOT / "models").rglob("*") if path.is_file()}
    assert "spinemri/py.typed" in files
    assert {f"spinemri/{model}" for model in models if "__pycache__" not in model} <= files
    assert not [name for name in files if name.startswith(("tests/", "docs/", "sample_data/"))]


def test_the_installed_package_finds_its_model_inside_itself(installed):
    code = "from spinemri.segment.bundle import bundle_path; print(bundle_path('spine_anatomy'))"
    found = Path(run(code, folder=installed.parent, path=installed))
    assert found == installed / "spinemri" / "models" / "spine_anatomy"
    assert (found / "configs" / "metadata.json").is_file()


def installed_program(installed: Path, folder: Path, *arguments: str) -> str:
    """What the installed command prints, run in a folder that is not the source tree."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "XDG_CONFIG_HOME": str(folder / "configuration")}
    command = [sys.executable, str(installed / "bin" / "spinemri"), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_installed_command_explains_itself(installed, tmp_path):
    shown = installed_program(installed, tmp_path, "--help")
    assert all(command in shown for command in ("scan", "analyze", "phantom"))


def test_the_installed_command_analyses_a_study(installed, tmp_path):
    """Seven slices of the sample study's T2."""
    (tmp_path / "study").mkdir()
    for path in sorted((ROOT / "sample_data" / "4_T2w").iterdir())[4:11]:
        (tmp_path / "study" / path.name).write_bytes(path.read_bytes())
    shown = installed_program(installed, tmp_path, "analyze", "study", "-o", "out")
    document = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert "report: out/report.html" in shown
    assert document["provenance"]["version"] == PROJECT["version"]
    assert len(document["spine"]["vertebrae"]) >= 5
    assert (tmp_path / "out" / "segmentation_4.nii.gz").is_file()
