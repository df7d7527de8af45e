"""The Python interface as Markdown: signatures and numpydoc docstrings of every public name."""

from __future__ import annotations

import enum
import inspect
import re

from pydantic import BaseModel

import spinemri

HEAD = """# Python

What `import spinemri` offers. Names are loaded when they are first used, so the import is quick. What is not on this
page may change without a word. All values are immutable; lengths are millimetres, points are LPS, arrays are (slice,
row, column).
"""
_SECTION = re.compile(r"^(Parameters|Returns|Yields|Raises|Attributes|Notes)\n-+$", re.MULTILINE)
_SIGNATURE_WIDTH = 100


def page() -> str:
    """The whole page, functions first."""
    names = sorted(spinemri.__all__, key=lambda name: (inspect.isclass(getattr(spinemri, name)), name.lower()))
    return "\n".join([HEAD, *(entry(name, getattr(spinemri, name)) for name in names)])


def entry(name: str, thing: object) -> str:
    """One public name."""
    parts = [f"## {name}\n", _signature(name, thing), prose(inspect.getdoc(thing) or "")]
    if inspect.isclass(thing):
        parts += [*_members(thing), *_methods(thing)]
    return "\n".join(part for part in parts if part)


def prose(docstring: str) -> str:
    """A numpydoc docstring as Markdown; parameters and errors become lists."""
    first, *sections = _SECTION.split(docstring)
    told = [escaped(first.strip()) + "\n"]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        told.append(f"**{title}**\n\n{_entries(body.strip())}\n")
    return "\n".join(told)


def escaped(text: str) -> str:
    """Text whose ``code`` is Markdown's and whose angle brackets are not HTML."""
    parts = re.split(r"(`[^`]+`)", re.sub(r"``(.+?)``", r"`\1`", text))
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


def _entries(body: str) -> str:
    """'name : words' and 'Name' with indented words, as list items."""
    lines: list[str] = []
    for block in re.split(r"\n(?=\S)", body):
        first, *rest = block.split("\n")
        name, colon, words = first.partition(" : ")
        told = " ".join([words, *(line.strip() for line in rest if line.strip())]).strip()
        known = bool(colon or rest or re.fullmatch(r"[A-Z]\w*(Error)?", first))
        lines.append(f"- `{name}`: {escaped(told)}" if known else escaped(first))
    return "\n".join(lines) if any(line.startswith("- ") for line in lines) else " ".join(lines)


def _signature(name: str, thing: object) -> str:
    """How it is called; nothing for what only lists its values or is made by the program."""
    if inspect.isclass(thing) and issubclass(thing, enum.Enum | BaseModel):
        return ""
    parameters = inspect.signature(thing).parameters.values()
    told = [str(parameter).replace("'", "") for parameter in parameters]
    kinds = [parameter.kind for parameter in parameters]
    stars = [n for n, kind in enumerate(kinds) if kind is inspect.Parameter.KEYWORD_ONLY]
    if stars and inspect.Parameter.VAR_POSITIONAL not in kinds:
        told.insert(stars[0], "*")
    returned = "" if inspect.isclass(thing) else inspect.signature(thing).return_annotation
    arrow = "" if returned in ("", inspect.Signature.empty) else f" -> {returned}".replace("'", "")
    line = f"spinemri.{name}({', '.join(told)}){arrow}"
    if len(line) > _SIGNATURE_WIDTH:
        line = f"spinemri.{name}(\n" + "".join(f"    {one},\n" for one in told) + f"){arrow}"
    return f"```python\n{line}\n```\n"


def _members(kind: type) -> list[str]:
    """Values of an enumeration, fields of a document."""
    if issubclass(kind, enum.Enum):
        return ["Values: " + ", ".join(f"`{member.name}`" for member in kind) + ".\n"]
    if not issubclass(kind, BaseModel):
        return []
    known = kind.__annotations__
    rows = [
        f"| `{name}` | `{_plain(known.get(name, field.annotation))}` | {escaped(field.description or '')} |"
        for name, field in kind.model_fields.items()
    ]
    return ["| field | type | |\n|---|---|---|\n" + "\n".join(rows) + "\n"]


def _plain(annotation: object) -> str:
    return (annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)).replace("|", "\\|")


def _methods(kind: type) -> list[str]:
    """Own methods and properties, by the first sentence of each."""
    lines = []
    for name, member in vars(kind).items():
        told = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        is_method = inspect.isfunction(told) or isinstance(told, property)
        if name.startswith("_") or not is_method or not inspect.getdoc(told):
            continue
        call = "" if isinstance(told, property) else "()"
        first = " ".join((inspect.getdoc(told) or "").split("\n\n")[0].split())
        lines.append(f"- `.{name}{call}`: {escaped(first)}")
    return ["\n".join(lines) + "\n"] if lines else []
