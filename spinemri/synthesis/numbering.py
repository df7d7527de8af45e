"""Which vertebrae a person has: the usual 24 above the sacrum, or one more or one fewer where a region ends.

They are counted from C2 to the sacrum's last segment, equally many in everyone: who has one more above the sacrum has
one segment fewer in it, as where the first one became lumbar, and the other way round. A further vertebra has the sizes
of T12, or of L4: the last lumbar vertebra is wedged as L5 is, whatever its number. One fewer lacks these.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from spinemri.anatomy import Level
from spinemri.synthesis import morphometry as sizes

_THORACIC, _LUMBAR, _SACRAL = sizes.T12 - sizes.T1 + 1, sizes.L5 - sizes.L1 + 1, sizes.COUNT - sizes.S1


class Numbering(StrEnum):
    """The usual numbers, or the last thoracic or lumbar vertebra of someone who has fewer or more."""

    USUAL = "usual"
    T11 = "T11"
    T13 = "T13"
    L4 = "L4"
    L6 = "L6"


@dataclass(frozen=True)
class Chain:
    """A person's vertebrae, head to foot.

    Parameters
    ----------
    thoracic, lumbar : how many there are
    rows : index in ``morphometry.NAMES`` of the vertebra whose sizes each has
    """

    thoracic: int
    lumbar: int
    rows: tuple[int, ...]

    @property
    def last_thoracic(self) -> int:
        """Index of T12, or of T11 or T13 where that is the last."""
        return sizes.T1 + self.thoracic - 1

    @property
    def first_lumbar(self) -> int:
        """Index of L1."""
        return self.last_thoracic + 1

    @property
    def last_lumbar(self) -> int:
        """Index of L5, or of L4 or L6 where that is the last."""
        return self.last_thoracic + self.lumbar

    @property
    def sacral(self) -> int:
        """Index of S1."""
        return self.last_lumbar + 1

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of every vertebra; a sixth segment of the sacrum is S6, which is no ``Level``."""
        numbers = (("T", self.thoracic), ("L", self.lumbar), ("S", sizes.COUNT - self.sacral))
        return (*sizes.NAMES[: sizes.T1], *(f"{region}{n + 1}" for region, count in numbers for n in range(count)))

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """C2 to S1."""
        return tuple(Level(name) for name in self.names[: self.sacral + 1])

    def index(self, name: str) -> int | None:
        """Index of a vertebra by its name, None where the person has no such one."""
        return self.names.index(name) if name in self.names else None


def chain(numbering: Numbering) -> Chain:
    """The vertebrae of someone with these numbers."""
    last = {"T": _THORACIC, "L": _LUMBAR}
    if numbering is not Numbering.USUAL:
        last[numbering[0]] = int(numbering[1:])
    thoracic = _stretched(range(sizes.T1, sizes.L1), last["T"], copied=sizes.T12)
    lumbar = _stretched(range(sizes.L1, sizes.S1), last["L"], copied=sizes.L5 - 1)
    rows = (*range(sizes.T1), *thoracic, *lumbar, *range(sizes.S1, sizes.COUNT), sizes.COUNT - 1)
    return Chain(last["T"], last["L"], rows[: sizes.COUNT])


def _stretched(rows: range, count: int, copied: int) -> list[int]:
    """The rows of a region with one of them twice, or without it."""
    if count > len(rows):
        return sorted([*rows, copied])
    return [row for row in rows if row != copied or count == len(rows)]


USUAL = chain(Numbering.USUAL)
