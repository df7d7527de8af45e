"""S1 is the first vertebra below the last full disc that has the sacrum in it or under it.

The rudimentary disc between S1 and S2 is much smaller than the lumbar discs, so the size of the disc above tells L5
from S1 where the network's border between body and sacrum does not fall on a disc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spinemri.segment.slots import Slots

_FULL_DISC = 0.4
_LEAST_SACRUM_MM3 = 1200.0
_SACRAL_SHARE = 0.1
_MOSTLY = 0.6
_PARTLY = 0.3
_MOST_CORD = 0.05


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
