"""How far two analyses of the same study lie apart: words must be equal, numbers equal or within a tolerance.

A number of a measurement is set off against its interval where that is larger: a share of about 0 is no more exact.

Only when and where it ran is left out (``provenance.created``, ``seconds``, ``device``). And how far measurements of
one person lie apart that were taken in different images.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.measurement import Z95

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from spinemri.analysis import Analysis
    from spinemri.case import Case

_NUMBER = re.compile(r"(?<![A-Za-z0-9.])[0-9]+(?:[.][0-9]+)?")
OF_THE_RUN = ("provenance.created", "provenance.seconds", "provenance.device")


@dataclass(frozen=True)
class Apart:
    """What two analyses of one study differ in.

    Parameters
    ----------
    words : places of the report that say something else, or stand in one of the two only
    rounded : places of sentences that say the same with another number, as one that is rounded may be
    relative : the largest difference of two numbers at one place, as a share of the larger, or of the interval's width
        where that is larger; 0 when all are equal
    where : the place of that number
    voxels : share of the labelled voxels (of either) that have another label in the other, over all masks
    """

    words: tuple[str, ...]
    rounded: tuple[str, ...]
    relative: float
    where: str
    voxels: float

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.words and not self.rounded and self.relative == 0 and self.voxels == 0


def apart(one: Case, other: Case) -> Apart:
    """Differences of two analyses of one study."""
    first, second = dict(_leaves(one.analysis)), dict(_leaves(other.analysis))
    differ = [place for place in sorted({*first, *second}) if not _same_kind(first.get(place), second.get(place))]
    rounded = tuple(place for place in differ if _is_rounded(first.get(place), second.get(place)))
    widths = _interval_widths(one.analysis)
    shared = [place for place in first if place not in differ and isinstance(first[place], float)]
    numbers = {p: _relative(first[p], second[p], widths.get(_owner(p), 0.0)) for p in shared}
    where = max(numbers, key=lambda place: numbers[place], default="")
    words = tuple(place for place in differ if place not in rounded)
    return Apart(words, rounded, numbers.get(where, 0.0), where, _voxels_apart(one, other))


def _is_rounded(one: object, other: object) -> bool:
    """Whether two sentences differ in numbers only; those in a name (L1, T12) are words. One word is no sentence."""
    if not (isinstance(one, str) and isinstance(other, str) and " " in one):
        return False
    return _NUMBER.sub("#", one) == _NUMBER.sub("#", other)


def _interval_widths(analysis: Analysis) -> dict[str, float]:
    """Place of a measurement -> width of its interval, of those that have one."""
    intervals = ((n, m.interval) for n, m in enumerate(analysis.measurements))
    return {f"measurements.{n}": interval[1] - interval[0] for n, interval in intervals if interval is not None}


def _owner(place: str) -> str:
    """What a number is part of: the first two steps to it."""
    return ".".join(place.split(".")[:2])


def repeatability_sd(changes: ArrayLike) -> float:
    """Standard deviation of one value, from differences of pairs in which nothing has changed.

    It is what 95 of 100 differences do not exceed, over 1.96 times the root of 2: gross failures are not in it.
    Source: the repeatability coefficient of Bland and Altman, Lancet 1986;327:307, solved for the deviation.
    """
    return float(np.quantile(np.abs(np.asarray(changes, dtype=np.float64)), 0.95) / (Z95 * math.sqrt(2)))


def _leaves(analysis: Analysis) -> Iterator[tuple[str, object]]:
    yield from _below(analysis.model_dump(mode="json"), "")


def _below(value: Any, place: str) -> Iterator[tuple[str, object]]:
    if place.startswith(OF_THE_RUN):
        return
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            yield from _below(inner, f"{place}.{key}".lstrip("."))
    else:
        yield place, value


def _same_kind(one: object, other: object) -> bool:
    """Equal, or both a number that is no count."""
    return one == other or (isinstance(one, float) and isinstance(other, float))


def _relative(one: object, other: object, least: float) -> float:
    """Difference of two numbers as a share of the larger, or of ``least``."""
    a, b = float(str(one)), float(str(other))
    return 0.0 if a == b else abs(a - b) / max(abs(a), abs(b), least, math.ulp(1.0))


def _voxels_apart(one: Case, other: Case) -> float:
    pairs = list(zip(one.segmentations, other.segmentations, strict=True))
    differ = sum(int(np.count_nonzero(a.voxels != b.voxels)) for a, b in pairs)
    drawn = sum(int(np.count_nonzero((a.voxels > 0) | (b.voxels > 0))) for a, b in pairs)
    return differ / drawn if drawn else 0.0
