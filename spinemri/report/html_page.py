"""``report.html``: one file that opens offline, in light or dark, on paper or on a phone.

Everything is inside the file: styles, pictures as data URIs, no script, no request. jinja2 escapes every text, since
series descriptions and reasons come from outside.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from spinemri import plot
from spinemri.measurement import Status
from spinemri.report import marrow_phrases, phrases
from spinemri.report.examination import alignment_pairs, pair_names
from spinemri.report.figure import sagittal_figure
from spinemri.report.lesions import lesion_section, marks
from spinemri.report.marrow import is_marrow_finding
from spinemri.report.narrative import narrate, reported_findings
from spinemri.report.tables import level_rows, measured_in, not_measured_in
from spinemri.report.text import cell, references, remark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spinemri.analysis import Analysis
    from spinemri.case import Case
    from spinemri.report.lesions import Mark
    from spinemri.report.tables import LevelRow
    from spinemri.series import Series
    from spinemri.spine import VertebraAlignment

ALIGNMENT_LIMIT_MM = 2.0


@dataclass(frozen=True)
class PageRow:
    """One row of the table of levels, ready to print."""

    level: str
    colour: str
    marks: tuple[Mark, ...]
    numbering: str
    heights: tuple[str, ...]
    loss: str
    loss_bar: float
    loss_tone: str
    references: str
    sac_at_body: str
    sac_at_disc: str
    compromise: str
    sac_tone: str
    measured_in: str
    not_measured_in: str
    remark: str


@dataclass(frozen=True)
class PageShift:
    """One row of the table of matches between two series."""

    level: str
    shift: str
    bar: float
    tone: str
    rotation: str
    handling: str


def write_html(case: Case, folder: Path) -> None:
    """Write ``report.html``."""
    (folder / "report.html").write_text(to_html(case), encoding="utf-8")


def to_html(case: Case) -> str:
    """The page as text."""
    analysis = case.analysis
    shown = zip(analysis.used_series(), case.images, case.segmentations, strict=True)
    losses = [row.height_loss for row in level_rows(analysis)]
    return (
        _environment()
        .get_template("report.html")
        .render(
            analysis=analysis,
            phrases=phrases,
            words=phrases.PAGE,
            marrow_words=marrow_phrases,
            lesions=lesion_section(case),
            narrative=narrate(analysis),
            urgent=any(s.tone == "urgent" for s in narrate(analysis).urgent.sentences),
            figures=[sagittal_figure(case, series, image, mask) for series, image, mask in shown],
            rows=[_page_row(analysis, row) for row in level_rows(analysis)],
            measured_count=sum(m is not None and m.status is Status.MEASURED for m in losses),
            matches=[
                (pair_names(analysis, pair[0]), [_page_shift(a) for a in pair]) for pair in alignment_pairs(analysis)
            ],
            grids={record.series.series_uid: grid_text(record.series) for record in analysis.series},
            skipped=Counter(skipped.reason for skipped in analysis.skipped).most_common(),
        )
    )


def grid_text(series: Series) -> str:
    """'15 × 0.9 × 0.9 × 4.4 mm': number of slices and voxel size."""
    if series.shape is None or series.spacing is None:
        return phrases.EMPTY
    slice_mm, row_mm, column_mm = series.spacing
    return f"{series.shape[0]} × ({row_mm:.2g} × {column_mm:.2g} × {slice_mm:.3g} mm)"


def unbroken(text: str) -> str:
    """Text whose numbers stay on one line with their units."""
    return re.sub(r"(?<=\d) (?=(?:%|mm|ms|T)(?!\w))", "\u00a0", text)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("spinemri.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken"] = unbroken
    return environment


def _page_row(analysis: Analysis, row: LevelRow) -> PageRow:
    tones = dict(_tones(analysis))
    assignment = row.vertebra.assignment
    basis = phrases.BASIS_SHORT.get(assignment.basis.value, assignment.basis.value)
    loss = row.height_loss.value if row.height_loss and row.height_loss.value is not None else 0.0
    return PageRow(
        level=str(row.level),
        colour=plot.level_colour(row.level),
        marks=marks(analysis).get(str(row.level), ()),
        numbering=f"{basis}, {100 * assignment.confidence:.0f} %",
        heights=tuple(cell(m, 1) for m in row.heights),
        loss=cell(row.height_loss, 0),
        loss_bar=round(min(max(loss, 0.0), 100.0), 1),
        loss_tone=tones.get(row.height_loss.id, "") if row.height_loss else "",
        references=references(row),
        sac_at_body=cell(row.sac_at_body, 1),
        sac_at_disc=cell(row.sac_at_disc, 1),
        compromise=cell(row.compromise, 0),
        sac_tone=tones.get(row.compromise.id, "") if row.compromise else "",
        measured_in=measured_in(analysis, row.vertebra),
        not_measured_in=not_measured_in(analysis, row.vertebra),
        remark=remark(row),
    )


def _tones(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Measurement ids that a reported finding rests on, and how to show them."""
    for finding in reversed([f for f in reported_findings(analysis) if not is_marrow_finding(f)]):
        tone = "borderline" if finding.certainty.value == "borderline" else "abnormal"
        yield from ((id_, tone) for id_ in finding.evidence)


def _page_shift(alignment: VertebraAlignment) -> PageShift:
    residual, rotation = alignment.residual_mm, alignment.rotation_deg
    handling = phrases.ALIGNMENT_WORD.get(alignment.status, alignment.status)
    return PageShift(
        level=str(alignment.level),
        shift=phrases.EMPTY if residual is None else f"{residual:.1f} mm",
        bar=round(min((residual or 0.0) / 5.0, 1.0) * 100, 1),
        tone="abnormal" if (residual or 0.0) > ALIGNMENT_LIMIT_MM or alignment.status != "aligned" else "",
        rotation=phrases.EMPTY if rotation is None else f"{rotation:.1f}°",
        handling=f"{handling}: {alignment.reason}" if alignment.reason else handling,
    )
