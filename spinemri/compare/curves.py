"""Values of three dates or more as small curves: intervals as bars, and what would be no change as a band.

Dates stand as far apart as the days between them where all are known, else evenly. The band is the baseline's value
with the minimal detectable change of each date on either side: a point within it is not told apart from the baseline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.compare import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.compare.comparison import Comparison, Trend

NAMES = (
    "height_loss_pct",
    "dural_sac_area_compromise_pct",
    "cord_compression_pct",
    "lesion_volume",
    "lesion_diameter",
)
"""Quantities that are told and drawn; the document and the table hold all."""
WIDTH, HEIGHT, MARGIN = 220.0, 90.0, 10.0


@dataclass(frozen=True)
class Point:
    """A date's value: place in the drawing, ends of its interval, and what a reader hears."""

    x: float
    y: float
    low: float
    high: float
    said: str


@dataclass(frozen=True)
class Curve:
    """One quantity over the dates; ``line`` and ``band`` are points of SVG."""

    title: str
    least: str
    most: str
    points: tuple[Point, ...]
    line: str
    band: str


def curves(comparison: Comparison) -> tuple[Curve, ...]:
    """Curves of lesions, and of other quantities where any date lies outside of the band."""
    days = [one.days for one in comparison.examinations]
    places = [float(d) for d in days if d is not None]
    if len(places) < len(days) or len(set(places)) < len(places):
        places = [float(n) for n in range(len(days))]
    at = [MARGIN + (WIDTH - 2 * MARGIN) * (x - places[0]) / (places[-1] - places[0] or 1.0) for x in places]
    drawn = (trend for trend in comparison.trends if trend.name in NAMES and (trend.lesion or _beyond(trend)))
    names = [words.short(one) for one in comparison.examinations]
    return tuple(_curve(trend, at, names) for trend in drawn if trend.values[0] is not None)


def _beyond(trend: Trend) -> bool:
    first = trend.values[0]
    pairs = zip(trend.values, trend.mdc, strict=True)
    return any(v is not None and m is not None and first is not None and abs(v - first) > m for v, m in pairs)


def _curve(trend: Trend, at: Sequence[float], names: Sequence[str]) -> Curve:
    first = trend.values[0] or 0.0
    limits = [i or (v, v) for v, i in zip(trend.values, trend.intervals, strict=True) if v is not None]
    around = [m or 0.0 for m in trend.mdc]
    ends = [*(end for pair in limits for end in pair if end is not None), first - max(around), first + max(around)]
    low, high = min(ends), max(ends)

    def up(value: float) -> float:
        return round(HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / (high - low or 1.0), 1)

    points = []
    for x, name, value, interval in zip(at, names, trend.values, trend.intervals, strict=True):
        if value is None:
            continue
        ends_here = interval or (value, value)
        said = f"{name}: {words.quantity(value, trend.unit)}"
        said += f" ({words.interval(interval, trend.unit)})" if interval else ""
        points.append(Point(round(x, 1), up(value), up(ends_here[0]), up(ends_here[1]), said))
    edge = [(round(x, 1), m) for x, m in zip(at, around, strict=True)]
    outline = [*((x, up(first + m)) for x, m in edge), *((x, up(first - m)) for x, m in reversed(edge))]
    what = f"{trend.place}{f', {trend.lesion}' if trend.lesion else ''}: {words.phrases['NAMES'][trend.name]}"
    return Curve(
        title=what,
        least=words.quantity(low, trend.unit),
        most=words.quantity(high, trend.unit),
        points=tuple(points),
        line=" ".join(f"{p.x},{p.y}" for p in points),
        band=" ".join(f"{x:g},{y:g}" for x, y in outline),
    )
