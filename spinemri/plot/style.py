"""How drawings look: colours for light and dark paper, thin lines, no frame around what the numbers already bound."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEXT_PT, SMALL_PT = 9.0, 7.5
_LETTERS_PER_IN = 17.5  # of small text


@dataclass(frozen=True)
class Theme:
    """Colours '#rrggbb' of a drawing, each used for one thing only, so that a page may put its own in their place.

    ``contrast`` of ink, muted, mark and warning against the paper is at least 4.5 to 1 (WCAG 2.2, text).
    """

    paper: str
    ink: str
    muted: str
    line: str
    mark: str
    warning: str
    band: str
    other: str


LIGHT = Theme("#fffffe", "#1a242e", "#56626e", "#dfdcd5", "#0d5c69", "#a3301c", "#d9e6e8", "#8a3ea8")
DARK = Theme("#161d24", "#e4e9ed", "#9ca9b5", "#2a343e", "#76c6d2", "#ff9d8b", "#27414a", "#d69af0")


def new_figure(width_in: float, height_in: float, theme: Theme) -> tuple[Figure, Axes]:
    """A figure with one pair of axes and a canvas of its own; pyplot knows nothing of it."""
    figure = Figure(figsize=(width_in, height_in), dpi=200, facecolor=theme.paper, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=theme.paper)
    axes.tick_params(colors=theme.muted, labelsize=TEXT_PT, length=3, width=0.6)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.line)
        spine.set_linewidth(0.8)
    return figure, axes


def told_below(figure: Figure, text: str, theme: Theme) -> None:
    """One or two lines under a drawing: what its bands are and whose numbers they are."""
    fits = round(_LETTERS_PER_IN * figure.get_figwidth())
    lines = "\n".join(textwrap.wrap(text, fits))
    figure.supxlabel(lines, fontsize=SMALL_PT, color=theme.muted, x=0.01, ha="left")
