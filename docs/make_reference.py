"""Write docs/reference/: every command, measurement, finding, norm, format, label scheme and public name.

All of it comes from the program itself: the command line's own objects, the catalogue of measurements, docstrings,
``norms.csv`` and ``codes.csv``. A test compares, so what is added without words, or changed without this script, fails.
"""

from __future__ import annotations

import enum
import inspect
import typing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import reference_medicine as medicine
import reference_python
import typer
from reference_medicine import table
from reference_python import escaped, prose

from spinemri.anatomy import StructureKind
from spinemri.cli import app
from spinemri.labels import schemes
from spinemri.report.write import DEFAULT_FORMATS, WITH_IDENTITY, WRITERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from spinemri.anatomy import Structure
    from spinemri.labels.schemes import Scheme

FOLDER = Path(__file__).resolve().parent / "reference"
_TYPES = {
    bool: "",
    Path: "path",
    str: "text",
    int: "whole number",
    float: "number",
    datetime: "day, such as 2025-01-31",
}
INDEX = """# Reference

Written by `make reference` from the program itself: its command line, its catalogue of measurements, its docstrings,
its tables of norms and codes.

| page | what it holds |
|---|---|
| [Commands](commands.md) | every command, argument and option |
| [Measurements](measurements.md) | every quantity: definition, unit, source, known failure, code |
| [Findings](findings.md) | every kind of finding: rule, source, code |
| [Norms and thresholds](norms.md) | every number that a rule rests on, with its source |
| [Output formats](formats.md) | every format, its files, what is in them |
| [Label schemes](labels.md) | masks of other tools: what their numbers mean |
| [Python](python.md) | every public name |
| [DICOM codes](../dicom_codes.md) | codes of SEG and SR |
"""
COMMANDS_HEAD = """# Commands

`spinemri COMMAND --help` shows the same. Exit codes: 0 done, 1 an error of the program itself (or, with `--strict`, a
study that failed), 2 a problem with input, output or options, told in one line.
"""
FORMATS_HEAD = """# Output formats

What `--formats` of `analyze` and `batch`, and `formats` of `spinemri.write`, take: names divided by commas, or `all`.
"""
LABELS_HEAD = """# Label schemes

What `--labels-from` takes: whose numbers a mask has. The scheme is never guessed, for the same number means different
things to different tools. A vertebra that is drawn whole is parted into body and posterior elements.
"""


def commands_page(commands: Mapping[str, Any]) -> str:
    """Every command with its arguments and options."""
    parts = [COMMANDS_HEAD]
    for name, command in commands.items():
        taken = [p for p in command.params if p.param_type_name == "argument"]
        usage = " ".join(_bracketed(p) for p in taken)
        parts += [f"## {name}\n", f"```\nspinemri {name} {usage + ' ' if usage else ''}[OPTIONS]\n```\n"]
        parts.append(escaped(inspect.cleandoc(command.help or "")) + "\n")
        rows = [(_flags(p), value_of(p), _default(p), p.help or "") for p in command.params]
        parts.append(table(("option", "value", "default", "what it does"), rows))
    return "\n".join(parts)


def value_of(option: Any) -> str:
    """What an option takes, such as 'whole number >= 1'; empty for a flag."""
    kind = option.type_descriptor.annotation
    kind = typing.get_args(kind)[0] if typing.get_origin(kind) is list else kind
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        words = " or ".join(f"`{member.value}`" for member in kind)
    else:
        words = _TYPES.get(kind) if kind in _TYPES else getattr(kind, "__name__", str(kind))
    if option.min is not None and option.max is not None:
        words = f"{words}, {option.min:g} to {option.max:g}"
    elif option.min is not None:
        words = f"{words}, {option.min:g} or more"
    return f"{words}; repeatable" if option.multiple else words or ""


def _bracketed(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _flags(option: Any) -> str:
    if option.param_type_name == "argument":
        return f"`{option.name.upper()}`"
    return ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))


def _default(option: Any) -> str:
    if option.required:
        return "required"
    if option.default is None or option.default is False:
        return ""
    return f"`{getattr(option.default, 'value', option.default)}`"


def formats_page(writers: Mapping[str, Callable[..., None]]) -> str:
    """Every format: what its files hold, from the module that writes it."""
    parts = [FORMATS_HEAD, f"Written unless you say otherwise: {', '.join(f'`{name}`' for name in DEFAULT_FORMATS)}.\n"]
    for name, writer in writers.items():
        parts += [
            f"## {name}\n",
            prose(inspect.getdoc(writer) or ""),
            escaped(_doc_of(inspect.getmodule(writer))) + "\n",
        ]
        if name in WITH_IDENTITY:
            parts.append(
                "Carries the identity of the patient as the source has it; needs a study that came from DICOM.\n"
            )
    return "\n".join(parts)


def labels_page(known: Mapping[str, Scheme]) -> str:
    """Every scheme: whose it is, whether it can be used, what each number means."""
    parts = [LABELS_HEAD]
    for name, scheme in known.items():
        parts += [f"## {name}\n", escaped(inspect.getdoc(maker_of(name)) or "") + "\n"]
        if scheme.refusal:
            parts.append(f"**Refused**: {scheme.refusal}.\n")
        if scheme.counts:
            end = {"down": "top", "up": "bottom"}[scheme.counts]
            parts.append(f"Vertebrae are only counted, from the {end}.\n")
        parts += [f"{note[0].upper()}{note[1:]}.\n" for note in (*scheme.notes, scheme.canal_note) if note]
        parts.append(table(("value", "what it is"), value_rows(scheme)))
    return "\n".join(parts)


def maker_of(name: str) -> Callable[..., Scheme]:
    """The function that makes a scheme: the one with the longest name that the scheme's own begins with."""
    functions = {n.strip("_"): f for n, f in vars(schemes).items() if inspect.isfunction(f)}
    makers = {n: f for n, f in functions.items() if f.__annotations__.get("return") == "Scheme"}
    wanted = "own" if name == schemes.OWN else name.replace("-", "_")
    return makers[max((n for n in makers if wanted.startswith(n)), key=len)]


def value_rows(scheme: Scheme) -> list[tuple[str, ...]]:
    """Values and what they mean; successive values of one kind share a row, named from first to last."""
    rows: list[tuple[list[int], list[str], str]] = []
    for value, structures in sorted(scheme.table.items()):
        kind = kind_of(structures) + (", cut by the field of view:" if value in scheme.partial else "")
        place = " or ".join(dict.fromkeys(s.place for s in structures)) if structures else ""
        place = "" if structures and structures[0].kind is StructureKind.SACRUM else place
        if rows and rows[-1][2] == kind and value == rows[-1][0][-1] + 1:
            rows[-1][0].append(value)
            rows[-1][1].append(place)
        else:
            rows.append(([value], [place], kind))
    return [(_span(list(map(str, values))), f"{kind} {_span(places)}".strip()) for values, places, kind in rows]


def kind_of(structures: Sequence[Structure]) -> str:
    """What is drawn under one value."""
    kinds = list(dict.fromkeys(s.kind for s in structures))
    if kinds == _WHOLE:
        return "whole vertebra"
    if StructureKind.SACRUM in kinds:
        return "sacrum, S1 included" if len(kinds) > 1 else "sacrum"
    return " and ".join(kind.value.replace("_", " ") for kind in kinds) or "not used"


_WHOLE = [StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS]


def _span(names: list[str]) -> str:
    return names[0] if names[0] == names[-1] else f"{names[0]} … {names[-1]}"


def _doc_of(module: ModuleType | None) -> str:
    return inspect.cleandoc(module.__doc__ or "") if module else ""


def pages() -> dict[str, str]:
    """Name of each file and its text."""
    return {
        "index.md": INDEX,
        "commands.md": commands_page(typer.main.get_command(app).commands),
        "measurements.md": medicine.measurements_page(),
        "findings.md": medicine.findings_page(),
        "norms.md": medicine.norms_page(),
        "formats.md": formats_page(WRITERS),
        "labels.md": labels_page(schemes.SCHEMES),
        "python.md": reference_python.page(),
    }


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{FOLDER.name}/: {len(pages())} pages")


if __name__ == "__main__":
    main()
