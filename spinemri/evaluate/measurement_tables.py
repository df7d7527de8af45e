"""The section on measurements of the accuracy page: agreement with the truth, and whether the intervals are honest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.evaluate.measurements import summaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spinemri.evaluate.measurements import Compared, Summary
    from spinemri.evaluate.real_heights import HeightScore

TITLE = "## Measurements from true masks"
ABOUT = (
    "Random people of all regions, broken, narrowed, slipped and curved as they come, on oblique sagittal stacks of 3 "
    "to 5 mm by 0.6 to 1 mm, measured in their true masks (`spinemri/evaluate/measurements.py`); what a network adds "
    "is not in these figures. Their bodies differ from their neighbours as healthy ones do, and an intact height is "
    "known to nobody: that is most of the error of height loss. `covered` is the share of truths that the stated 95 % "
    "intervals hold."
)
BARS = {  # measurement: most mean absolute error, unit; areas in percent of the truth
    **{f"{column}_height": (0.5, "mm") for column in ("anterior", "middle", "posterior")},
    "dural_sac_ap": (0.5, "mm"), "cord_ap": (0.5, "mm"), "height_loss_pct": (2.0, "points"), "slip_mm": (0.7, "mm"),
    **dict.fromkeys(("wedge_angle", "thoracic_kyphosis", "lumbar_lordosis", "cervical_lordosis"), (2.0, "degrees")),
    "dural_sac_area": (10.0, "% of it"), "cord_area": (15.0, "% of it"),
}  # fmt: skip
HONEST = 0.90, 0.98
_RELATIVE = ("dural_sac_area", "cord_area")


def measurement_section(compared: Sequence[Compared], people: int) -> list[str]:
    """Lines of the section: one row per measurement."""
    head = "| measurement | n | bias | mean absolute error | limits of agreement | bar | covered |"
    rows = [_row(summary) for summary in summaries(_in_percent(compared))]
    return [TITLE, "", f"{people} people. {ABOUT}", "", head, "|---|---|---|---|---|---|---|", *rows, ""]


REAL_TITLE = "### Real bodies: the model's masks against readers' masks"
REAL_ABOUT = (
    "People of `spinemri/evaluate/validation.csv` whose bodies readers drew and numbered; found minus drawn. Readers "
    "of `vb1` drew bodies about 2.5 mm lower than those of `vb2`: a convention and no error. `called` are healthy "
    "bodies with a height loss of fracture level in the model's masks (AKa is not healthy, but has no fracture)."
)
_HEIGHTS = ("anterior_height", "middle_height", "posterior_height")


def real_section(scores: Sequence[HeightScore]) -> list[str]:
    """Lines of the comparison with readers: one row per set of images, then all."""
    head = "| set | images | bodies | heights: bias, mean absolute difference (mm) | loss: the same (points) | called |"
    rows = []
    for name in (*dict.fromkeys(score.case.set for score in scores), "all"):
        mine = [score for score in scores if name in (score.case.set, "all")]
        every = [one for score in mine for one in score.compared]
        cells = []
        for names in (_HEIGHTS, ("height_loss_pct",)):
            errors = np.array([one.error for one in every if one.name in names])
            cells.append(f"{errors.mean():.2f}, {np.abs(errors).mean():.2f}" if len(errors) else "")
        bodies, called = sum(s.bodies for s in mine), sum(s.called for s in mine)
        rows.append(f"| {name} | {len(mine)} | {bodies} | {cells[0]} | {cells[1]} | {called} |")
    bars = "Bars: heights ≤ 1.0 mm, height loss ≤ 4 points, called ≤ 1 of 100."
    return [REAL_TITLE, "", f"{REAL_ABOUT} {bars}", "", head, "|---|---|---|---|---|---|", *rows, ""]


def _in_percent(compared: Iterable[Compared]) -> list[Compared]:
    """Areas as percent of the truth."""
    found = []
    for one in compared:
        scale = 100 / one.true if one.name in _RELATIVE and one.true else 1.0
        values = (value * scale for value in (one.found, one.low, one.high, one.true))
        found.append(type(one)(one.id, *values))
    return found


def _row(summary: Summary) -> str:
    most, unit = BARS.get(summary.name, (None, ""))
    bar = "" if most is None else f"≤ {most:g} {unit}: {'kept' if summary.absolute <= most else '**missed**'}"
    low, high = HONEST
    honest = "" if low <= summary.covered <= high else " (too narrow)" if summary.covered < low else " (wide)"
    limits = "" if np.isnan(summary.low) else f"{summary.low:.2f} to {summary.high:.2f}"
    return (
        f"| {summary.name} | {summary.values} | {summary.bias:.2f} | {summary.absolute:.2f} | {limits} | {bar} | "
        f"{100 * summary.covered:.0f} %{honest} |"
    )
