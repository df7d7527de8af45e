"""The figures that a model must reach on the validation cases, and whether it does.

Minimum and aim of each figure were set before the model was trained. A figure over several cases is their mean; one
that every case must keep is their worst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spinemri.evaluate.real import CaseScore

    Figure = Callable[[CaseScore], float | None]


@dataclass(frozen=True)
class Bar:
    """A minimum and an aim for one figure of some validation cases.

    ``contrasts`` empty means all; ``smaller`` says that smaller is better; ``over`` how cases become one figure.
    """

    name: str
    sets: tuple[str, ...]
    structure: str
    figure: Figure
    at_least: float
    aim: float
    contrasts: tuple[str, ...] = ()
    smaller: bool = False
    over: Literal["mean", "worst"] = "mean"


@dataclass(frozen=True)
class Verdict:
    """The figure found for a bar, None when one of its cases has none; and that of its worst case."""

    bar: Bar
    value: float | None
    worst: float | None
    cases: int

    @property
    def kept(self) -> bool:
        """Whether the minimum is reached; never by a figure that is missing."""
        return self._reaches(self.bar.at_least)

    @property
    def aimed(self) -> bool:
        """Whether the aim is reached."""
        return self._reaches(self.bar.aim)

    def _reaches(self, limit: float) -> bool:
        if self.value is None:
            return False
        return self.value <= limit if self.bar.smaller else self.value >= limit


def _complete(score: CaseScore) -> float | None:
    return None if score.bodies is None else 100.0 * score.bodies.complete


def _named(score: CaseScore) -> float | None:
    return None if score.levels is None else 100.0 * score.levels.right


def _dice(score: CaseScore) -> float:
    return score.dice


def _surface(score: CaseScore) -> float | None:
    return score.surface_mm


def _cord_ap(score: CaseScore) -> float | None:
    return score.cord_ap_mm


_BODY, _CORD = "vertebral_body", "cord"
_LUMBAR = ("vb1", "vb2", "vb3")
_NECK = ("errsm_11", "errsm_23", "crops")
BARS = (
    Bar("body Dice", ("vb2",), _BODY, _dice, 0.94, 0.955),
    Bar("body Dice", ("vb3",), _BODY, _dice, 0.91, 0.93),
    Bar("body Dice, T1w and T2w", ("vb1",), _BODY, _dice, 0.86, 0.92, ("T1w", "T2w")),
    Bar("body Dice, STIR", ("vb1",), _BODY, _dice, 0.85, 0.90, ("STIR",)),
    Bar("images with every labelled body found once, none invented, %", _LUMBAR, _BODY, _complete, 100, 100),
    Bar("surface distance of bodies, mm", _LUMBAR, _BODY, _surface, 0.9, 0.6, smaller=True),
    Bar("disc Dice", ("ivd",), "disc", _dice, 0.86, 0.91),
    Bar("cord Dice", _NECK, _CORD, _dice, 0.86, 0.92),
    Bar("error of the cord's AP diameter, mm", _NECK, _CORD, _cord_ap, 0.7, 0.4, smaller=True),
    Bar("C2 to T2 named right, worst, %", _NECK[:2], _CORD, _named, 100, 100, over="worst"),
    Bar("body Dice", ("tptbox",), _BODY, _dice, 0.88, 0.92),
    Bar("disc Dice", ("tptbox",), "disc", _dice, 0.88, 0.93),
    Bar("sac with cord Dice", ("tptbox",), "thecal_sac+cord", _dice, 0.82, 0.90),
    Bar("posterior elements Dice", ("tptbox",), "posterior_elements", _dice, 0.55, 0.70),
)


def judge(bar: Bar, scores: Sequence[CaseScore]) -> Verdict:
    """The figure of a bar over those scores that it is about."""
    mine = [s for s in scores if s.case.set in bar.sets and s.case.structure == bar.structure]
    mine = [s for s in mine if not bar.contrasts or s.case.contrast in bar.contrasts]
    values = [value for s in mine if (value := bar.figure(s)) is not None]
    if not values or len(values) < len(mine):
        return Verdict(bar, None, None, len(mine))
    worst = max(values) if bar.smaller else min(values)
    return Verdict(bar, float(np.mean(values)) if bar.over == "mean" else worst, worst, len(mine))
