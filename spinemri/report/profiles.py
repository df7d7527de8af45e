"""Profiles along the spine and the map of lesions: drawn once, put into the page as SVG and on paper as a picture.

Only what was measured at two levels or more is drawn. In the page the drawing takes the page's colours, so that it is
right in light and dark; what it shows stands in its description too.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri import plot
from spinemri.report.phrases import page_phrases
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from spinemri.analysis import Analysis

QUANTITIES = ("height_loss_pct", "dural_sac_ap", "marrow_t1_to_disc", "anterior_height", "cord_ap")
"""What is drawn, in this order; the first three on paper too."""
_FEWEST = 2
_PAGE_COLOURS = {
    plot.LIGHT.paper: "none",
    plot.LIGHT.ink: "var(--ink)",
    plot.LIGHT.muted: "var(--muted)",
    plot.LIGHT.line: "var(--line)",
    plot.LIGHT.mark: "var(--accent)",
    plot.LIGHT.warning: "var(--bad)",
    plot.LIGHT.band: "var(--band)",
    plot.LIGHT.other: "var(--fracture)",
}


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawing with its title and what it shows in words."""

    title: str
    told: str
    figure: Figure

    @property
    def svg(self) -> str:
        """For the page: inline, in the page's colours."""
        return plot.to_svg(self.figure, self.title, self.told, colours=_PAGE_COLOURS, inline=True)

    @property
    def png(self) -> bytes:
        """For paper."""
        return plot.to_png(self.figure)


def drawings(analysis: Analysis) -> tuple[Drawing, ...]:
    """Profiles of what was measured, and the map of lesions where there are some."""
    return (*profiles(analysis), *_lesions(analysis))


def profiles(analysis: Analysis) -> tuple[Drawing, ...]:
    """Profiles of what was measured at two levels or more."""
    counts = Counter(m.name for m in analysis.measurements if m.value is not None)
    return tuple(
        Drawing(plot.title_of(name), plot.told(analysis, name), plot.profile(analysis, name))
        for name in QUANTITIES
        if counts[name] >= _FEWEST
    )


def _lesions(analysis: Analysis) -> Iterator[Drawing]:
    if analysis.lesions:
        words = page_phrases["PROFILES"]
        told = "; ".join(
            words["lesion"].format(id=one.id, levels="-".join(map(str, one.levels)), kind=term(one.kind.value))
            for one in analysis.lesions
        )
        yield Drawing(words["lesions"], told, plot.lesion_map(analysis, title=words["lesions"]))
