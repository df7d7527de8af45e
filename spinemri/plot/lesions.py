"""Where marrow lesions lie: levels from head to foot, a column per lesion, a circle whose area grows with its volume.

The colour says what kind has the largest share of the evidence, in five groups; that is no verdict. Levels whose marrow
was not looked at are marked, so that an empty row is not taken for a clean one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from spinemri.errors import InputError
from spinemri.language import Phrases, in_its_language, number
from spinemri.lesion import MarrowChange
from spinemri.plot.style import LIGHT, SMALL_PT, TEXT_PT, new_figure, told_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spinemri.analysis import Analysis
    from spinemri.lesion import Lesion
    from spinemri.plot.style import Theme

phrases = Phrases("plot.lesions")

_ROW_IN, _COLUMN_IN, _REST_IN = 0.26, 0.34, 1.45
_LEAST_IN, _MOST_IN = 3.5, 12.0
_POINTS2_PER_ML = 55.0  # area of a circle
_LEAST_POINTS2, _MOST_POINTS2 = 16.0, 900.0
_GROUPS = {
    "tumour-like or sclerotic": {MarrowChange.TUMOUR, MarrowChange.SCLEROTIC},
    "infection or inflammation": {MarrowChange.DISCITIS, MarrowChange.CORNER},
    "endplate": {MarrowChange.MODIC_1, MarrowChange.MODIC_2, MarrowChange.MODIC_3, MarrowChange.SCHMORL},
    "looks benign": {
        MarrowChange.HAEMANGIOMA, MarrowChange.ATYPICAL_HAEMANGIOMA, MarrowChange.FAT, MarrowChange.RED_MARROW,
        MarrowChange.RADIATION,
    },
    "other": {
        MarrowChange.FRACTURE_OEDEMA, MarrowChange.INFARCT, MarrowChange.PAGET, MarrowChange.HARDWARE,
    },
}  # fmt: skip


@in_its_language
def lesion_map(analysis: Analysis, *, title: str = "", theme: Theme = LIGHT) -> Figure:
    """Levels of the spine against lesions; circles sized by volume, coloured by kind.

    Returns
    -------
    matplotlib Figure; a lesion's circle stands at the level that holds most of it, a bar joins all its levels, its
    volume (ml) beside it. A lesion whose volume is not known has a small open circle.

    Raises
    ------
    InputError
        Nobody looked for lesions.
    """
    screen = analysis.marrow
    if not (screen.assessed or analysis.lesions):
        raise InputError("map of lesions: no level's marrow was assessed")
    rows = {level: n for n, level in enumerate(analysis.spine.levels)}
    lesions = [lesion for lesion in analysis.lesions if lesion.level in rows]
    width = min(max(_LEAST_IN, 1.3 + _COLUMN_IN * len(lesions)), _MOST_IN)
    figure, axes = new_figure(width, _REST_IN + _ROW_IN * len(rows), theme)
    for level, row in rows.items():
        if level not in screen.assessed:
            axes.axhspan(row - 0.5, row + 0.5, color=theme.band, alpha=0.55, linewidth=0, zorder=0)
    colours = _colours(theme)
    for column, lesion in enumerate(lesions):
        _draw_lesion(axes, column, lesion, analysis, colours[group_of(lesion)])
    axes.set_yticks(list(rows.values()), [str(level) for level in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xticks(range(len(lesions)), [lesion.id.removeprefix("lesion-") for lesion in lesions])
    axes.set_xlim(-0.7, max(len(lesions), 6) - 0.3)
    axes.grid(axis="y", color=theme.line, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    for label in axes.get_yticklabels():
        label.set_color(theme.ink)
    axes.set_xlabel(
        phrases.LESION if lesions else phrases.NO_LESION_FOUND, fontsize=SMALL_PT, color=theme.muted, loc="left"
    )
    axes.set_title(title or phrases.MARROW_LESIONS, loc="left", fontsize=TEXT_PT + 1, color=theme.ink, weight="bold")
    _key(axes, [group_of(lesion) for lesion in lesions], colours, theme)
    told_below(figure, phrases.AREA_CIRCLE_VOLUME_ML_BESIDE, theme)
    return figure


def group_of(lesion: Lesion) -> str:
    """The group of the kind that has the largest share."""
    return next((name for name, kinds in _GROUPS.items() if lesion.kind in kinds), "other")


def _colours(theme: Theme) -> dict[str, str]:
    own = (theme.warning, theme.other, "#b07800", theme.mark, theme.muted)
    return dict(zip(_GROUPS, own, strict=True))


def _draw_lesion(axes: Axes, column: int, lesion: Lesion, analysis: Analysis, colour: str) -> None:
    rows = [row for row, level in enumerate(analysis.spine.levels) if level in (*lesion.levels, lesion.level)]
    row = analysis.spine.levels.index(lesion.level)
    axes.plot((column, column), (min(rows), max(rows)), color=colour, linewidth=1.4, zorder=2)
    measured = analysis.measurement(f"{lesion.id}.lesion_volume")
    ml = measured.value / 1000 if measured is not None and measured.value is not None else None
    area = _LEAST_POINTS2 if ml is None else min(max(_POINTS2_PER_ML * ml, _LEAST_POINTS2), _MOST_POINTS2)
    axes.scatter(
        [column], [row], s=area, color="none" if ml is None else colour, edgecolor=colour, alpha=0.85, zorder=3
    )
    if ml is not None:
        offset = 3 + area**0.5 / 2
        axes.annotate(
            number(ml, ".1f"),
            (column, row),
            xytext=(offset, 0),
            textcoords="offset points",
            fontsize=SMALL_PT,
            color=colour,
            va="center",
        )


def _key(axes: Axes, groups: list[str], colours: dict[str, str], theme: Theme) -> None:
    used = [name for name in colours if name in groups]
    if not used:
        return
    marks = [
        Line2D([], [], marker="o", linestyle="", color=colours[name], markersize=5, label=phrases["GROUPS"][name])
        for name in used
    ]
    axes.legend(
        handles=marks,
        loc="upper left",
        bbox_to_anchor=(0.0, -0.12),
        ncols=2,
        frameon=False,
        fontsize=SMALL_PT,
        labelcolor=theme.ink,
        handletextpad=0.2,
    )
