"""The house keeps its shape: who may import whom, who may load which library, who may print, how long things get.

A module imports only from rows below its own, sub-packages of one row never import each other, and nothing runs in a
circle. An import counts wherever it stands: in a function, or for type checking only (which alone may close a circle).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]

ROWS = (
    ("cli", "__main__"),
    ("batch", "training", "evaluate", "compare"),
    ("pipeline",),
    ("options",),
    ("provenance", "revise"),
    ("networks",),
    ("dicom", "segment", "measure", "assess", "report", "labels", "synthesis"),
    ("merge", "register", "read", "plot"),
    ("resample",),
    ("convert", "volume_header"),
    ("case",),
    ("analysis",),
    (
        "clinical",
        "correction",
        "finding",
        "lesion",
        "measurement",
        "quality",
        "review",
        "spine",
        "segmentation",
        "image",
    ),
    ("orientation",),
    ("series",),
    ("codes", "norms", "terms"),
    ("geometry", "anatomy", "faults", "together", "given_text"),
    ("language",),
    ("errors",),
)
ROW_OF = {part: n for n, row in enumerate(reversed(ROWS)) for part in row}

DOORS = {  # library -> beginnings of the modules that may import it
    "torch": ("segment.", "training."),
    "monai": ("segment.", "training."),
    "pydicom": ("dicom.", "report.dicom_", "report.rtstruct", "compare.dicom_"),
    "highdicom": ("dicom.", "report.dicom_", "compare.dicom_"),
    "gdcm": ("dicom.",),
    "SimpleITK": ("convert", "resample", "read"),
    "matplotlib": ("plot", "report."),
    "jinja2": ("report.",),
    "reportlab": ("report.pdf",),
    "pyarrow": ("report.table_files",),
    "ipyniivue": ("report.notebook",),
    "onnx": ("segment.onnx_file",),
    "onnxruntime": ("segment.onnx_file",),
    "typer": ("cli.",),
    "rich": ("cli.",),
    "ray": ("batch.",),
    "dicomweb_client": ("dicom.server",),
    "requests": ("dicom.server",),
}
SHOWN_BY = {"case": "report.notebook", "analysis": "report.notebook"}
"""The only steps up: a noun that a notebook asks to show itself leaves that to one module, loaded at that moment."""
FACADE = frozenset({"__version__"})  # the only name that the package takes from its own front door

MAX_MODULE_LINES = 300  # not counting blank ones
MAX_FUNCTION_LINES = 50  # not counting the docstring
MAX_PARAMETERS = 8


@dataclass(frozen=True)
class Import:
    """One imported module, from whom, on which line, and whether only a type checker sees it."""

    importer: str
    imported: str
    line: int
    typing_only: bool


Sources = dict[str, str]  # module name without the package ("dicom.scan") -> source text


def read_sources() -> Sources:
    """Source text of every module of the package except its own front door, which imports lazily from everywhere."""
    package = ROOT / "spinemri"
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join((*parts[:-1], "") if parts[-1] == "__init__" and len(parts) > 1 else parts)
        found[name] = path.read_text(encoding="utf-8")
    del found["__init__"]
    return found


def names_imported(node: ast.AST) -> list[str]:
    """Dotted names that a statement or call imports; for ``from a import b`` both 'a' and 'a.b' may be meant: 'a.b'."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
        return [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return []


def imports_of(module: str, source: str) -> Iterator[Import]:
    """Every import of a module, wherever it stands."""
    tree = ast.parse(source)
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        for name in names_imported(node):
            yield Import(module, name, node.lineno, id(node) in typing_only)


def own_module(name: str, sources: Sources) -> str | None:
    """The module of the package that a dotted name lies in: 'spinemri.dicom.scan.scan' -> 'dicom.scan'."""
    parts = name.split(".")[1:]
    for length in range(len(parts), 0, -1):
        for candidate in (".".join(parts[:length]), ".".join(parts[:length]) + "."):
            if candidate in sources:
                return candidate
    return None


def direction_faults(sources: Sources) -> list[str]:
    """Imports that go up or sideways, relative imports, imports through the front door, parts without a row."""
    faults = [f"{name}: stands in no row of the picture" for name in sources if name.split(".")[0] not in ROW_OF]
    for use in (use for name, source in sources.items() for use in imports_of(name, source)):
        where = f"{use.importer}:{use.line} imports {use.imported}"
        if use.imported.startswith("."):
            faults.append(f"{where}: a relative import")
        if use.imported.split(".")[0] != "spinemri":
            continue
        target = own_module(use.imported, sources)
        if target is None:
            if use.imported.removeprefix("spinemri.") not in FACADE:
                faults.append(f"{where}: no module of the package")
            continue
        if SHOWN_BY.get(use.importer) == target:
            continue
        importer_part, target_part = use.importer.split(".")[0], target.split(".")[0]
        if importer_part != target_part and ROW_OF.get(target_part, 99) >= ROW_OF.get(importer_part, -1):
            faults.append(f"{where}: not from a row below")
    return faults


def cycle_faults(sources: Sources) -> list[str]:
    """The first circle of imports, if there is one; imports for type checking do not run and do not count."""
    graph: dict[str, set[str]] = {name: set() for name in sources}
    for use in (use for name, source in sources.items() for use in imports_of(name, source)):
        target = own_module(use.imported, sources) if use.imported.startswith("spinemri.") else None
        if target and not use.typing_only:
            graph[use.importer].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [f"circle: {' <- '.join(error.args[1])}"]
    return []


def door_faults(sources: Sources) -> list[str]:
    """Libraries imported by a module that is not their door, for type checking too."""
    return [
        f"{use.importer}:{use.line} imports {use.imported}: only {', '.join(DOORS[library])} may"
        for name, source in sources.items()
        for use in imports_of(name, source)
        if (library := use.imported.split(".")[0]) in DOORS and not name.startswith(DOORS[library])
    ]


def edge_faults(sources: Sources) -> list[str]:
    """Printing, exiting and changing the working directory outside the command line; asserts and noqa anywhere."""
    forbidden = {"print", "input", "exit", "quit", "sys.exit", "os._exit", "os.chdir", "SystemExit", "breakpoint"}
    faults = []
    for name, source in sources.items():
        faults += [f"{name}:{n}: noqa" for n, line in enumerate(source.splitlines(), 1) if "# noqa" in line]
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Assert):
                faults.append(f"{name}:{node.lineno}: assert")
            if name.split(".")[0] in ROWS[0]:
                continue
            if isinstance(node, ast.Call) and ast.unparse(node.func) in forbidden:
                faults.append(f"{name}:{node.lineno}: {ast.unparse(node.func)}() outside cli")
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.stdout", "sys.stderr", "sys.argv"}:
                faults.append(f"{name}:{node.lineno}: {ast.unparse(node)} outside cli")
    return faults


def size_faults(sources: Sources) -> list[str]:
    """Modules and functions that are too long to read, functions with too many parameters (commands aside)."""
    faults = []
    for name, source in sources.items():
        lines = sum(bool(line.strip()) for line in source.splitlines())
        if lines > MAX_MODULE_LINES:
            faults.append(f"{name}: {lines} lines, at most {MAX_MODULE_LINES}")
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            if length > MAX_FUNCTION_LINES:
                faults.append(f"{name}:{node.lineno} {node.name}: {length} lines, at most {MAX_FUNCTION_LINES}")
            parameters = len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs)
            if parameters > MAX_PARAMETERS and name.split(".")[0] != "cli":
                faults.append(f"{name}:{node.lineno} {node.name}: {parameters} parameters, at most {MAX_PARAMETERS}")
    return faults


CHECKS = (direction_faults, cycle_faults, door_faults, edge_faults, size_faults)


@pytest.fixture(scope="module")
def sources() -> Sources:
    return read_sources()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_package_keeps_the_rules(check, sources):
    assert "geometry" in sources
    assert not check(sources)


SOUND = {
    "errors": "",
    "geometry": "from spinemri.errors import GeometryError\nimport numpy as np",
    "image": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from spinemri.geometry import Geometry",
    "segment.": "",
    "segment.model": "import torch\nfrom spinemri import geometry\nfrom spinemri import __version__",
    "segment.clean": "from spinemri.segment import model\nfrom spinemri.segment.model import Model",
    "dicom.scan": "import pydicom\nfrom pydicom.dataset import Dataset",
    "report.dicom_seg": "import highdicom as hd",
    "report.notebook": "import ipyniivue",
    "case": "def f():\n    from spinemri.report.notebook import view",
    "pipeline": "import spinemri.dicom.scan\nfrom spinemri.segment.model import Model",
    "cli.main": "import sys\nfrom rich import print\nfrom spinemri.pipeline import analyze\nprint(1)\nsys.exit(2)",
}


def test_a_sound_house_has_no_faults():
    assert [fault for check in CHECKS for fault in check(SOUND)] == []


def lines(count: int, indent: str = "") -> str:
    return "".join(f"{indent}x = {n}\n" for n in range(count))


PLANTED = [
    (direction_faults, "geometry", "from spinemri.image import Image", "geometry:1 .* not from a row below"),
    (direction_faults, "geometry", "def f():\n    from spinemri.image import Image", "geometry:2 .* not from a row"),
    (direction_faults, "geometry", "import spinemri.pipeline", "not from a row below"),
    (direction_faults, "geometry", "from spinemri import pipeline", "not from a row below"),
    (direction_faults, "geometry", "import importlib\nimportlib.import_module('spinemri.image')", "not from a row"),
    (
        direction_faults,
        "geometry",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from spinemri.image import Image",
        "geometry:3 .* not from a row below",
    ),
    (direction_faults, "image", "def f():\n    from spinemri.report.notebook import view", "image:2 .* not from a row"),
    (direction_faults, "case", "from spinemri.segment import model", "case:1 .* not from a row below"),
    (direction_faults, "segment.model", "from spinemri.dicom import scan", "segment.model:1 .* not from a row below"),
    (direction_faults, "segment.model", "from . import clean", "a relative import"),
    (direction_faults, "image", "from spinemri import Geometry", "no module of the package"),
    (direction_faults, "helpers", "", "helpers: stands in no row"),
    (cycle_faults, "segment.model", "from spinemri.segment.clean import tidy", "segment.clean"),
    (cycle_faults, "segment.model", "def f():\n    import spinemri.segment.clean", "segment.clean"),
    (door_faults, "pipeline", "import torch", "pipeline:1 imports torch: only segment., training. may"),
    (door_faults, "pipeline", "def f():\n    from torch.nn import Module", "pipeline:2 imports torch.nn.Module"),
    (door_faults, "pipeline", "if TYPE_CHECKING:\n    import torch", "pipeline:2 imports torch"),
    (door_faults, "measure.canal", "import importlib\nimportlib.import_module('monai.data')", "imports monai.data"),
    (door_faults, "report.tables", "from pydicom.uid import UID", "imports pydicom.uid"),
    (door_faults, "dicom.scan", "import SimpleITK as sitk", "imports SimpleITK"),
    (edge_faults, "pipeline", "print('done')", "pipeline:1: print"),
    (edge_faults, "pipeline", "import sys\nsys.exit(2)", "pipeline:2: sys.exit"),
    (edge_faults, "pipeline", "raise SystemExit(2)", "SystemExit"),
    (edge_faults, "pipeline", "import sys\nsys.stderr.write('x')", "sys.stderr"),
    (edge_faults, "cli.main", "assert 1", "cli.main:1: assert"),
    (edge_faults, "pipeline", "x = 1  # noqa: E501", "pipeline:1: noqa"),
    (size_faults, "pipeline", lines(MAX_MODULE_LINES + 1), "pipeline: 301 lines"),
    (size_faults, "pipeline", "def f():\n    '''Says.'''\n" + lines(MAX_FUNCTION_LINES + 1, "    "), "f: 51 lines"),
    (size_faults, "pipeline", "class A:\n  async def f():\n" + lines(MAX_FUNCTION_LINES + 1, "    "), "f: 51 lines"),
    (size_faults, "pipeline", "def f(a, b, /, c, d, e, f, *, g, h, i): ...", "f: 9 parameters"),
]


@pytest.mark.parametrize(("check", "module", "source", "fault"), PLANTED)
def test_a_planted_fault_is_found(check, module, source, fault):
    faults = check({**SOUND, module: source})
    assert any(re.search(fault, found) for found in faults), faults


@pytest.mark.parametrize(
    "source",
    [
        "\n\n" + lines(MAX_MODULE_LINES) + "\n",
        "def f():\n    '''Says\n\n    much.\n    '''\n" + lines(MAX_FUNCTION_LINES, "    "),
        "def f(a, b, c, d, e, f, g, h): ...",
    ],
)
def test_the_limit_itself_is_allowed(source):
    assert size_faults({"pipeline": source}) == []


def test_only_type_checking_may_close_a_circle():
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from spinemri.segment.clean import tidy"
    assert cycle_faults({**SOUND, "segment.model": typed}) == []
