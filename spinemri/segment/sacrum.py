"""S1 is the first vertebra below the last full disc that has the sacrum in it or under it.

The rudimentary disc between S1 and S2 is much smaller than the lumbar discs, so the size of the disc above tells L5
from S1 where the network's border between body and sacrum does not fall on a disc.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.segment.separators import Profile

_DISC_REACH_MM = 8
_FULL_DISC = 0.4
_LEAST_BONE = 0.25
_LEAST_SACRUM_MM3 = 1200.0
_SACRAL_SHARE = 0.1
_MOSTLY = 0.6
_S1_TO_PITCH = 0.9


@dataclass(frozen=True, eq=False)
class Slots:
    """The stretches of the column that hold one vertebra each, head to foot.

    Parameters
    ----------
    seen : profile along the column
    edges : samples of ``seen`` that bound the slots, one more than slots
    body, sacrum : (n,) mean share of the cross-section that is body, or sacrum, per slot
    disc_mm3 : (n,) central volume of the disc below each slot, 0 for the last
    """

    seen: Profile
    edges: tuple[int, ...]
    body: NDArray[np.float64]
    sacrum: NDArray[np.float64]
    disc_mm3: NDArray[np.float64]

    @classmethod
    def measured(cls, seen: Profile, edges: list[int]) -> Slots:
        """Slots between the given samples of a profile."""
        spans = list(zip(edges[:-1], edges[1:], strict=True))
        body = np.array([np.mean(seen.body[a:b] / seen.reference[a:b]) for a, b in spans])
        sacrum = np.array([np.mean(seen.sacrum[a:b] / seen.reference[a:b]) for a, b in spans])
        discs = [float(seen.disc[max(0, b - _DISC_REACH_MM) : b + _DISC_REACH_MM + 1].sum()) for _, b in spans[:-1]]
        return cls(seen, tuple(edges), body, sacrum, np.array([*discs, 0.0]))

    @property
    def edges_mm(self) -> tuple[float, ...]:
        """Places along the column (mm) that bound the slots."""
        return tuple(self.seen.start_mm + e for e in self.edges)

    def pitch_mm(self, slot: int) -> float:
        """Length of a slot."""
        return float(self.edges[slot + 1] - self.edges[slot])

    def crack(self, slot: int, between: tuple[float, float]) -> float:
        """Strongest evidence of a separation inside a slot, between two shares of its length."""
        a, b = self.edges[slot], self.edges[slot + 1]
        part = self.seen.separation[int(a + between[0] * (b - a)) : int(a + between[1] * (b - a)) + 1]
        return float(part.max()) if len(part) else 0.0

    def without_empty_ends(self) -> Slots | None:
        """The slots from the first to the last that hold bone; a hole of one slot is bridged, a longer one ends it."""
        bone = self.body + self.sacrum >= _LEAST_BONE
        runs, start = [], None
        for n in range(len(bone) + 1):
            here = n < len(bone) and bool(bone[n])
            bridged = 0 < n < len(bone) - 1 and bool(bone[n - 1]) and bool(bone[n + 1]) and self.disc_mm3[n] > 0
            if (here or bridged) and start is None:
                start = n
            elif not (here or bridged) and start is not None:
                runs.append((start, n))
                start = None
        if not runs:
            return None
        a, b = max(runs, key=lambda run: float(self.body[run[0] : run[1]].sum()))
        return Slots.measured(self.seen, list(self.edges[a : b + 1]))

    def until(self, last: int) -> Slots:
        """The slots down to ``last``; an S1 far longer than L5 is shortened to what an S1 can be."""
        edges = list(self.edges[: last + 2])
        if last > 0:
            longest = int(round(_S1_TO_PITCH * self.pitch_mm(last - 1)))
            edges[-1] = min(edges[-1], edges[-2] + max(longest, 12))
        return Slots.measured(self.seen, edges)


def sacral_slot(slots: Slots) -> tuple[int, float] | None:
    """Slot of S1 and a confidence from 0 to 1, or None when no sacrum is to be seen.

    The confidence falls with little sacrum, and when the size of the discs and the border between body and sacrum
    point to different slots.
    """
    total = float((slots.sacrum * np.diff(slots.edges)).sum() * np.median(slots.seen.reference))
    if total < _LEAST_SACRUM_MM3 or len(slots.body) < 2:
        return None
    sacral = np.flatnonzero(slots.sacrum > _SACRAL_SHARE)
    if len(sacral) == 0:
        return None
    first = int(sacral[0])
    share = float(slots.sacrum[first] / (slots.sacrum[first] + slots.body[first]))
    above = slots.disc_mm3[max(0, first - 4) : max(0, first - 1)]
    full = float(np.median(above)) if len(above) and np.median(above) > 0 else float(slots.disc_mm3.max())
    relative = float(slots.disc_mm3[first - 1]) / full if first > 0 and full > 0 else 0.0
    plenty = min(1.0, total / (5 * _LEAST_SACRUM_MM3))
    if share > _MOSTLY and relative < _FULL_DISC and first > 0:
        return first - 1, 0.6 + 0.3 * plenty
    if share > _MOSTLY:
        return first, 0.5 + 0.25 * plenty
    return first, 0.65 + 0.25 * plenty
