"""One quantity along the spine, head up: every level with its 95 % interval against the band that it is compared with.

A level without a value is shown as such, with why; nothing is drawn through it. A value is marked as unusual where it
lies beyond the band, and filled where its whole interval does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.patches import Rectangle

from spinemri.errors import InputError
from spinemri.language import Phrases, in_its_language, number
from spinemri.measurement import below_the_cord
from spinemri.plot.bands import band_of
from spinemri.plot.style import LIGHT, SMALL_PT, TEXT_PT, new_figure, told_below
from spinemri.terms import name_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spinemri.analysis import Analysis
    from spinemri.measurement import Measurement
    from spinemri.plot.bands import Band
    from spinemri.plot.style import Theme

    Rows = Mapping[str, float]

phrases = Phrases("plot.profiles")

_WIDTH_IN, _ROW_IN, _REST_IN = 3.5, 0.26, 1.05
_UNITS = {"1": "", "deg": "°", "mm2": "mm²", "mm3": "mm³"}


@in_its_language
def profile(analysis: Analysis, name: str, *, title: str = "", theme: Theme = LIGHT) -> Figure:
    """A quantity along the spine with intervals, against its norm or the study's own reference.

    Parameters
    ----------
    name : of a measurement per level, such as 'anterior_height' or 'dural_sac_ap'
    title : what stands above; the quantity in words when ''

    Returns
    -------
    matplotlib Figure, 3.5 inches wide; values in the unit of the measurement, levels from head to foot. Levels without
    a value say why; levels below the lower end of the cord are left out of profiles of the cord.

    Raises
    ------
    InputError
        The analysis has no measurement of that name at any level; the message lists what it has.
    """
    shown = profiled(analysis, name)
    rows = _rows(analysis, shown)
    measured = [m for m in shown if m.value is not None]
    band = band_of(analysis, measured)
    height = _REST_IN + _ROW_IN * (max(rows.values()) - min(rows.values()) + 1)
    figure, axes = new_figure(_WIDTH_IN, height, theme)
    _draw_band(axes, rows, band, theme)
    for measurement in measured:
        _draw_value(axes, rows[measurement.place], measurement, band, theme)
    _draw_frame(axes, rows, analysis, theme)
    _limit(axes, measured, band)
    for measurement in shown:
        if measurement.value is None:
            _draw_absent(axes, rows[measurement.place], measurement, theme)
    unit = _UNITS.get(shown[0].unit, shown[0].unit)
    above = title or title_of(name)
    axes.set_title(above, loc="left", fontsize=TEXT_PT + 1, color=theme.ink, weight="bold")
    axes.set_xlabel(unit or phrases.RATIO, fontsize=SMALL_PT, color=theme.muted, loc="right", labelpad=1)
    told_below(figure, phrases.BARS_INTERVALS.format(words=band.words).strip(), theme)
    return figure


def title_of(name: str) -> str:
    """What stands above a profile."""
    return phrases["TITLES"].get(name) or name_of(name)


def profiled(analysis: Analysis, name: str) -> list[Measurement]:
    """Measurements of one name that belong to a level or a disc, head to foot; those of the cord end where it does.

    Raises
    ------
    InputError
        There is none.
    """
    levels = set(analysis.spine.levels)
    known = [m for m in analysis.measurements if m.level in levels and m.kind.value != "lesion"]
    found = [m for m in known if m.name == name and m.reason != below_the_cord()]
    if not any(m.name == name for m in known):
        names = ", ".join(sorted({m.name for m in known}))
        raise InputError(f"profile of {name!r}: the analysis has no such measurement; it has {names or 'none'}")
    order = _rows(analysis, found)
    if name.startswith("cord"):
        last = max((order[m.place] for m in found if m.value is not None), default=0.0)
        found = [m for m in found if order[m.place] <= last]
    return sorted(found, key=lambda m: order[m.place])


@in_its_language
def told(analysis: Analysis, name: str) -> str:
    """The profile in words: every level with value, interval and whether it lies beyond the band."""
    shown = profiled(analysis, name)
    band = band_of(analysis, [m for m in shown if m.value is not None])
    parts = [_said(m, band) for m in shown]
    return "; ".join(parts) + (f". {band.words}" if band.words else ".")


def _said(measurement: Measurement, band: Band) -> str:
    if measurement.value is None:
        return f"{measurement.place}: {measurement.reason}"
    unit = _UNITS.get(measurement.unit, f" {measurement.unit}")
    low, high = measurement.interval or (measurement.value, measurement.value)
    beyond = phrases.BEYOND_BAND if _beyond(measurement, band) else ""
    return phrases.VALUE.format(
        place=measurement.place, value=measurement.value, unit=unit, low=low, high=high, beyond=beyond
    )


def _rows(analysis: Analysis, shown: Sequence[Measurement]) -> dict[str, float]:
    """Place -> its row: a level's number from the head, a disc half-way to the next."""
    order = {level: float(n) for n, level in enumerate(analysis.spine.levels)}
    return {m.place: order[m.level] + (0.5 if m.lower is not None else 0.0) for m in shown if m.level is not None}


def _beyond(measurement: Measurement, band: Band) -> bool:
    """Whether a value is worse than the first threshold or lies outside a normal band."""
    if measurement.value is None or not band.normal:
        return False
    if band.thresholds:
        return measurement.value >= band.thresholds[0]
    limits = band.limits.get(measurement.place)
    return limits is not None and not limits[0] <= measurement.value <= limits[1]


def _surely(measurement: Measurement, band: Band) -> bool:
    """Whether the whole interval lies beyond as well."""
    if measurement.interval is None or measurement.value is None:
        return True
    low, high = measurement.interval
    if band.thresholds:
        return low >= band.thresholds[0]
    limits = band.limits.get(measurement.place)
    return limits is not None and (high < limits[0] or low > limits[1])


def _draw_band(axes: Axes, rows: Rows, band: Band, theme: Theme) -> None:
    places = sorted(rows, key=lambda place: rows[place])
    step = min((b - a for a, b in zip(sorted(rows.values()), sorted(rows.values())[1:], strict=False)), default=1.0)
    for place in places:
        if place in band.limits:
            low, high = band.limits[place]
            box = Rectangle((low, rows[place] - step / 2), high - low, step, color=theme.band, linewidth=0, zorder=1)
            axes.add_patch(box)
    for value in band.thresholds:
        axes.axvline(value, color=theme.muted, linewidth=0.7, dashes=(3, 2), zorder=1.5)


def _draw_value(axes: Axes, row: float, measurement: Measurement, band: Band, theme: Theme) -> None:
    value = measurement.value
    if value is None:
        return
    beyond = _beyond(measurement, band)
    colour = theme.warning if beyond else theme.mark
    if measurement.interval is not None:
        axes.plot(measurement.interval, (row, row), color=colour, linewidth=1.3, solid_capstyle="butt", zorder=3)
    filled = colour if not beyond or _surely(measurement, band) else theme.paper
    shape = "D" if beyond else "o"
    size = 4.2 if measurement.lower is None else 3.2
    axes.plot(
        [value], [row], shape, color=colour, markerfacecolor=filled, markersize=size, markeredgewidth=1.2, zorder=4
    )


def _draw_absent(axes: Axes, row: float, measurement: Measurement, theme: Theme) -> None:
    text = phrases["ABSENT"].get(measurement.status.value, measurement.status.value)
    side = axes.get_xlim()[0]
    axes.text(side, row, f"  – {text}", fontsize=SMALL_PT, color=theme.muted, va="center", ha="left", style="italic")


def _draw_frame(axes: Axes, rows: Rows, analysis: Analysis, theme: Theme) -> None:
    """Level names down the left side, faint lines across, head up."""
    names = {str(level): float(n) for n, level in enumerate(analysis.spine.levels)}
    first, last = min(rows.values()), max(rows.values())
    used = {name: row for name, row in names.items() if first <= row <= last}
    if not any(row in rows.values() for row in used.values()):
        used = dict(rows)  # measured at discs only
    axes.set_yticks(list(used.values()), list(used))
    for label in axes.get_yticklabels():
        label.set_color(theme.ink)
    axes.set_ylim(last + 0.6, first - 0.6)
    axes.grid(axis="y", color=theme.line, linewidth=0.5, zorder=0)
    axes.grid(axis="x", color=theme.line, linewidth=0.4, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _limit(axes: Axes, measured: Sequence[Measurement], band: Band) -> None:
    """Room for values, intervals and band; of a graded loss from a little below zero."""
    ends = [end for m in measured for end in (*(m.interval or ()), m.value) if end is not None]
    ends += [end for limits in band.limits.values() for end in limits] + list(band.thresholds[:1])
    if not ends:
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        return
    margin = 0.06 * (max(ends) - min(ends) or 1.0)
    axes.set_xlim(min(ends) - margin, max(ends) + margin)
    if number(0.5, "g") != "0.5":
        axes.xaxis.set_major_formatter(lambda value, _: number(value, "g"))
