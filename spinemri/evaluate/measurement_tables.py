"""The section on measurements of the accuracy page: agreement with the truth, and whether the intervals are honest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.evaluate.measured_fractures import KINDS
from spinemri.evaluate.measurements import summaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spinemri.evaluate.measured_fractures import JudgedBody
    from spinemri.evaluate.measured_images import ImageScore
    from spinemri.evaluate.measurements import Compared, Summary
    from spinemri.evaluate.real_heights import HeightScore

TITLE = "## Measurements from true masks"
ABOUT = (
    "Random people of all regions, broken, narrowed, slipped and curved as they come, on oblique sagittal stacks of 3 "
    "to 5 mm by 0.6 to 1 mm, measured in their true masks (`spinemri/evaluate/measurements.py`); what a network adds "
    "is not in these figures. Their bodies differ from their neighbours as healthy ones do, and an intact height is "
    "known to nobody: that is most of the error of height loss. `covered` is the share of truths that the stated 95 % "
    "intervals hold. Intervals know that these masks are true: those of any other mask are wider, for what was drawn "
    "(`interval.mask_border` in `norms.csv`)."
)
BARS = {  # measurement: most mean absolute error, unit; areas in percent of the truth
    **{f"{column}_height": (0.5, "mm") for column in ("anterior", "middle", "posterior")},
    "dural_sac_ap": (0.5, "mm"), "cord_ap": (0.5, "mm"), "height_loss_pct": (2.0, "points"), "slip_mm": (0.7, "mm"),
    **dict.fromkeys(("wedge_angle", "thoracic_kyphosis", "lumbar_lordosis", "cervical_lordosis"), (2.0, "degrees")),
    "dural_sac_area": (10.0, "% of it"), "cord_area": (15.0, "% of it"),
}  # fmt: skip
IMAGES_FACTOR = 2.0
HONEST = 0.90, 0.98
_RELATIVE = ("dural_sac_area", "cord_area")


def measurement_section(compared: Sequence[Compared], people: int) -> list[str]:
    """Lines of the section: one row per measurement."""
    return [TITLE, "", f"{people} people. {ABOUT}", "", *_table(compared, 1.0)]


IMAGES_TITLE = "## Measurements from the model's masks"
IMAGES_ABOUT = (
    "People of the section above rendered as T2w images of the same stacks and segmented by the shipped network "
    "(`spinemri/evaluate/measured_images.py`); bars are twice those for true masks. Intervals count the pixels, the "
    "slices, and how well borders are drawn (`interval.mask_border`, `interval.mask_offset`, `interval.mask_rim` … in "
    "`norms.csv`, set by other people). Where the model errs by more than that, they are too narrow: `covered` says so."
)


def images_section(scores: Sequence[ImageScore]) -> list[str]:
    """Lines of the section on the model's masks: what was found, then one row per measurement."""
    bodies, right, told = (sum(values) for values in zip(*((s.bodies, s.right, s.told) for s in scores), strict=True))
    said = (
        f"{len(scores)} people. {IMAGES_ABOUT} {right} of {bodies} bodies were found under their name, after one level "
        f"was told in {told} images in which nothing gives the names; measurements of the others do not count."
    )
    every = [one for score in scores for one in score.compared]
    return [IMAGES_TITLE, "", said, "", *_table(every, IMAGES_FACTOR)]


FRACTURES_TITLE = "## Synthetic fractures"
FRACTURES_ABOUT = (
    "Bodies with a measured height loss of 20 % or more, of those with a fracture of 20 to 60 % by construction, at "
    "every level from T1 to L5, one to three in a person, on oblique sagittal stacks of 3 to 5 mm by 0.6 to 1 mm, in "
    "true masks (`spinemri/evaluate/measured_fractures.py`). An intact height is known to nobody: a fracture near 20 % "
    "is missed or not as its neighbours happen to be a little taller or shorter."
)
BANDS = (20, 25), (25, 30), (30, 40), (40, 60)
LEAST_SENSITIVITY, MOST_FALSE = 0.95, 1.0


def fractures_section(bodies: Sequence[JudgedBody], people: int) -> list[str]:
    """Lines of the section on fractures: calls per kind and true loss, then those of intact bodies."""
    low, high = BANDS[0][0], BANDS[-1][1]
    broken = [body for body in bodies if body.kind and low <= body.true <= high]
    intact = [body for body in bodies if not body.kind]
    columns = (*BANDS, (low, high))
    rows = []
    for kind in (*KINDS, "all"):
        mine = [body for body in broken if kind in (body.kind, "all")]
        cells = [_share([b for b in mine if b.true >= least and (b.true < most or most == high)]) for least, most in
                 columns]  # fmt: skip
        rows.append(f"| {kind} | {' | '.join(cells)} |")
    heads = " | ".join(f"{least} to {most} %" for least, most in columns)
    called = sum(body.called for body in intact)
    false = 100 * called / max(len(intact), 1)
    sensitivity = sum(body.called for body in broken) / max(len(broken), 1)
    verdict = (
        f"Sensitivity {sensitivity:.3f} (≥ {LEAST_SENSITIVITY}: {_verdict(kept=sensitivity >= LEAST_SENSITIVITY)}); "
        f"false calls: {called} of {len(intact)} intact bodies, {false:.2f} of 100 "
        f"(≤ {MOST_FALSE:g}: {_verdict(kept=false <= MOST_FALSE)})."
    )
    line = f"|---{'|---' * len(columns)}|"
    return [FRACTURES_TITLE, "", f"{people} people. {FRACTURES_ABOUT}", "", f"| fracture | {heads} |", line, *rows, "",
            verdict, ""]  # fmt: skip


def _share(bodies: Sequence[JudgedBody]) -> str:
    called = sum(body.called for body in bodies)
    return f"{called} of {len(bodies)} ({100 * called / len(bodies):.0f} %)" if bodies else ""


def _verdict(*, kept: bool) -> str:
    return "kept" if kept else "**missed**"


def _table(compared: Sequence[Compared], factor: float) -> list[str]:
    """One row per measurement, against ``factor`` times the bars."""
    head = "| measurement | n | bias | mean absolute error | limits of agreement | bar | covered |"
    rows = [_row(summary, factor) for summary in summaries(_in_percent(compared))]
    return [head, "|---|---|---|---|---|---|---|", *rows, ""]


REAL_TITLE = "### Real bodies: the model's masks against readers' masks"
REAL_ABOUT = (
    "People of `spinemri/evaluate/validation.csv` whose bodies readers drew and numbered; found minus drawn. Readers "
    "of `vb1` drew bodies about 2.5 mm lower than those of `vb2`: a convention and no error. `called` are healthy "
    "bodies with a height loss of fracture level in the model's masks (AKa is not healthy, but has no fracture). "
    "`held` is the share of readers' values within the intervals stated for the model's: readers err too, so fewer "
    "than 95 % is no proof of too narrow ones, but they are not shown to be honest here."
)
_HEIGHTS, _LOSSES = ("anterior_height", "middle_height", "posterior_height"), ("height_loss_pct",)


def real_section(scores: Sequence[HeightScore], figures: Mapping[str, str] | None = None) -> list[str]:
    """Lines of the comparison with readers: one row per set of images, then all.

    Parameters
    ----------
    figures : set of images -> file of its Bland-Altman figure (of ``height_pairs``), as the page names it
    """
    quantities = "heights: bias, mean absolute difference (mm), held | loss: the same (points)"
    head = f"| set | images | bodies | {quantities} | called |"
    rows = []
    for name in (*dict.fromkeys(score.case.set for score in scores), "all"):
        mine = [score for score in scores if name in (score.case.set, "all")]
        every = [one for score in mine for one in score.compared]
        cells = " | ".join(_agreed([one for one in every if one.name in names]) for names in (_HEIGHTS, _LOSSES))
        bodies, called = sum(s.bodies for s in mine), sum(s.called for s in mine)
        rows.append(f"| {name} | {len(mine)} | {bodies} | {cells} | {called} |")
    bars = "Bars: heights ≤ 1.0 mm, height loss ≤ 4 points, called ≤ 1 of 100."
    shown = [f"![{name}: the model's heights against readers']({file})" for name, file in (figures or {}).items()]
    shown += [""] if shown else []
    return [REAL_TITLE, "", f"{REAL_ABOUT} {bars}", "", head, "|---|---|---|---|---|---|", *rows, "", *shown]


def height_pairs(scores: Sequence[HeightScore]) -> dict[str, list[tuple[float, float]]]:
    """Readers' and the model's heights (mm) of every body, per set of images."""
    found: dict[str, list[tuple[float, float]]] = {}
    for score in scores:
        pairs = [(one.true, one.found) for one in score.compared if one.name in _HEIGHTS]
        found.setdefault(score.case.set, []).extend(pairs)
    return found


def _agreed(compared: Sequence[Compared]) -> str:
    """Bias, mean absolute difference and share within the intervals; nothing where nothing was compared."""
    if not compared:
        return ""
    errors = np.array([one.error for one in compared])
    held = np.mean([one.covered for one in compared])
    return f"{errors.mean():.2f}, {np.abs(errors).mean():.2f}, {100 * held:.0f} %"


def _in_percent(compared: Iterable[Compared]) -> list[Compared]:
    """Areas as percent of the truth."""
    found = []
    for one in compared:
        scale = 100 / one.true if one.name in _RELATIVE and one.true else 1.0
        values = (value * scale for value in (one.found, one.low, one.high, one.true))
        found.append(type(one)(one.id, *values))
    return found


def _row(summary: Summary, factor: float) -> str:
    least, unit = BARS.get(summary.name, (None, ""))
    most = None if least is None else factor * least
    bar = "" if most is None else f"≤ {most:g} {unit}: {_verdict(kept=summary.absolute <= most)}"
    low, high = HONEST
    honest = "" if low <= summary.covered <= high else " (too narrow)" if summary.covered < low else " (wide)"
    limits = "" if np.isnan(summary.low) else f"{summary.low:.2f} to {summary.high:.2f}"
    return (
        f"| {summary.name} | {summary.values} | {summary.bias:.2f} | {summary.absolute:.2f} | {limits} | {bar} | "
        f"{100 * summary.covered:.0f} %{honest} |"
    )
