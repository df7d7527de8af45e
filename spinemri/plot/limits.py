"""Agreement of two series of measurements: bias and limits of agreement with their own confidence limits.

Bland and Altman, Lancet 1986;1:307 and Stat Methods Med Res 1999;8:135: the difference of each pair against its mean;
95 % limits of agreement are bias ± 1.96 standard deviations; standard errors are s / √n of the bias and
s √(1/n + 1.96² / 2(n - 1)) of each limit. Known failure: differences that grow with size, or several pairs of one
person, make limits too narrow for the large and too wide for the small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy import special

from spinemri.errors import InputError
from spinemri.measurement import Z95, Measurement
from spinemri.plot.style import LIGHT, SMALL_PT, TEXT_PT, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from spinemri.plot.style import Theme

    Range = tuple[float, float]

_FEWEST = 3


@dataclass(frozen=True)
class Agreement:
    """Bias (second minus first) and 95 % limits of agreement, each with its 95 % confidence limits."""

    count: int
    bias: float
    sd: float
    lower: float
    upper: float
    bias_interval: Range
    lower_interval: Range
    upper_interval: Range


def agreement(first: Sequence[Measurement] | ArrayLike, second: Sequence[Measurement] | ArrayLike) -> Agreement:
    """Bias and limits of agreement of pairs.

    Parameters
    ----------
    first, second : two equally long arrays, NaN where there is no value; or two tables of measurements,
        which are paired by their id

    Raises
    ------
    InputError
        The arrays differ in length, units differ, or fewer than three pairs have both values.
    """
    one, two, _ = _pairs(first, second)
    difference = two - one
    count, bias, sd = len(difference), float(np.mean(difference)), float(np.std(difference, ddof=1))
    t = float(special.stdtrit(count - 1, 0.975))
    of_bias = t * sd / np.sqrt(count)
    of_limit = t * sd * np.sqrt(1 / count + Z95**2 / (2 * (count - 1)))
    lower, upper = bias - Z95 * sd, bias + Z95 * sd
    ranges = (
        (bias - of_bias, bias + of_bias),
        (lower - of_limit, lower + of_limit),
        (upper - of_limit, upper + of_limit),
    )
    told = [(float(a), float(b)) for a, b in ranges]
    return Agreement(count, bias, sd, lower, upper, told[0], told[1], told[2])


def bland_altman(
    first: Sequence[Measurement] | ArrayLike,
    second: Sequence[Measurement] | ArrayLike,
    *,
    title: str = "",
    unit: str = "",
    theme: Theme = LIGHT,
) -> Figure:
    """Difference of each pair (second minus first) against its mean, with bias and limits of agreement.

    Parameters
    ----------
    first, second : as in ``agreement``
    unit : for the axes; that of the measurements when ''

    Returns
    -------
    matplotlib Figure, 5 by 3.4 inches; bias and limits as lines, their 95 % confidence limits as bands, all in numbers.

    Raises
    ------
    InputError
        As ``agreement``.
    """
    found = agreement(first, second)
    one, two, known = _pairs(first, second)
    unit = unit or known
    figure, axes = new_figure(5.0, 3.4, theme)
    mean = (one + two) / 2
    axes.plot(mean, two - one, "o", color=theme.mark, alpha=0.6, markersize=4, markeredgewidth=0, zorder=3)
    axes.axhline(0.0, color=theme.line, linewidth=1.0, zorder=1)
    lines = (
        ("bias", found.bias, found.bias_interval, theme.ink, "solid"),
        ("upper limit", found.upper, found.upper_interval, theme.warning, "dashed"),
        ("lower limit", found.lower, found.lower_interval, theme.warning, "dashed"),
    )
    for name, value, interval, colour, style in lines:
        axes.axhspan(*interval, color=theme.band, linewidth=0, alpha=0.8, zorder=0.5)
        axes.axhline(value, color=colour, linewidth=1.1, linestyle=style, zorder=2)
        _number(axes, f"{name} {value:+.2f}\n({interval[0]:+.2f} to {interval[1]:+.2f})", value, colour)
    bracket = f" ({unit})" if unit else ""
    axes.set_xlabel(f"mean of both{bracket}", fontsize=TEXT_PT, color=theme.ink)
    axes.set_ylabel(f"second − first{bracket}", fontsize=TEXT_PT, color=theme.ink)
    heading = f"{title}, n = {found.count}" if title else f"n = {found.count}"
    axes.set_title(heading, loc="left", fontsize=TEXT_PT + 1, color=theme.ink, weight="bold")
    return figure


def _number(axes: Axes, text: str, value: float, colour: str) -> None:
    """A line's value and its confidence limits, right of the axes."""
    axes.annotate(
        text,
        (1.0, value),
        xycoords=axes.get_yaxis_transform(),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL_PT,
        color=colour,
    )


def _pairs(
    first: Sequence[Measurement] | ArrayLike, second: Sequence[Measurement] | ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Values of both that have one, and the unit where measurements state it."""
    one, two, unit = _table(first), _table(second), ""
    if one is not None and two is not None:
        both = [id_ for id_ in one if id_ in two]
        units = {table[id_].unit for id_ in both for table in (one, two)}
        if len(units) > 1:
            raise InputError(f"agreement of measurements in {', '.join(sorted(units))}: expected one unit")
        unit = units.pop() if units else ""
        pairs = [(one[id_].value, two[id_].value) for id_ in both]
        values = np.array([[np.nan if v is None else v for v in pair] for pair in pairs], dtype=np.float64)
        values = values.reshape(-1, 2).T
    elif one is None and two is None:
        sides = [np.asarray(cast("ArrayLike", side), dtype=np.float64).ravel() for side in (first, second)]
        if len(sides[0]) != len(sides[1]):
            raise InputError(f"agreement of {len(sides[0])} and {len(sides[1])} values: expected pairs")
        values = np.stack(sides)
    else:
        raise InputError("agreement of measurements and numbers: expected two of a kind")
    whole = values[:, np.isfinite(values).all(axis=0)]
    if whole.shape[1] < _FEWEST:
        raise InputError(f"agreement of {whole.shape[1]} pairs with both values: expected at least {_FEWEST}")
    return whole[0], whole[1], "" if unit == "1" else unit


def _table(side: Sequence[Measurement] | ArrayLike) -> dict[str, Measurement] | None:
    """Measurements by id; None for numbers."""
    if isinstance(side, (list, tuple)) and side and all(isinstance(one, Measurement) for one in side):
        return {one.id: one for one in cast("Sequence[Measurement]", side)}
    return None
