"""Rows of the page's tables: levels, and how well two series match at each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri import plot
from spinemri.language import number
from spinemri.report.lesions import marks
from spinemri.report.marrow import is_marrow_finding
from spinemri.report.narrative import reported_findings
from spinemri.report.phrases import phrases
from spinemri.report.tables import measured_in, not_measured_in
from spinemri.report.text import cell, references, remark

if TYPE_CHECKING:
    from spinemri.analysis import Analysis
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


def page_row(analysis: Analysis, row: LevelRow) -> PageRow:
    """A row of the table of levels."""
    tones = evidence_tones(analysis)
    assignment = row.vertebra.assignment
    basis = phrases["BASIS_SHORT"].get(assignment.basis.value, assignment.basis.value)
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


def page_shift(alignment: VertebraAlignment) -> PageShift:
    """A row of the table of matches."""
    residual, rotation = alignment.residual_mm, alignment.rotation_deg
    handling = phrases["ALIGNMENT_WORD"].get(alignment.status, alignment.status)
    return PageShift(
        level=str(alignment.level),
        shift=phrases.EMPTY if residual is None else f"{number(residual, '.1f')} mm",
        bar=round(min((residual or 0.0) / 5.0, 1.0) * 100, 1),
        tone="abnormal" if (residual or 0.0) > ALIGNMENT_LIMIT_MM or alignment.status != "aligned" else "",
        rotation=phrases.EMPTY if rotation is None else f"{number(rotation, '.1f')}°",
        handling=f"{handling}: {alignment.reason}" if alignment.reason else handling,
    )


def grid_text(series: Series) -> str:
    """'15 × 0.9 × 0.9 × 4.4 mm': number of slices and voxel size."""
    if series.shape is None or series.spacing is None:
        return phrases.EMPTY
    slice_mm, row_mm, column_mm = series.spacing
    return phrases.GRID.format(slices=series.shape[0], row_mm=row_mm, column_mm=column_mm, slice_mm=slice_mm)


def evidence_tones(analysis: Analysis) -> dict[str, str]:
    """How measurements are shown that reported findings rest on, by their ids; the weightiest finding decides."""
    tones: dict[str, str] = {}
    for finding in reversed([f for f in reported_findings(analysis) if not is_marrow_finding(f)]):
        tone = "borderline" if finding.certainty.value == "borderline" else "abnormal"
        tones |= dict.fromkeys(finding.evidence, tone)
    return tones
