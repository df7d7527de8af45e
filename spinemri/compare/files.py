"""What a comparison is written as: the document, sentences, a table, a page, and a DICOM SR where it is asked for.

Everything is made before the folder is, so that a failure on the way leaves nothing behind.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from spinemri.compare import words
from spinemri.compare.comparison import Comparison
from spinemri.compare.curves import NAMES
from spinemri.compare.dicom_sr import FILE_NAME, to_sr
from spinemri.compare.page import to_page
from spinemri.compare.sentences import sections
from spinemri.errors import OutputError
from spinemri.language import Phrases, in_its_language
from spinemri.report.json_file import dumped
from spinemri.report.tables import csv_text, number
from spinemri.report.write import check_writable, finished_folder

if TYPE_CHECKING:
    from collections.abc import Collection

    from spinemri.compare.comparison import Step
    from spinemri.compare.study import Compared

phrases = Phrases("compare.files")

WIDTH = 100
COLUMNS = (
    *("earlier", "later", "days", "place", "lesion", "name", "baseline", "baseline_low", "baseline_high"),
    *("value", "low", "high", "unit", "change", "detectable_change", "verdict", "reason", "source", "id", "evidence"),
)
FORMATS = {name: f"comparison.{name}" for name in ("json", "txt", "csv", "html")}
"""Format name -> its file. None of them holds an identifier; they are written unless others are named."""
FILES = tuple(FORMATS.values())
SR = "dicom-sr"
"""The format that carries the identity of the patient, and needs examinations that came from DICOM."""


def write_comparison(compared: Compared, out: Path | str, *, formats: Collection[str] | None = None) -> Path:
    """Write a comparison into a new or empty folder and return its path.

    Parameters
    ----------
    formats : names from ``FORMATS``, and ``SR``; all of ``FORMATS`` when None. ``comparison.json`` is written in any
        case.

    Raises
    ------
    OutputError
        If a format is unknown, a DICOM SR is asked for and cannot be made, or the folder holds something or cannot be
        written. Nothing is left behind then.
    """
    out, wanted = Path(out), chosen(formats)
    check_writable(out)
    made = {FORMATS[name]: _text(name, compared).encode() for name in FORMATS if name in wanted}
    if SR in wanted:
        made[FILE_NAME] = _report(compared)
    with finished_folder(out) as folder:
        for name, content in made.items():
            (folder / name).write_bytes(content)
    return out


def chosen(formats: Collection[str] | None) -> tuple[str, ...]:
    """The formats that are written; OutputError in one line when there is no such format."""
    known = (*FORMATS, SR)
    wanted = {*(FORMATS if formats is None else formats), "json"}
    unknown = sorted(wanted - set(known))
    if unknown:
        raise OutputError(f"format {', '.join(map(repr, unknown))}: expected some of {', '.join(known)}")
    return tuple(name for name in known if name in wanted)


def formats_named(text: str | None) -> tuple[str, ...]:
    """Names of formats in 'json,html'; every format there is for 'all', the usual ones for None.

    Raises OutputError in one line for one that does not exist.
    """
    names = None if text is None else [name.strip().lower() for name in text.split(",") if name.strip()]
    return chosen((*FORMATS, SR) if names and "all" in names else names)


def _text(name: str, compared: Compared) -> str:
    if name == "html":
        return to_page(compared)
    return {"json": to_json, "txt": to_text, "csv": to_csv}[name](compared.comparison)


def _report(compared: Compared) -> bytes:
    try:
        return to_sr(compared)
    except OutputError as error:
        raise OutputError(f"format {SR}: {error}; expected some of {', '.join(FORMATS)}") from error


def to_json(comparison: Comparison) -> str:
    """The comparison as JSON text, keys sorted."""
    return dumped(comparison.model_dump(mode="json"))


def json_schema() -> str:
    """JSON Schema (2020-12) of ``comparison.json`` as text; kept current in ``docs/comparison.schema.json``."""
    return dumped(Comparison.model_json_schema(mode="serialization"))


@in_its_language
def to_text(comparison: Comparison) -> str:
    """The comparison as sentences, 100 columns wide. Deterministic."""
    lines = [words.phrases.TITLE.upper(), words.phrases.RESEARCH_USE, ""]
    dates = [f"{words.when(one)}: {', '.join(one.contrasts)}" for one in comparison.examinations]
    lines += [text[:1].upper() + text[1:] for text in dates]
    lines += [line for text in comparison.warnings for line in _wrapped(phrases.NOTE.format(text=text))]
    for step in comparison.steps:
        lines += ["", phrases.EXAMINATION_AGAINST.format(later=step.later, named=_named(step.earlier))]
        for section in sections(step):
            lines += ["", section.title]
            lines += [line for sentence in section.sentences for line in _wrapped(sentence.text, "  ")]
    trends = [trend for trend in comparison.trends if trend.name in NAMES]
    if trends:
        lines += ["", phrases.VALUE_PER_EXAMINATION, ""]
        for trend in trends:
            values = ", ".join(words.quantity(value, trend.unit) for value in trend.values)
            what = f"{trend.place} {f'{trend.lesion} ' if trend.lesion else ''}{words.phrases['NAMES'][trend.name]}"
            lines += _wrapped(f"{what}: {values}", "  ")
    return "\n".join([*lines, "", *_wrapped(words.phrases.RULE)]) + "\n"


def _named(earlier: int) -> str:
    return phrases.BASELINE if earlier == 0 else phrases.EXAMINATION.format(earlier=earlier)


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")


def to_csv(comparison: Comparison) -> str:
    """One row per quantity and step; empty cells have their reason in the row."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for step in comparison.steps:
        rows += _rows(comparison, step)
    return csv_text(rows)


def _rows(comparison: Comparison, step: Step) -> list[tuple[str, ...]]:
    ends = comparison.examinations[step.earlier], comparison.examinations[step.later]
    days = "" if ends[0].days is None or ends[1].days is None else str(ends[1].days - ends[0].days)
    found = []
    for c in step.changes:
        first = (c.baseline, *(c.baseline_interval or (None, None)))
        last = (c.later, *(c.later_interval or (None, None)))
        found.append(
            (
                *(str(step.earlier), str(step.later), days, c.place, c.lesion, c.name),
                *(number(value, c.unit) for value in (*first, *last)),
                c.unit,
                *(number(value, c.unit) for value in (c.change, c.mdc)),
                *(c.verdict.value, c.reason, c.mdc_source, c.id, ";".join(c.evidence)),
            )
        )
    return found
