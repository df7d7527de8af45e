"""The pictures of the page as drawings on paper: the same slice, outlines, names and lengths, in the same colours.

A picture's millimetres grow downwards, those of paper upwards. The slice goes into the file as the JPEG that it is.
"""

from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING

from reportlab.lib.colors import HexColor, black
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Flowable, Image, Table

from spinemri.report.figure import SagittalFigure
from spinemri.report.pdf_style import BOLD, TINY, said, style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from reportlab.lib.colors import Color
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Paragraph

    from spinemri.report.drawing import Line, Name, Shape
    from spinemri.report.lesion_figure import LesionPicture
    from spinemri.report.profiles import Drawing

    Box = tuple[float, float, float, float]

GAP = 3 * mm
LEAST_ROW = 72 * mm
"""Room on a page from which figures with captions are put on it, in points."""
_CAPTION, _TALLEST = 12 * mm, 96 * mm
_LENGTH, _REMARK = HexColor("#ffd166"), HexColor("#ffb3a5")
_LESION_FONT_MM = 5.0
_WIDTHS = {"lesion": (0.22, 0.9), "lesion benign": (0.0, 0.9), "vertebral_body": (0.16, 0.6), "cord": (0.12, 0.4)}
_FAINT = (0.06, 0.35)  # how filled, and the width of the outline in points, of whatever else is shown


class PaperPicture(Flowable):
    """One picture of a given width in points; ``box`` is the part of it that is shown, in its millimetres."""

    def __init__(self, picture: SagittalFigure | LesionPicture, width: float) -> None:
        super().__init__()
        self.picture = picture
        self.shown: Box = picture.box
        self.whole = isinstance(picture, SagittalFigure)
        self.width, self.height = width, width * picture.box[3] / picture.box[2]
        self.scale = width / picture.box[2]

    def draw(self) -> None:
        """Draw the slice, then what lies over it, nothing outside the box."""
        canvas, picture = self.canv, self.picture
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(0, 0, self.width, self.height)
        canvas.setFillColor(black)
        canvas.clipPath(frame, stroke=0, fill=1)
        left, top, width, height = picture.box if isinstance(picture, SagittalFigure) else picture.image_box
        x, y = self.at(left, top + height)
        canvas.drawImage(ImageReader(_jpeg(picture.image)), x, y, width * self.scale, height * self.scale)
        for shape in picture.shapes:
            self._shape(canvas, shape)
        for line in picture.lines:
            self._line(canvas, line)
        for name in picture.names:
            self._name(canvas, name)
        canvas.restoreState()

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A point of the picture on paper, points from the lower left corner."""
        return (x - self.shown[0]) * self.scale, (self.shown[1] + self.shown[3] - y) * self.scale

    def _font(self) -> float:
        return self.scale * (self.picture.font_mm if isinstance(self.picture, SagittalFigure) else _LESION_FONT_MM)

    def _shape(self, canvas: Canvas, shape: Shape) -> None:
        filled, width = _WIDTHS.get(shape.kind, _FAINT)
        filled = filled if self.whole else 0.0  # nothing may lie over the signal of a lesion
        outline = canvas.beginPath()
        for polygon in re.findall(r"M([^Z]*)Z", shape.path):
            (x, y), *others = [self.at(*map(float, point.split())) for point in polygon.split("L")]
            outline.moveTo(x, y)
            for x, y in others:
                outline.lineTo(x, y)
            outline.close()
        canvas.setStrokeColor(HexColor(shape.colour))
        canvas.setFillColor(HexColor(shape.colour), alpha=filled)
        canvas.setLineWidth(width)
        canvas.setDash(*([2.4, 1.8],) if shape.kind == "lesion benign" else ())
        canvas.drawPath(outline, stroke=1, fill=int(filled > 0))
        canvas.setDash()

    def _line(self, canvas: Canvas, line: Line) -> None:
        start, end = self.at(*line.start), self.at(*line.end)
        for colour, width in ((black, 1.8), (_LENGTH, 0.9)):
            canvas.setStrokeColor(colour)
            canvas.setLineWidth(width)
            canvas.line(*start, *end)
        if line.text:
            self._text(canvas, line.text, (end[0] + 3 * self.scale, end[1]), _LENGTH)

    def _name(self, canvas: Canvas, name: Name) -> None:
        x, y = self.at(name.x, name.y)
        wide = canvas.stringWidth(name.text, BOLD, self._font())
        self._text(canvas, name.text, (x - wide, y), HexColor(name.colour))
        if name.remark:
            gap = canvas.stringWidth(name.remark, BOLD, self._font()) + 0.6 * self._font()
            self._text(canvas, name.remark, (x - wide - gap, y), _REMARK)

    def _text(self, canvas: Canvas, text: str, at: tuple[float, float], colour: Color) -> None:
        """Text with a dark rim, its middle at a height; inside the picture as far as it fits."""
        size = self._font()
        wide = canvas.stringWidth(text, BOLD, size)
        x = max(min(at[0], self.width - wide - 1), 1)
        at_height = at[1] - 0.35 * size
        canvas.saveState()
        canvas.setStrokeColor(black)
        canvas.setLineWidth(0.2 * size)
        canvas.setLineJoin(1)
        canvas.setFont(BOLD, size)
        canvas.drawString(x, at_height, text, mode=1)
        canvas.restoreState()
        canvas.setFillColor(colour, alpha=1)
        canvas.setFont(BOLD, size)
        canvas.drawString(x, at_height, text)


class FigureRow(Flowable):
    """Figures side by side with their captions, as tall as the page still has room for."""

    def __init__(self, figures: Sequence[SagittalFigure]) -> None:
        super().__init__()
        self.figures = figures

    def wrap(self, aW: float, aH: float) -> tuple[float, float]:
        """Width and height in points, for the room that there is."""
        room = min(max(aH - _CAPTION, LEAST_ROW - _CAPTION), _TALLEST)
        most = (aW - (len(self.figures) - 1) * GAP) / len(self.figures)
        widths = [min(most, room * figure.box[2] / figure.box[3]) for figure in self.figures]
        pictures = [PaperPicture(figure, width) for figure, width in zip(self.figures, widths, strict=True)]
        captions = [caption(figure.title, figure.caption) for figure in self.figures]
        self._grid = grid([pictures, captions], [width + GAP for width in widths])
        self.width, self.height = self._grid.wrap(aW, aH)
        return self.width, self.height

    def draw(self) -> None:
        """Draw them."""
        self._grid.drawOn(self.canv, 0, 0)


def paper_drawing(drawing: Drawing, width: float) -> Image:
    """A drawing as a picture of a given width in points."""
    inches_wide, inches_tall = drawing.figure.get_size_inches()
    return Image(io.BytesIO(drawing.png), width=width, height=width * inches_tall / inches_wide)


def caption(title: str, text: str) -> Paragraph:
    """What stands under a picture."""
    return said(f"{title}. {text}", style(TINY, before=1.5), "limit")


def grid(rows: Sequence[list[Any]], widths: Sequence[float]) -> Table:
    """Pictures and text in columns without lines."""
    whole = ((0, 0), (-1, -1))
    table = Table(rows, colWidths=widths, hAlign="LEFT")
    table.setStyle([("VALIGN", *whole, "TOP"), ("LEFTPADDING", *whole, 0), ("RIGHTPADDING", *whole, GAP)])
    table.setStyle([("TOPPADDING", *whole, 1), ("BOTTOMPADDING", *whole, 3)])
    return table


def _jpeg(uri: str) -> io.BytesIO:
    return io.BytesIO(base64.b64decode(uri.partition(",")[2]))
