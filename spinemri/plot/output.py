"""A figure as SVG text or PNG bytes: no date, no random names; an SVG has a title and a description to be read out."""

from __future__ import annotations

import hashlib
import io
import re
from html import escape
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

_NO_DATE = {"Date": None, "Creator": None, "Format": None, "Type": None}
_FONT = re.compile(r" font-family: [^;\"]+;?")
_NAMES = re.compile(r'\bid="([^"]+)"')


def to_svg(
    figure: Figure, title: str, description: str, *, colours: Mapping[str, str] | None = None, inline: bool = False
) -> str:
    """The figure as SVG; equal figures give equal text.

    Parameters
    ----------
    title, description : what is drawn, and what it shows, in words
    colours : colour '#rrggbb' in the figure -> what stands for it, such as 'var(--ink)'
    inline : to stand in an HTML page: without XML declaration, own style sheet and size, names unique to the figure,
        the page's font
    """
    stream = io.StringIO()
    FigureCanvasSVG(figure)
    with mpl.rc_context({"svg.hashsalt": "spinemri", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata=_NO_DATE)
    text = stream.getvalue()
    for colour, value in (colours or {}).items():
        text = text.replace(colour, value)
    mark = f"p{hashlib.sha256((title + text).encode()).hexdigest()[:8]}"
    told = f'<title id="{mark}-t">{escape(title)}</title><desc id="{mark}-d">{escape(description)}</desc>'
    head, body = re.split(r"<svg [^>]*>", text, maxsplit=1)
    box = re.search(r'viewBox="[^"]*"', text)
    opened = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {box[0] if box else ""}'
    )
    opened += f' role="img" aria-labelledby="{mark}-t" aria-describedby="{mark}-d">'
    if inline:
        return opened + told + _inlined(body, mark)
    return head + opened + told + body


def to_png(figure: Figure, dpi: float = 200.0) -> bytes:
    """The figure as PNG; equal figures give equal bytes."""
    stream = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def _inlined(body: str, mark: str) -> str:
    """The inside of an SVG for an HTML page."""
    body = re.sub(r"\s*<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))
    body = _NAMES.sub(lambda found: f'id="{mark}{found[1]}"' if found[1] in used else "", body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{mark}", body)
    body = _FONT.sub("", body)
    return re.sub(r">\s+<", "><", re.sub(r" +>", ">", body)).strip()
