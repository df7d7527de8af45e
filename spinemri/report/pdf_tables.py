"""The tables of the PDF: levels, lesions, and what stands in a frame (urgent findings, impression, facts).

Headings are repeated on every page that a table reaches; a row is not broken where it can be helped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportlab.lib.colors import HexColor, white
from reportlab.lib.units import mm
from reportlab.platypus import Table

from spinemri import plot
from spinemri.report.lesion_values import finding_of, looks_benign
from spinemri.report.page_tables import evidence_tones
from spinemri.report.pdf_style import (
    ACCENT,
    BAD,
    BAD_WASH,
    BODY,
    LINE,
    MUTED,
    SMALL,
    TINY,
    TONES,
    WIDTH,
    said,
    style,
)
from spinemri.report.phrases import marrow_phrases, phrases
from spinemri.report.tables import level_rows
from spinemri.report.text import lesion_cells, level_cells

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from reportlab.platypus import Paragraph

    from spinemri.analysis import Analysis
    from spinemri.report.sentences import Section

    Rules = list[Any]  # reportlab's commands

_LEVELS_MM = (12, 11, 11, 11, 13, 21, 13, 13, 20, 15, 36)
_TITLE_MM = 31
_LESIONS_MM = (19, 22, 13, 17, 15, 15, 75)
_LEVEL_COLUMNS = {"loss": 4, "sac": 8}
_LEVELS_TEXT, _LESIONS_TEXT = (0, 5, 9, 10), (0, 1, 6)


def levels_table(analysis: Analysis) -> Table | None:
    """A row per vertebra, values that findings rest on in the colour of the finding; None without a vertebra."""
    rows = level_rows(analysis)
    if not rows:
        return None
    tones = evidence_tones(analysis)
    rules: Rules = []
    cells = []
    for number, row in enumerate(rows, start=1):
        marked = {_LEVEL_COLUMNS["loss"]: row.height_loss, _LEVEL_COLUMNS["sac"]: row.compromise}
        toned = {column: tones[m.id] for column, m in marked.items() if m is not None and m.id in tones}
        rules.append(("LINEBEFORE", (0, number), (0, number), 3, HexColor(plot.level_colour(row.level))))
        cells.append(_cells(level_cells(analysis, row), _LEVELS_TEXT, toned))
    return _table([*phrases["TABLE_HEADERS"].values()], cells, (_LEVELS_MM, _LEVELS_TEXT), rules)


def lesions_table(analysis: Analysis) -> Table | None:
    """A row per lesion; None without one."""
    if not analysis.lesions:
        return None
    cells = []
    for lesion in analysis.lesions:
        benign = looks_benign(lesion, finding_of(analysis, lesion))
        cells.append(_cells(lesion_cells(analysis, lesion), _LESIONS_TEXT, {} if benign else {1: "abnormal"}))
    return _table([*marrow_phrases["TABLE_HEADERS"].values()], cells, (_LESIONS_MM, _LESIONS_TEXT), [])


def flags(section: Section) -> Table:
    """Urgent findings in a frame, red when one is raised."""
    raised = any(sentence.tone == "urgent" for sentence in section.sentences)
    title = said(section.title, style(BODY, bold=True), "urgent" if raised else "")
    told = [said(s.text, style(BODY, bold=s.tone == "urgent"), s.tone or "limit") for s in section.sentences]
    table = Table([[one] for one in (title, *told)], colWidths=[WIDTH], hAlign="LEFT")
    table.setStyle([*_plain(6, 1.5), ("LINEBEFORE", (0, 0), (0, -1), 2.5, BAD if raised else LINE)])
    if raised:
        table.setStyle([("BACKGROUND", (0, 0), (-1, -1), BAD_WASH)])
    return table


def numbered(section: Section) -> Table | None:
    """The sentences of a section, numbered; None without one."""
    rows = [
        [said(str(n), style(BODY, bold=True), s.tone), said(s.text, style(BODY + 0.5, bold=s.tone in TONES))]
        for n, s in enumerate(section.sentences, start=1)
    ]
    if not rows:
        return None
    table = Table(rows, colWidths=[8 * mm, WIDTH - 8 * mm], hAlign="LEFT")
    table.setStyle([*_plain(2, 2.2), ("LINEBELOW", (0, 0), (-1, -2), 0.4, LINE)])
    return table


def sections(told: Sequence[Section]) -> Table:
    """Sections of the report: titles on the left, their sentences beside them; a title is never left behind."""
    rows: list[list[Paragraph | list[Paragraph] | str]] = []
    rules: Rules = []
    for section in told:
        rules.append(("LINEABOVE", (0, len(rows)), (-1, len(rows)), 0.4, LINE))
        title: Paragraph | str = said(section.title, style(BODY, bold=True, after=0))
        for part in (section, *section.parts):
            head = [] if part is section else [said(part.title, style(BODY, bold=True, after=1), "accent")]
            for sentence in part.sentences:
                rows.append([title, [*head, said(sentence.text, style(BODY, after=0), sentence.tone)]])
                title, head = "", []
    table = Table(rows, colWidths=[_TITLE_MM * mm, WIDTH - _TITLE_MM * mm], hAlign="LEFT")
    table.setStyle([*_plain(0, 1.3), *rules])
    return table


def facts(entries: Sequence[tuple[str, str]]) -> Table:
    """Headings with what stands under them, side by side."""
    heads = [said(title, style(TINY, after=0), "limit") for title, _ in entries]
    values = [said(value, style(SMALL, after=0)) for _, value in entries]
    table = Table([heads, values], colWidths=[WIDTH / len(entries)] * len(entries), hAlign="LEFT")
    table.setStyle([*_plain(0, 0.8), ("LINEBELOW", (0, 1), (-1, 1), 0.6, LINE)])
    return table


def _table(
    headers: Sequence[str], cells: list[list[Paragraph]], shape: tuple[Sequence[float], Sequence[int]], rules: Rules
) -> Table:
    widths, left = shape
    total = sum(widths)
    heads = _cells(headers, left, {}, bold=True)
    table = Table([heads, *cells], colWidths=[WIDTH * w / total for w in widths], hAlign="LEFT", repeatRows=1)
    table.setStyle([*_plain(3, 1.6), ("LINEBELOW", (0, 0), (-1, 0), 0.8, ACCENT)])
    table.setStyle([("LINEBELOW", (0, 1), (-1, -1), 0.3, LINE), ("BACKGROUND", (0, 0), (-1, 0), white), *rules])
    return table


def _cells(texts: Sequence[str], left: Sequence[int], toned: dict[int, str], *, bold: bool = False) -> list[Paragraph]:
    made = []
    for column, text in enumerate(texts):
        how = style(SMALL, bold=bold or column == 0 or column in toned, after=0, right=column not in left)
        tone = "limit" if column == len(texts) - 1 and not bold else toned.get(column, "")
        made.append(said(text, how, tone))
    return made


def _plain(side: float, above: float) -> Rules:
    whole = ((0, 0), (-1, -1))
    return [
        ("VALIGN", *whole, "TOP"),
        ("LEFTPADDING", *whole, side),
        ("RIGHTPADDING", *whole, side),
        ("TOPPADDING", *whole, above),
        ("BOTTOMPADDING", *whole, above),
        ("TEXTCOLOR", *whole, MUTED),
    ]
