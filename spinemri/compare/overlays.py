"""Outlines of one day's lesions on the other day's images, carried there by the registration of their vertebra.

Signals of two days are never subtracted: scanners and coils differ. What can be compared is where a lesion ended, so
the baseline's outline stands on the later images, dashed, and the later one's on the baseline's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.compare import words
from spinemri.report.lesion_figure import mask_of
from spinemri.report.viewer import Overlay
from spinemri.report.viewer_outlines import carried

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spinemri.case import Case
    from spinemri.compare.comparison import LesionChange, Step
    from spinemri.compare.matching import Pair
    from spinemri.compare.study import Compared
    from spinemri.lesion import Lesion

OTHER_DAY = "lesion other-day"
"""Class of an outline that was drawn on another day."""


def step_of(compared: Compared, number: int) -> int | None:
    """The step that says what became of an examination's lesions: a later one against the baseline, the last for it."""
    last = len(compared.cases) - 1
    wanted = (0, number or last)
    steps = [(step.earlier, step.later) for step in compared.comparison.steps]
    return steps.index(wanted) if wanted in steps else None


def change_of(step: Step, lesion_id: str, *, later: bool) -> LesionChange | None:
    """What a step says of a lesion of its earlier or later examination."""
    return next((c for c in step.lesions if lesion_id in (c.later_ids if later else c.baseline_ids)), None)


def overlays(compared: Compared, number: int) -> Iterator[Overlay]:
    """Lesions of the other examination on every series of one examination that shares its vertebra's frame."""
    at = step_of(compared, number)
    if at is None:
        return
    step, pairs = compared.comparison.steps[at], compared.pairs[at]
    here, other = (compared.cases[step.earlier], compared.cases[step.later])[:: 1 if number == step.earlier else -1]
    forward = number == step.earlier
    for lesion in other.analysis.lesions:
        change = change_of(step, lesion.id, later=forward)
        level_of = {pair.later.level if forward else pair.earlier.level: pair for pair in pairs.values()}
        pair = level_of.get(lesion.level)
        if change is not None and pair is not None:
            yield from _carried((here, other), lesion, pair, (change, step.later if forward else step.earlier))


def _carried(cases: tuple[Case, Case], lesion: Lesion, pair: Pair, told: tuple[LesionChange, int]) -> Iterator[Overlay]:
    """One lesion of the second case on the series of the first."""
    (here, other), (change, number) = cases, told
    mask, forward = mask_of(other, lesion), number > 0
    if mask is None or pair.laid is None:
        return
    vertebra, move = (pair.earlier, pair.laid.to_later) if forward else (pair.later, pair.laid.to_earlier)
    frames = {image.series.series_uid: image.geometry.frame_of_reference_uid for image in here.images}
    name = words.outline(change, number)
    for image in here.images:
        if image.geometry.frame_of_reference_uid != frames.get(vertebra.series_uid):
            continue
        inside = carried(mask.voxels == lesion.label, mask.geometry, image.geometry, move)
        colour = words.VERDICT_COLOURS[change.verdict]
        yield Overlay(image.series.series_uid, inside, name, colour, OTHER_DAY, change.place)
