"""What many studies look like together: how the main measurements are distributed, and what lies far out.

A value is an outlier when it lies more than three interquartile ranges outside the middle half of the values of the
same measurement at the same level (Tukey's outer fence), of which there must be at least 12. It is a reason to look at
the report, not a finding: it may be the patient's spine or the program's mistake.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MAIN = (
    *("height_loss_pct", "wedge_ratio", "dural_sac_ap", "dural_sac_area_compromise_pct", "cord_compression_pct"),
    *("slip_mm", "lumbar_lordosis", "thoracic_kyphosis", "disc_height", "disc_signal_to_csf", "lesion_volume"),
)
FENCE, LEAST = 3.0, 12
_BARS, _MOST_OUTLIERS = 24, 100

Value = tuple[str, str, float]
"""Study, level, value."""


@dataclass(frozen=True)
class Distribution:
    """All values of one measurement: how many, their quantiles, and how many lie in each equal step of the range."""

    name: str
    unit: str
    count: int
    low: float
    quantiles: tuple[float, float, float]
    high: float
    bars: tuple[int, ...]


@dataclass(frozen=True)
class Outlier:
    """A value far from those of its level; ``middle`` is where half of them lie."""

    study: str
    name: str
    level: str
    value: float
    unit: str
    middle: tuple[float, float]
    distance: float


def cohort(results: Path) -> tuple[tuple[Distribution, ...], tuple[Outlier, ...]]:
    """Distributions of the main measurements, and outliers, the farthest first, from a ``results.csv``."""
    values: defaultdict[str, list[Value]] = defaultdict(list)
    units: dict[str, str] = {}
    with results.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["name"] in MAIN and row["value"]:
                values[row["name"]].append((row["study_id"], row["level"], float(row["value"])))
                units[row["name"]] = row["unit"]
    known = [name for name in MAIN if name in values]
    outliers = [found for name in known for found in _outliers(name, units[name], values[name])]
    farthest = sorted(outliers, key=lambda outlier: -outlier.distance)[:_MOST_OUTLIERS]
    return tuple(_distribution(name, units[name], values[name]) for name in known), tuple(farthest)


def _distribution(name: str, unit: str, values: Sequence[Value]) -> Distribution:
    numbers = np.array([value for _, _, value in values])
    bars, _ = np.histogram(numbers, bins=_BARS)
    fifth, median, ninety_fifth = np.quantile(numbers, (0.05, 0.5, 0.95)).tolist()
    ends = float(numbers.min()), float(numbers.max())
    return Distribution(name, unit, len(numbers), ends[0], (fifth, median, ninety_fifth), ends[1], tuple(bars.tolist()))


def _outliers(name: str, unit: str, values: Sequence[Value]) -> Iterator[Outlier]:
    for level, here in _by_level(values).items():
        low, high = np.quantile([value for _, _, value in here], (0.25, 0.75)).tolist()
        if len(here) < LEAST or high <= low:
            continue
        for study, _, value in here:
            distance = max(low - value, value - high) / (high - low)
            if distance > FENCE:
                yield Outlier(study, name, level, value, unit, (low, high), distance)


def _by_level(values: Sequence[Value]) -> Mapping[str, list[Value]]:
    found: defaultdict[str, list[Value]] = defaultdict(list)
    for value in values:
        found[value[1]].append(value)
    return found
