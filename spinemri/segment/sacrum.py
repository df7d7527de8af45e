"""S1 is the first vertebra below the last full disc that has the sacrum in it or under it.

The rudimentary disc between S1 and S2 is much smaller than the lumbar discs, so the size of the disc above tells L5
from S1 where the network's border between body and sacrum does not fall on a disc.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
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
_PARTLY = 0.3
_S1_TO_PITCH = 0.9
_MOST_CORD = 0.05
_SHORT = 0.65
_TRACE_OF_DISC = 0.15
_LEAST_WITH_DENS, _NECK_MM, _NECK_BONE, _TALLEST_C2 = 5, 2, 0.1, 3.0

CERVICAL_PITCH_MM = 21.0
"""The most from disc to disc in the neck."""


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
        spans = list(pairwise(edges))
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

    @property
    def disc_above(self) -> bool:
        """Whether a disc lies on top of the first slot."""
        start = self.edges[0]
        above = float(self.seen.disc[max(0, start - _DISC_REACH_MM) : start + 3].sum())
        return above > _TRACE_OF_DISC * float(np.median(self.disc_mm3[:-1])) if len(self.disc_mm3) > 1 else False

    def trimmed(self) -> Slots | None:
        """The slots from the first to the last that hold bone.

        A single slot without bone between others stays (a vertebra that was missed); a longer hole ends the column.
        A last slot that is far shorter than the one above, without a disc between them, is no vertebra.
        """
        bone = self.body + self.sacrum >= _LEAST_BONE
        bridged = bone.copy()
        bridged[1:-1] |= bone[:-2] & bone[2:]
        starts = np.flatnonzero(bridged & ~np.r_[False, bridged[:-1]])
        stops = np.flatnonzero(bridged & ~np.r_[bridged[1:], False]) + 1
        if len(starts) == 0:
            return None
        runs = [(int(a), int(b)) for a, b in zip(starts, stops, strict=True)]
        a, b = max(runs, key=lambda run: float(self.body[run[0] : run[1]].sum()))
        trace = _TRACE_OF_DISC * float(np.median(self.disc_mm3[a : b - 1])) if b - a > 1 else 0.0
        while b - a > 2 and self.disc_mm3[b - 2] < trace and self.pitch_mm(b - 1) < _SHORT * self.pitch_mm(b - 2):
            b -= 1
        return Slots.measured(self.seen, list(self.edges[a : b + 1]))

    def with_dens(self) -> Slots:
        """The slots with C2 and its dens as one: its neck is thin, but bone runs through it and there is no disc."""
        if len(self.body) < _LEAST_WITH_DENS:
            return self
        usual = float(np.median([self.pitch_mm(2), self.pitch_mm(3)]))
        neck = slice(max(0, self.edges[1] - _NECK_MM), self.edges[1] + _NECK_MM + 1)
        bone = float(np.min(self.seen.body[neck] / self.seen.reference[neck]))
        parted = self.disc_mm3[0] > _TRACE_OF_DISC * float(np.median(self.disc_mm3[1:4])) or bone < _NECK_BONE
        if usual > CERVICAL_PITCH_MM or parted or self.edges[2] - self.edges[0] > _TALLEST_C2 * usual:
            return self
        return Slots.measured(self.seen, [self.edges[0], *self.edges[2:]])

    def until(self, last: int) -> Slots:
        """The slots down to ``last``; an S1 far longer than L5 is shortened to what an S1 can be."""
        edges = list(self.edges[: last + 2])
        if last > 0:
            longest = round(_S1_TO_PITCH * self.pitch_mm(last - 1))
            edges[-1] = min(edges[-1], edges[-2] + max(longest, 12))
        return Slots.measured(self.seen, edges)


def sacral_slot(slots: Slots, *, sacrum_mm3: float, cord_share: float) -> tuple[int, float] | None:
    """Slot of S1 and a confidence from 0 to 1, or None when no sacrum is to be seen.

    Parameters
    ----------
    slots : stretches of the column, head to foot
    sacrum_mm3 : volume labelled as sacrum about the lowest slots, on and beside the curve
    cord_share : share of cord in the canal behind the lowest slots; cord never reaches the sacrum

    Returns
    -------
    S1 lies below the last full disc. The confidence falls with little sacrum, and when the border between body and
    sacrum labels is elsewhere than at that disc.
    """
    if sacrum_mm3 < _LEAST_SACRUM_MM3 or cord_share > _MOST_CORD or len(slots.body) < 2:
        return None
    plenty = min(1.0, sacrum_mm3 / (5 * _LEAST_SACRUM_MM3))
    below = _below_last_full_disc(slots)
    on_curve = np.flatnonzero(slots.sacrum > _SACRAL_SHARE)
    if len(on_curve) == 0:
        return (below, 0.4 + 0.25 * plenty) if below is not None else None
    first = int(on_curve[0])
    share = float(slots.sacrum[first] / (slots.sacrum[first] + slots.body[first]))
    if below is None:
        return first, 0.4 + 0.1 * plenty
    if below == first or (share > _MOSTLY and below == first - 1):
        return below, 0.65 + 0.25 * plenty
    if below < first:
        return below, 0.4 + 0.25 * plenty
    return (first if share > _PARTLY else below), 0.4 + 0.2 * plenty


def _below_last_full_disc(slots: Slots) -> int | None:
    """The slot under the lowest disc that is at least 0.4 of the usual disc above it."""
    for slot in range(len(slots.body) - 1, 0, -1):
        above = slots.disc_mm3[max(0, slot - 4) : slot - 1]
        usual = float(np.median(above)) if len(above) else float(slots.disc_mm3.max())
        if usual > 0 and slots.disc_mm3[slot - 1] >= _FULL_DISC * usual:
            return slot
    return None
