"""Outlines of one day's lesions on the other day's images, carried there by the registration of their vertebra.

Signals of two days are never subtracted: scanners and coils differ. What can be compared is where a lesion ended, so
outlines of every other date stand on the images of a date, dashed, in the colour of what became of the lesion against
the baseline; the page shows those of one date at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spinemri.compare import words
from spinemri.report.lesion_figure import mask_of
from spinemri.report.viewer import Overlay
from spinemri.report.viewer_outlines import carried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.case import Case
    from spinemri.compare.comparison import LesionChange, Step
    from spinemri.compare.study import Compared
    from spinemri.lesion import Lesion
    from spinemri.spine import Vertebra

    Floats = NDArray[np.float64]

OTHER_DAY = "lesion other-day"
"""Class of an outline that was drawn on another day."""
DAY = "day-"
"""Beginning of the class that says on which: the number of the examination follows."""


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
    """Lesions of every other examination on every series of one examination that shares their vertebra's frame."""
    for other in range(len(compared.cases)):
        at = step_of(compared, other or number)
        if other == number or at is None:
            continue
        step, known = compared.comparison.steps[at], _crossings(compared, number, other)
        for lesion in compared.cases[other].analysis.lesions:
            change = change_of(step, lesion.id, later=other > 0)
            crossing = known.get(lesion.level) if lesion.level else None
            if change is not None and crossing is not None:
                cases = compared.cases[number], compared.cases[other]
                yield from _carried(cases, lesion, crossing, (change, other))


class _Crossing(NamedTuple):
    """From a vertebra of one examination to the same one of another: both, and how points (..., 3) move."""

    here: Vertebra
    there: Vertebra
    move: Callable[[Floats], Floats]


def _crossings(compared: Compared, here: int, there: int) -> dict[Level, _Crossing]:
    """Name at one examination -> how points of another one's vertebra move there; over the baseline if need be."""
    steps = [(step.earlier, step.later) for step in compared.comparison.steps]
    ends = (min(here, there), max(here, there))
    if ends not in steps:
        before, after = _crossings(compared, here, 0), _crossings(compared, 0, there)
        ways = [(before[w.here.level], w) for w in after.values() if w.here.level in before]
        return {w.there.level: _Crossing(v.here, w.there, _both(v.move, w.move)) for v, w in ways}
    found = {}
    for pair in compared.pairs[steps.index(ends)].values():
        if pair.laid is None:
            continue
        forward = here < there
        sides = (pair.earlier, pair.later) if forward else (pair.later, pair.earlier)
        found[sides[1].level] = _Crossing(*sides, pair.laid.to_later if forward else pair.laid.to_earlier)
    return found


def _both(first: Callable[[Floats], Floats], second: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda points: second(first(points))


def _carried(
    cases: tuple[Case, Case], lesion: Lesion, crossing: _Crossing, told: tuple[LesionChange, int]
) -> Iterator[Overlay]:
    """One lesion of the second case on the series of the first."""
    (here, other), (change, number) = cases, told
    mask = mask_of(other, lesion)
    if mask is None:
        return
    frames = {image.series.series_uid: image.geometry.frame_of_reference_uid for image in here.images}
    name, kind = words.outline(change, number), f"{OTHER_DAY} {DAY}{number}"
    for image in here.images:
        if image.geometry.frame_of_reference_uid != frames.get(crossing.here.series_uid):
            continue
        inside = carried(mask.voxels == lesion.label, mask.geometry, image.geometry, crossing.move)
        colour = words.VERDICT_COLOURS[change.verdict]
        yield Overlay(image.series.series_uid, inside, name, colour, kind, change.place)
