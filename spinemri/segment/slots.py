"""The column parted into vertebrae: what each stretch holds, and which at its ends are none, or half of one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.segment.separators import Profile

CERVICAL_PITCH_MM = 21.0
"""The most from disc to disc in the neck."""

_DISC_REACH_MM = 8
_LEAST_BONE = 0.25
_S1_TO_PITCH = 0.9
_SHORT = 0.65
_TRACE_OF_DISC = 0.15
_REMNANT_OF_DISC, _DENS_TO_BODY, _SLIVER = 0.5, 0.65, 0.5
_LEAST_WITH_DENS, _NECK_MM, _NECK_BONE, _MUCH_BONE, _TALLEST_C2 = 5, 2, 0.1, 0.3, 3.0


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

    def with_dens(self, *, cut_above: bool) -> Slots:
        """The slots with C2 and its dens as one.

        Its neck is thin, but bone runs through it, and there is no disc; at most the remnant of one, dark and short,
        below a dens that the field of view shows whole, or beside much bone.

        Parameters
        ----------
        cut_above : whether the field of view cuts the first slot
        """
        if len(self.body) < _LEAST_WITH_DENS:
            return self
        usual = float(np.median([self.pitch_mm(2), self.pitch_mm(3)]))
        neck = slice(max(0, self.edges[1] - _NECK_MM), self.edges[1] + _NECK_MM + 1)
        bone = float(np.min(self.seen.body[neck] / self.seen.reference[neck]))
        disc = self.disc_mm3[0] / float(np.median(self.disc_mm3[1:4]) + 1e-6)
        whole_dens = not cut_above and self.body[0] < _DENS_TO_BODY * self.body[1]
        remnant = whole_dens or bone > _MUCH_BONE
        parted = disc > (_REMNANT_OF_DISC if remnant else _TRACE_OF_DISC) or bone < _NECK_BONE
        sliver = disc == 0 and self.pitch_mm(0) < _SLIVER * usual
        if parted or not (usual <= CERVICAL_PITCH_MM or sliver):
            return self
        if self.edges[2] - self.edges[0] > _TALLEST_C2 * usual:
            return self
        return Slots.measured(self.seen, [self.edges[0], *self.edges[2:]])

    def below(self, along_mm: float) -> tuple[int, float] | None:
        """The slot below the one at a place along the column, and that this is sure; None when it is the last."""
        slot = int(np.searchsorted(self.edges_mm, along_mm))
        return (slot, 1.0) if 0 < slot < len(self.body) else None

    def until(self, last: int) -> Slots:
        """The slots down to ``last``; an S1 far longer than L5 is shortened to what an S1 can be."""
        edges = list(self.edges[: last + 2])
        if last > 0:
            longest = round(_S1_TO_PITCH * self.pitch_mm(last - 1))
            edges[-1] = min(edges[-1], edges[-2] + max(longest, 12))
        return Slots.measured(self.seen, edges)
