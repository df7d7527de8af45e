"""Every measurement of random people, taken in their true masks, against the truth: error and honesty of intervals.

What a network adds to the error is not in these figures; see ``measured_images``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.evaluate.measured_people import random_person, whole_bodies
from spinemri.measure import measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spinemri.measurement import Measurement


class Compared(NamedTuple):
    """One measured value with its 95 % interval, and the true one."""

    id: str
    found: float
    low: float
    high: float
    true: float

    @property
    def name(self) -> str:
        """Of the measurement."""
        return self.id.rpartition(".")[2]

    @property
    def error(self) -> float:
        """Found minus true."""
        return self.found - self.true

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.true <= self.high


def score_measurements(seed: int) -> list[Compared]:
    """Every measurement of one random person that has a value and a truth."""
    person = random_person(seed)
    segmentation = person.segmentation(f"2.25.{seed}")
    spine = whole_bodies(segmentation)
    return matched(measure(spine, [], [segmentation]), person.truth(spine.levels))


def matched(found: Iterable[Measurement], true: Mapping[str, float]) -> list[Compared]:
    """What has a value and a truth."""
    return [
        Compared(m.id, m.value, *m.interval, true[m.id])
        for m in found
        if m.value is not None and m.interval is not None and m.id in true
    ]


class Summary(NamedTuple):
    """Agreement of one measurement with the truth; ``low`` and ``high`` are the 95 % limits of agreement."""

    name: str
    values: int
    bias: float
    absolute: float
    low: float
    high: float
    covered: float


def summaries(compared: Iterable[Compared]) -> list[Summary]:
    """A row per measurement, in the order of their first appearance."""
    by_name: dict[str, list[Compared]] = {}
    for one in compared:
        by_name.setdefault(one.name, []).append(one)
    rows = []
    for name, ones in by_name.items():
        errors = np.array([one.error for one in ones])
        spread = 1.96 * float(errors.std(ddof=1)) if len(errors) > 1 else float("nan")
        bias = float(errors.mean())
        covered = float(np.mean([one.covered for one in ones]))
        rows.append(Summary(name, len(ones), bias, float(np.abs(errors).mean()), bias - spread, bias + spread, covered))
    return rows
