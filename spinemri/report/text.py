"""``report.txt``: the narrative as plain text, 100 columns wide, with the ids that each sentence rests on.

A long list of ids is shortened to its first and last with the count; ``report.json`` holds them all.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from spinemri.language import in_its_language, number
from spinemri.report.lesion_values import BODY_SHARE, DIAMETER, VOLUME, kinds_text, place_text, values_of
from spinemri.report.narrative import narrate
from spinemri.report.phrases import marrow_phrases, phrases
from spinemri.report.reviewed import disclaimer
from spinemri.report.tables import level_rows, measured_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from spinemri.analysis import Analysis
    from spinemri.case import Case
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement
    from spinemri.report.sentences import Section, Sentence
    from spinemri.report.tables import LevelRow

WIDTH = 100
_MOST_IDS = 4


def write_text(case: Case, folder: Path) -> None:
    """Write ``report.txt``."""
    (folder / "report.txt").write_text(to_text(case.analysis), encoding="utf-8")


@in_its_language
def to_text(analysis: Analysis) -> str:
    """The whole report as text. Deterministic."""
    narrative = narrate(analysis)
    lines = [f"{phrases.TITLE.upper()} – {phrases.SUBTITLE}", phrases.RESEARCH_USE]
    for section in narrative.sections:
        if section is narrative.impression:
            lines += ["", phrases.MEASUREMENTS.upper(), *_table(analysis), *_lesion_table(analysis)]
        lines += ["", section.title.upper(), *_body(section, numbered=section is narrative.impression)]
    lines += ["", phrases.PROVENANCE.upper(), *_wrapped(provenance_line(analysis), "  ")]
    lines += ["", phrases.DISCLAIMER.upper(), *_wrapped(disclaimer(analysis), "  ")]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def provenance_line(analysis: Analysis) -> str:
    """Software, model, device and time in one sentence."""
    p = analysis.provenance
    models = [
        phrases.MODEL_USED.format(
            role=phrases["MODEL_ROLES"][m.role], model=m.name, version=m.version, sha=m.sha256[:12]
        )
        for m in p.models
    ]
    return phrases.PROVENANCE_LINE.format(
        software=p.software,
        version=p.version,
        models="; ".join(models) or phrases.NO_MODEL,
        device=p.device,
        created=p.created,
    )


def evidence_text(sentence: Sentence) -> str:
    """'[L1.height_loss_pct, F1]', shortened in the middle when there are many."""
    evidence = sentence.evidence
    if not evidence:
        return ""
    if len(evidence) > _MOST_IDS:
        return f"[{evidence[0]} … {evidence[-1]}, {len(evidence)}]"
    return f"[{', '.join(evidence)}]"


def unbroken(text: str) -> str:
    """Text whose numbers stay on one line with their units, for what is set in lines elsewhere."""
    return re.sub(r"(?<=\d) (?=(?:%|mm|ms|T)(?!\w))", "\u00a0", text)


def cell(measurement: Measurement | None, digits: int) -> str:
    """A number for a table, or a dash; the dash's reason stands in the remark."""
    if measurement is None or measurement.value is None:
        return phrases.EMPTY
    return number(round(measurement.value, digits) + 0.0, f".{digits}f")  # + 0.0: no minus sign before a zero


def remark(row: LevelRow) -> str:
    """Why cells of a row are empty."""
    gaps = [*row.gaps]
    if not row.measurements:
        gaps.insert(0, phrases.CUT if row.vertebra.cut else phrases.NOT_MEASURED)
    return "; ".join(gaps)


def references(row: LevelRow) -> str:
    """Reference levels of the height loss."""
    levels = row.height_loss.reference_levels if row.height_loss else ()
    return ", ".join(str(level) for level in levels) or phrases.EMPTY


def level_cells(analysis: Analysis, row: LevelRow) -> list[str]:
    """One row of the table of levels, under ``phrases["TABLE_HEADERS"]``."""
    heights = [cell(m, 1) for m in row.heights]
    sac = [cell(row.sac_at_body, 1), cell(row.sac_at_disc, 1), cell(row.compromise, 0)]
    series = measured_in(analysis, row.vertebra)
    return [str(row.level), *heights, cell(row.height_loss, 0), references(row), *sac, series, remark(row)]


def lesion_cells(analysis: Analysis, lesion: Lesion) -> list[str]:
    """One row of the table of lesions, under ``marrow_phrases["TABLE_HEADERS"]``."""
    values = values_of(analysis, lesion)
    numbers = [cell(values.get(name), 0) for name in (DIAMETER, VOLUME, BODY_SHARE)]
    place = place_text(analysis, lesion)
    return [lesion.id, place, *numbers, f"{100 * lesion.probability:.0f}", kinds_text(lesion)]


def _body(section: Section, *, numbered: bool) -> Iterator[str]:
    for count, sentence in enumerate(section.sentences, start=1):
        text = f"{sentence.text} {evidence_text(sentence)}".strip()
        yield from _wrapped(text, f"  {count}. " if numbered else "  ")
    for part in section.parts:
        yield f"  {part.title}"
        for sentence in part.sentences:
            yield from _wrapped(f"{sentence.text} {evidence_text(sentence)}".strip(), "    ")


def _wrapped(text: str, indent: str) -> list[str]:
    follow = " " * (len(indent) + 2 if indent.strip() == "" else len(indent))
    options = {"width": WIDTH, "break_long_words": False, "break_on_hyphens": False}
    return textwrap.wrap(text, initial_indent=indent, subsequent_indent=follow, **options)  # type: ignore[arg-type]


def _table(analysis: Analysis) -> Iterator[str]:
    rows = [[*phrases["TABLE_HEADERS"].values()], *(level_cells(analysis, row) for row in level_rows(analysis))]
    if len(rows) == 1:
        yield f"  {phrases.NOTHING_MEASURED}"
        return
    yield from _columns(rows)
    yield from _wrapped(phrases.TABLE_NOTE, "  ")


def _lesion_table(analysis: Analysis) -> Iterator[str]:
    """A row per lesion; its other measurements are in ``lesions.csv``."""
    if not analysis.lesions:
        return
    rows = [[*marrow_phrases["TABLE_HEADERS"].values()]]
    rows += [lesion_cells(analysis, lesion) for lesion in analysis.lesions]
    yield from ("", f"  {marrow_phrases.TABLE_TITLE}")
    yield from _columns(rows)
    yield from _wrapped(marrow_phrases.TABLE_NOTE, "  ")


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with all columns but the last one aligned to the right."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]) - 1)]
    for row in rows:
        numbers = "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=False))
        head = f"  {numbers}"
        yield from textwrap.wrap(
            f"{head}  {row[-1]}", 2 * WIDTH, drop_whitespace=False, subsequent_indent=" " * (len(head) + 2)
        )
