"""How the PDF looks: page frame, colours, and fonts that lie inside the file.

The fonts are DejaVu, which come with matplotlib, may be embedded, and have every sign of the reports (en dash, ×, °, ²,
≥). The frame repeats on every page what a single sheet must not lose: which study, for research only, page n of all.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import matplotlib as mpl
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate

from spinemri.language import spoken
from spinemri.report.phrases import phrases
from spinemri.report.text import unbroken

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from spinemri.analysis import Analysis

REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
INK, MUTED, LINE, ACCENT = HexColor("#1a242e"), HexColor("#56626e"), HexColor("#d8d4ca"), HexColor("#0d5c69")
BAD, BAD_WASH, WARN = HexColor("#a3301c"), HexColor("#faebe7"), HexColor("#7d5200")
TONES = {"urgent": BAD, "abnormal": BAD, "borderline": WARN}
_COLOURS = {**TONES, "limit": MUTED, "accent": ACCENT}
MARGIN, FOOT = 17 * mm, 17 * mm
WIDTH = A4[0] - 2 * MARGIN
_PADDING = 6  # points that reportlab leaves inside every frame
BODY, SMALL, TINY = 8.4, 7.2, 6.4


@cache
def register_fonts() -> None:
    """Make the fonts known to reportlab, once."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    for name in (REGULAR, BOLD):
        registerFont(TTFont(name, folder / f"{name}.ttf"))
    registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)


@cache
def style(
    size: float = BODY, *, bold: bool = False, right: bool = False, before: float = 0.0, after: float = 2.5
) -> ParagraphStyle:
    """A paragraph's style; sizes and spaces in points."""
    register_fonts()
    font = BOLD if bold else REGULAR
    return ParagraphStyle(
        f"{font} {size} {right} {before} {after}",
        fontName=font,
        fontSize=size,
        leading=size * 1.3,
        spaceBefore=before,
        spaceAfter=after,
        textColor=INK,
        alignment=TA_RIGHT if right else TA_LEFT,
    )


def said(text: str, how: ParagraphStyle | None = None, tone: str = "") -> Paragraph:
    """Text as it stands, whatever signs it holds, as a paragraph.

    ``tone`` colours it: that of a sentence, or 'accent'.
    """
    colour = _COLOURS.get(tone)
    marked = escape(unbroken(text))
    return Paragraph(f'<font color="{colour.hexval()}">{marked}</font>' if colour else marked, how or style())


def heading(text: str, *, keep: bool = True) -> Paragraph:
    """The title of a section; kept with what follows unless that fits itself to the page."""
    made = ParagraphStyle("heading", style(11.5, bold=True, before=9, after=3.5), keepWithNext=int(keep))
    return said(text, made)


def part_heading(text: str) -> Paragraph:
    """The title of a part of a section."""
    made = ParagraphStyle("part", style(BODY, bold=True, before=4, after=1.5), keepWithNext=1, textColor=ACCENT)
    return said(text, made)


def document(target: BinaryIO, analysis: Analysis) -> SimpleDocTemplate:
    """An empty A4 document whose bytes depend on what is put into it only."""
    title = f"{phrases.TITLE} – {phrases.SUBTITLE}"
    return SimpleDocTemplate(
        target,
        pagesize=A4,
        leftMargin=MARGIN - _PADDING,
        rightMargin=MARGIN - _PADDING,
        topMargin=15 * mm,
        bottomMargin=FOOT,
        title=title,
        subject=analysis.study,
        author=phrases.RESEARCH_USE,
        creator=f"{analysis.provenance.software} {analysis.provenance.version}",
        lang=spoken(),
        invariant=1,
    )


def canvas_maker(analysis: Analysis) -> Callable[..., Canvas]:
    """Makes the canvas that writes the frame of every page."""
    return partial(_Numbered, study=analysis.study)


class _Numbered(Canvas):
    """A canvas that writes the frames when the number of pages is known."""

    def __init__(self, *arguments: object, study: str, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self._study = study
        self._pages: list[dict[str, object]] = []

    def showPage(self) -> None:
        """Keep a finished page until all of them are."""
        self._pages.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]

    def save(self) -> None:
        """Write every page with its frame, then the file."""
        for number, page in enumerate(self._pages, start=1):
            self.__dict__.update(page)
            self._frame(number, len(self._pages))
            super().showPage()
        super().save()

    def _frame(self, number: int, count: int) -> None:
        low = FOOT - 5 * mm
        self.setStrokeColor(LINE)
        self.setLineWidth(0.5)
        self.line(MARGIN, low, A4[0] - MARGIN, low)
        self.setFillColor(MUTED)
        self.setFont(REGULAR, TINY)
        self.drawString(MARGIN, low - 9, phrases.PDF_FOOT.format(use=phrases.RESEARCH_USE, study=self._study))
        self.drawRightString(A4[0] - MARGIN, low - 9, phrases.PDF_PAGE.format(number=number, count=count))
