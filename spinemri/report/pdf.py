"""``report.pdf``: the report on two to four sheets of A4, made without a browser.

What cannot wait comes first: urgent findings, the impression, the pictures it rests on; then the tables, the findings
in full, what was not assessed, where all this comes from. The same case gives the same bytes.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, KeepTogether, Spacer

from spinemri.language import in_its_language
from spinemri.report.examination import contrast_list
from spinemri.report.figure import sagittal_figure
from spinemri.report.lesion_figure import lesion_pictures
from spinemri.report.lesion_values import (
    DIAMETER,
    VOLUME,
    kinds_text,
    place_text,
    probability_text,
    quantity,
    values_of,
)
from spinemri.report.narrative import narrate
from spinemri.report.pdf_pictures import GAP, LEAST_ROW, FigureRow, PaperPicture, caption, grid, paper_drawing
from spinemri.report.pdf_style import (
    BODY,
    SMALL,
    TINY,
    WIDTH,
    canvas_maker,
    document,
    heading,
    part_heading,
    said,
    style,
)
from spinemri.report.pdf_tables import facts, flags, lesions_table, levels_table, numbered, sections
from spinemri.report.phrases import marrow_phrases, page_phrases, phrases
from spinemri.report.profiles import profiles
from spinemri.report.reviewed import disclaimer
from spinemri.report.sentences import Section, Sentence
from spinemri.report.text import provenance_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reportlab.platypus import Flowable

    from spinemri.analysis import Analysis
    from spinemri.case import Case
    from spinemri.lesion import Lesion

MOST_PICTURED = 4
"""Lesions with pictures on paper; the table holds all of them, and ``report.html`` shows more."""
_IN_A_ROW = 3
_SQUARE = 39 * mm
_PROFILES, _PROFILE = 3, 55 * mm
_FIRST_ROWS = 34 * mm
"""Room for a title and the first rows of a table that may go on overleaf, in points."""


def write_pdf(case: Case, folder: Path) -> None:
    """Write ``report.pdf``."""
    (folder / "report.pdf").write_bytes(to_pdf(case))


@in_its_language
def to_pdf(case: Case) -> bytes:
    """The report as a PDF. Deterministic."""
    made = io.BytesIO()
    document(made, case.analysis).build(list(_story(case)), canvasmaker=canvas_maker(case.analysis))
    return made.getvalue()


def _story(case: Case) -> Iterator[Flowable]:
    analysis = case.analysis
    narrative = narrate(analysis)
    yield from _head(analysis)
    yield flags(narrative.urgent)
    yield heading(narrative.impression.title)
    yield numbered(narrative.impression) or said(phrases.NOTHING_MEASURED)
    if narrative.review:
        yield sections([narrative.review])
    yield from _figures(case)
    yield from _lesions(case)
    yield from _levels(analysis)
    told = (narrative.urgent, narrative.impression, narrative.review, narrative.not_assessed)
    yield CondPageBreak(_FIRST_ROWS)
    yield heading(phrases["PAGE"]["report"], keep=False)
    middle = (s for s in narrative.sections if s not in told)
    last = Section(phrases.DISCLAIMER, (Sentence(disclaimer(analysis)),))
    yield sections([*middle, narrative.not_assessed, _provenance(analysis), last])


def _head(analysis: Analysis) -> Iterator[Flowable]:
    yield said(phrases.RESEARCH_USE, style(SMALL, bold=True, after=1), "accent")
    yield said(f"{phrases.TITLE} – {phrases.SUBTITLE}", style(15, bold=True, after=6))
    details = [analysis.patient]
    if analysis.patient_age_years is not None:
        details.append(phrases.AGE.format(years=analysis.patient_age_years))
    details += [phrases["SEX"][analysis.patient_sex]] if analysis.patient_sex in phrases["SEX"] else []
    levels = [str(level) for level in analysis.spine.levels]
    series = contrast_list(analysis)
    words = phrases["PAGE"]
    entries = [(words["patient"], ", ".join(details)), (words["study"], analysis.study)]
    entries += [(words["vertebrae"], f"{levels[0]}–{levels[-1]} ({len(levels)})" if levels else phrases.EMPTY)]
    yield facts([*entries, (words["series"], series or phrases.EMPTY)])
    yield Spacer(0, 3 * mm)


def _figures(case: Case) -> Iterator[Flowable]:
    """The mid-sagittal pictures, side by side."""
    figures = [sagittal_figure(case, *one) for one in case.sagittal()]
    for start in range(0, len(figures), _IN_A_ROW):
        yield CondPageBreak(LEAST_ROW + 10 * mm)
        if start == 0:
            yield heading(phrases["PAGE"]["pictures"], keep=False)
        yield FigureRow(figures[start : start + _IN_A_ROW])


def _lesions(case: Case) -> Iterator[Flowable]:
    table = lesions_table(case.analysis)
    if table is None:
        return
    words, lesions = marrow_phrases["PAGE"], case.analysis.lesions
    cards = [_card(case, lesion) for lesion in lesions[:MOST_PICTURED]]
    yield KeepTogether([heading(words["lesions"]), said(words["overlay_key"], style(SMALL), "limit"), cards[0]])
    yield from cards[1:]
    if len(lesions) > MOST_PICTURED:
        more = words["more"].format(shown=MOST_PICTURED, count=len(lesions))
        yield said(more, style(SMALL), "limit")
    yield part_heading(words["all"])
    yield table
    yield said(marrow_phrases.TABLE_NOTE, style(TINY, before=2), "limit")


def _card(case: Case, lesion: Lesion) -> Flowable:
    """Pictures of a lesion and, beside them, what it is."""
    values = values_of(case.analysis, lesion)
    sizes = [quantity(values.get(name)) for name in (DIAMETER, VOLUME)]
    sure = f"{marrow_phrases['PAGE']['probability']} {probability_text(lesion)}"
    told = [
        said(f"{place_text(case.analysis, lesion)} · {lesion.id}", style(BODY, bold=True)),
        said(", ".join(size for size in sizes if size), style(SMALL)),
        said(kinds_text(lesion), style(SMALL)),
        said(sure, style(SMALL), "limit"),
    ]
    found = lesion_pictures(case, lesion)
    pictures = [[PaperPicture(one, _SQUARE), caption(one.title, one.caption)] for one in found]
    widths = [_SQUARE + GAP] * len(found)
    return grid([[*pictures, told]], [*widths, WIDTH - sum(widths)])


def _levels(analysis: Analysis) -> Iterator[Flowable]:
    table = levels_table(analysis)
    yield CondPageBreak(_FIRST_ROWS)
    yield heading(phrases["PAGE"]["levels"], keep=False)
    yield table or said(phrases.NOTHING_MEASURED)
    if table is not None:
        yield said(phrases.TABLE_NOTE, style(TINY, before=2), "limit")
        yield from _profiles(analysis)


def _profiles(analysis: Analysis) -> Iterator[Flowable]:
    """Profiles along the spine in one row; the map of lesions is in the page only."""
    made = [paper_drawing(one, _PROFILE) for one in profiles(analysis)[:_PROFILES]]
    if made:
        row = grid([made], [_PROFILE + GAP] * len(made))
        words = page_phrases["PROFILES"]
        yield KeepTogether([part_heading(words["title"]), said(words["about"], style(TINY), "limit"), row])


def _provenance(analysis: Analysis) -> Section:
    words, made = phrases["PAGE"], analysis.provenance
    sums = [(f"{phrases['MODEL_ROLES'][m.role].capitalize()} {words['checksum']}", m.sha256) for m in made.models]
    sums += [(words["norms"], made.norms_sha256)]
    told = [Sentence(f"{title}: {value}", tone="limit") for title, value in sums if value]
    return Section(phrases.PROVENANCE, (Sentence(provenance_line(analysis)), *told))
