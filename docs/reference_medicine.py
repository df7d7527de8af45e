"""Measurements, findings and norms as Markdown: definitions from the modules that make them, never written twice."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections import defaultdict
from importlib import import_module
from pathlib import Path

from reference_python import escaped

import spinemri
from spinemri.assess import urgency
from spinemri.codes import TABLE
from spinemri.measure.catalogue import LESION_MEASURES, MARROW_MEASURES, MEASURES, Measure
from spinemri.norms import NORMS, source_of

PACKAGE = Path(spinemri.__file__).parent
DEFINED_IN = {  # where a definition does not stand in the module that builds the measurement's name
    "anterior_height": "vertebra",
    "middle_height": "vertebra",
    "posterior_height": "vertebra",
    "wedge_ratio": "vertebra",
    "biconcavity_ratio": "vertebra",
    "height_loss_*": "height_loss",
    "dural_sac_*": "sac",
    "occupation_ratio": "cord",
    "csf_ring_fraction": "cord",
    "cord_ap": "cord",
    "cord_area": "sections",
    "cord_compression_pct": "cord",
    "cord_shift_mm": "cord",
    "axial_sac_area": "axial",
    "axial_cord_area": "axial",
    "foraminal_*": "foramen",
    "perineural_*": "foramen",
    "lesion_*_to_*": "marrow",
    "lesion_enhancement_pct": "marrow",
    "lesion_opposed_phase_ratio": "marrow",
    "lesion_adc": "marrow",
    "lesion_disc_signal_ratio": "marrow",
    "lesion_*": "lesion_shape",
}
"""Pattern of a measurement's name -> module of ``spinemri.measure``; the first that fits holds."""
RULES = {
    "vertebral_height_loss": ("fracture", "RULE", "SOURCE"),
    "of_class": ("of_class", "RULE", "SOURCE"),
    "fracture_cause": ("fracture_cause", "RULE", "SOURCE"),
    "thecal_sac_narrowing": ("stenosis", "RULE", "SOURCE"),
    "schizas_grade": ("axial_grades", "SCHIZAS_RULE", "schizas.fluid_seen"),
    "lee_grade": ("canal_grades", "RULE", "Lee et al., Skeletal Radiol 2011;40:1033"),
    "kang_grade": ("axial_grades", "KANG_RULE", "kang.obliterated"),
    "cord_compression": ("cord", "COMPRESSION_RULE", "COMPRESSION_SOURCE"),
    "cord_displacement": ("cord", "COMPRESSION_RULE", "cord.displaced_from"),
    "cord_signal": ("cord", "SIGNAL_RULE", "SIGNAL_SOURCE"),
    "escc": ("escc", "RULE", "SOURCE"),
    "escc_screen": ("cord", "ESCC_RULE", "ESCC_SOURCE"),
    "disc_degeneration": ("disc", "DEGENERATION_RULE", "DEGENERATION_SOURCE"),
    "disc_bulge": ("disc", "BULGE_RULE", "BULGE_SOURCE"),
    "foraminal_narrowing": ("foramen", "RULE", "SOURCE"),
    "spondylolisthesis": ("alignment", "SLIP_RULE", "SLIP_SOURCE"),
    "sagittal_curvature": ("alignment", "CURVATURE_RULE", "the publication of the norm that was used"),
    "coronal_curvature": ("alignment", "SCOLIOSIS_RULE", "scoliosis.from"),
    "posterior_ligament_signal": ("ligament", "RULE", "ligament.raised_from"),
    "marrow_involvement": ("marrow", "RULE", "SOURCE"),
    "diffuse_marrow": ("marrow", "DIFFUSE_RULE", "DIFFUSE_SOURCE"),
    "lesion_count": ("counting", "RULE", "SOURCE"),
    "sins": ("stability", "RULE", "SOURCE"),
    "tumour_infection_osteoporosis": ("infection", "RULE", "SOURCE"),
    "protocol_gap": ("protocol", "the table below", "the table below"),
    "marrow_lesion": ("lesion", "RULE", "SOURCE"),
}
"""Kind of finding -> module of ``spinemri.assess``, its rule, and its source: a constant, a norm, or words."""
FLAGS = "flag_"

MEASUREMENTS_HEAD = """# Measurements

Every quantity by its name in `report.json` and `measurements.csv`, with unit (UCUM), definition, source, known
failure and DICOM code. Drawings are on [a page of their own](../measurements.md). Each value carries a 95 % interval;
where there is no value, a status and a reason stand in its place. Codes without a scheme are of `99SPINEMRI`.
"""
FINDINGS_HEAD = """# Findings

Every kind of finding by its name in `report.json`, with the rule that grades it and where the rule comes from. A
finding is `present`, `borderline`, `absent` or `not_assessable`; it names the measurements that it rests on. Numbers
in rules are rows of [the table of norms](norms.md).
"""
NORMS_HEAD = """# Norms and thresholds

The whole of `spinemri/norms.csv`; a report carries the checksum of this table. V: read in the publication that is
named. M: quoted from memory, not read again. D: this project's own choice. A place is a level, a disc or a region;
none means everywhere. `sd` is the standard deviation among healthy people.
"""


def measurements_page() -> str:
    """Measurements, grouped by the module that defines them."""
    groups: defaultdict[str, list[Measure]] = defaultdict(list)
    for measure in (*MEASURES, *LESION_MEASURES, *MARROW_MEASURES):
        groups[defining_module(measure.name)].append(measure)
    parts = [MEASUREMENTS_HEAD]
    for module, measures in groups.items():
        rows = [(f"`{m.name}`", m.unit, m.definition, _code("measurement", m.name)) for m in measures]
        parts += [f"## {_title(module)}\n", explained("measure", module)]
        parts.append(table(("name", "unit", "what it is", "code"), rows))
    return "\n".join(parts)


def findings_page() -> str:
    """Findings by kind, in the order of ``codes.csv``."""
    parts, told = [FINDINGS_HEAD], dict[str, str]()
    for kind in kinds():
        module, rule, source = rule_of(kind)
        parts += [f"## {kind}\n", f"{TABLE['finding', kind][2]}. Code: {_code('finding', kind)}.\n"]
        parts += [f"**Rule.** {sentence(rule)}\n", f"**Source.** {sentence(source)}\n"]
        first = told.setdefault(module, kind)
        again = f"More under [{first}](#{first}).\n"
        parts.append(explained("assess", module) if first == kind else again)
        if kind == "protocol_gap":
            rows = [(r.wants, r.matters, r.source) for r in import_module("spinemri.assess.protocol").RULES]
            parts.append(table(("what is wanted", "why it matters", "source"), rows))
    return "\n".join(parts)


def sentence(text: str) -> str:
    """Words of a rule as a sentence."""
    return f"{escaped(text[:1].upper() + text[1:])}."


def norms_page() -> str:
    """Every row of the table."""
    rows = [
        (
            f"`{n.name}`",
            n.place,
            f"{n.value:g}",
            "" if n.sd is None else f"{n.sd:g}",
            n.unit,
            n.mark,
            n.meaning,
            n.source,
        )
        for n in NORMS.values()
    ]
    return NORMS_HEAD + "\n" + table(("name", "place", "value", "sd", "unit", "mark", "meaning", "source"), rows)


def kinds() -> list[str]:
    """Every kind of finding."""
    return [name for of, name in TABLE if of == "finding"]


def rule_of(kind: str) -> tuple[str, str, str]:
    """Module, rule and source of a kind. Raises KeyError for one that nobody described here."""
    if kind.startswith(FLAGS):
        return "urgency", urgency.FLAG_RULES[kind], urgency.SOURCE
    module, rule, source = RULES[kind]
    names = vars(import_module(f"spinemri.assess.{module}"))
    return module, names.get(rule, rule), names.get(source) or _norm_source(source)


def defining_module(name: str) -> str:
    """Module of ``spinemri.measure`` whose docstring defines a measurement. Raises KeyError when none does."""
    for pattern, module in DEFINED_IN.items():
        if fnmatch.fnmatch(name, pattern):
            return module
    for path in sorted((PACKAGE / "measure").glob("*.py")):
        if path.stem != "catalogue" and name in _texts(path) and "Known failure" in (_docstring(path)):
            return path.stem
    raise KeyError(f"{name}: no module of spinemri.measure names it and tells its known failure; see DEFINED_IN")


def explained(package: str, module: str) -> str:
    """A module's docstring as Markdown, definition and known failure in bold."""
    text = escaped(_docstring(PACKAGE / package / f"{module}.py"))
    return re.sub(r"^(Definition|Known failure): (.)", _bold, text, flags=re.MULTILINE) + "\n"


def _bold(found: re.Match[str]) -> str:
    return f"**{found[1]}.** {found[2].upper()}"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    cells = [[escaped(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ("---",) * len(head), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _texts(path: Path) -> set[str]:
    """Every text that stands whole in a module."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _norm_source(source: str) -> str:
    return source_of(source) if (source, "") in NORMS else source


def _code(of: str, name: str) -> str:
    code = TABLE.get((of, name))
    if code is None:
        return ""
    return f"`{code[0]}`" if code[1].startswith("99") else f"`{code[0]}` ({code[1]})"


def _title(module: str) -> str:
    return module.replace("_", " ").capitalize()
