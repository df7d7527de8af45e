"""The mid-sagittal picture as an SVG figure: the slice as an image, outlines, names and lengths as vectors over it.

Vectors keep names sharp at any zoom, print well, and can be switched off without a second picture. Only lengths that
were measured on a series are drawn on it; they are projected across the slices onto the one that is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image as Picture

from spinemri import plot
from spinemri.anatomy import StructureKind
from spinemri.language import number
from spinemri.report.drawing import Line, Name, Shape, box_of, data_uri, path
from spinemri.report.lesion_figure import lesion_shapes
from spinemri.report.lesion_values import finding_of, looks_benign
from spinemri.report.narrative import HEIGHT_LOSS_REPORTED_PCT, reported_findings
from spinemri.report.phrases import phrases
from spinemri.report.sentences import level_ranges
from spinemri.report.statements import NARROWING_KIND
from spinemri.report.tables import HEIGHT_LOSS, HEIGHTS, SAC_AP, measured, named
from spinemri.review import FINDING_REJECTED
from spinemri.terms import name_of, structure_name, term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level
    from spinemri.case import Case
    from spinemri.image import Image
    from spinemri.measurement import Measurement
    from spinemri.plot import SagittalView
    from spinemri.segmentation import Segmentation
    from spinemri.series import Series

MARK, MARK_BENIGN = "●", "○"
_MAX_PIXELS = 1200
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class SagittalFigure:
    """Everything the page needs to draw one picture; positions and sizes in mm."""

    title: str
    caption: str
    alternative: str
    image: str
    box: tuple[float, float, float, float]
    shapes: tuple[Shape, ...]
    names: tuple[Name, ...]
    lines: tuple[Line, ...]

    @property
    def font_mm(self) -> float:
        """Size of the names: readable on a phone, small against a vertebra."""
        return round(min(max(0.021 * self.box[3], 4.0), 8.0), 1)


def sagittal_figure(case: Case, series: Series, image: Image, segmentation: Segmentation) -> SagittalFigure:
    """Mid-sagittal figure of one series of a case, lesions that cross the slice outlined.

    ``series`` are the header facts that the analysis holds; those of ``image`` may hold identifiers and are not used.
    """
    analysis, view = case.analysis, plot.mid_sagittal(image, segmentation)
    lesions = lesion_shapes(case, view, series.series_uid)
    names = tuple(_names(analysis, view, segmentation))
    levels = {s.level for _, s in plot.structures_shown(view, segmentation) if s.level and _is_body(s.kind)}
    shown = level_ranges(levels, analysis.spine.levels or sorted(levels)) or phrases.EMPTY
    short = phrases.SERIES_SHORT.format(contrast=term(series.contrast.value), label=series.label)
    position = {"number": view.slice_number + 1, "count": view.slice_count}
    return SagittalFigure(
        title=short,
        caption=phrases.FIGURE_CAPTION.format(**position),
        alternative=phrases.FIGURE_ALTERNATIVE.format(series=short, levels=shown, **position),
        image=_picture(view),
        box=box_of(view),
        shapes=(*_shapes(view, segmentation), *lesions),
        names=names,
        lines=tuple(_lines(analysis, view, series)),
    )


def lines_to_draw(analysis: Analysis, series_uid: str) -> tuple[Measurement, ...]:
    """Heights of deformed bodies and the width of the sac where it is narrowed most, if measured on this series."""
    deformed = _deformed(analysis)
    heights = [m for m in named(analysis, *HEIGHTS) if m.level in deformed]
    width = _shown_width(analysis)
    chosen = [*heights, width] if width else heights
    return tuple(m for m in chosen if m.series_uid == series_uid)


def _shown_width(analysis: Analysis) -> Measurement | None:
    """Width at the worst reported narrowing, else the smallest width."""
    widths = measured(named(analysis, SAC_AP))
    narrowed = [id_ for f in reported_findings(analysis) if f.kind == NARROWING_KIND for id_ in f.evidence]
    at_worst = [m for id_ in narrowed for m in widths if m.id == id_]
    return at_worst[0] if at_worst else min(widths, key=lambda m: (m.value or 0.0, m.id), default=None)


def _deformed(analysis: Analysis) -> dict[Level | None, Measurement]:
    """Height loss of the bodies that lost a fifth or more, unless a reader rejected that."""
    losses = measured(named(analysis, HEIGHT_LOSS))
    kept = (m for m in losses if FINDING_REJECTED not in m.flags)
    return {m.level: m for m in kept if (m.value or 0.0) >= HEIGHT_LOSS_REPORTED_PCT}


def _marked(analysis: Analysis) -> dict[Level, str]:
    """A filled mark for levels with a lesion that has a sentence of its own, an open one where all look benign."""
    marks: dict[Level, str] = {}
    for lesion in analysis.lesions:
        benign = looks_benign(lesion, finding_of(analysis, lesion))
        for level in lesion.levels:
            marks[level] = marks.get(level, MARK_BENIGN) if benign else MARK
    return marks


def _is_body(kind: StructureKind) -> bool:
    return kind is StructureKind.VERTEBRAL_BODY


def _shapes(view: SagittalView, segmentation: Segmentation) -> Iterator[Shape]:
    for value, structure in plot.structures_shown(view, segmentation):
        outline = path(plot.outlines(view, value))
        yield Shape(outline, plot.structure_colour(structure), structure.kind.value, structure_name(structure))


def _names(analysis: Analysis, view: SagittalView, segmentation: Segmentation) -> Iterator[Name]:
    deformed, marked = _deformed(analysis), _marked(analysis)
    for value, structure in plot.structures_shown(view, segmentation):
        if _is_body(structure.kind) and structure.level is not None:
            x, y = plot.name_position(view, value)
            loss = deformed.get(structure.level)
            told = [marked.get(structure.level, ""), f"−{loss.value:.0f} %" if loss is not None else ""]
            remark = " ".join(text for text in told if text)
            yield Name(round(x, 1), round(y, 1), structure.place, plot.structure_colour(structure), remark)


def _lines(analysis: Analysis, view: SagittalView, series: Series) -> Iterator[Line]:
    for measurement, (first, second) in plot.drawn_lines(view, lines_to_draw(analysis, series.series_uid)):
        start, end = sorted([first, second])
        size = f"{number(measurement.value or 0.0, '.1f')} {measurement.unit}"
        name = phrases["NAMES"].get(measurement.name) or name_of(measurement.name)
        title = f"{measurement.place} {name} {size}"
        yield Line(start, end, title, size if measurement.name == SAC_AP else "")


def _picture(view: SagittalView) -> str:
    """The slice, at most 1200 pixels long."""
    picture = Picture.fromarray(view.grey())
    picture.thumbnail((_MAX_PIXELS, _MAX_PIXELS))
    return data_uri(picture, _JPEG_QUALITY)
