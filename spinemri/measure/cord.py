"""The spinal cord at every disc and mid-body: diameter, area, place within the sac, fluid around it.

Compression and displacement are two things. Compression is what the cord lost of its own antero-posterior diameter
against the nearest normal levels; displacement is how far its centre lies behind where it lies in the sac one and a
half levels above and below. The sac's centre line, which is not bent by a narrowing, carries it over the spine's curve.

The fluid around the cord is what lies between its edge and the sac's, in every sagittal slice that crosses the cord;
it counts as visible where it is wider than half a pixel.

Known failure: on slices 4 mm apart two or three cross the cord, so fluid to the left and right is not seen, and a cord
crossed by two slices only is measured too thin. Within 25 mm of its end the healthy cord tapers; nothing is compared
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.language import Phrases
from spinemri.measure.centreline import STEP_MM
from spinemri.measure.sac import Diameter, narrowest, window
from spinemri.measurement import below_the_cord
from spinemri.norms import threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.measure.sections import Profile

    Floats = NDArray[np.float64]

phrases = Phrases("measure.cord")

TAPER_MM, LEAST_AP_MM = threshold("cord.taper"), threshold("cord.least_ap")
_LEVELS_AWAY, _AVERAGED_MM = 1.5, 1.5
_RING_MM = 1.0  # up and down, over which fluid is averaged
_END_MM = 4.0  # a cord that begins or ends so near to a place reaches it


@dataclass(frozen=True, eq=False)
class CordSection:
    """The cord at one place.

    Parameters
    ----------
    diameter : smallest antero-posterior diameter within 3 mm along the line
    area : mm2 there; None where it could not be told
    occupation : area of the cord / of the sac
    ring : share of the cord's front and back edge with visible fluid, 0 to 1, at its least within 3 mm along the line
    shift : mm to posterior from where the cord would run; None without cord on both sides
    to_end : mm along the line to the lower end of the cord
    """

    diameter: Diameter
    area: float | None
    occupation: float | None
    ring: float | None
    shift: float | None
    to_end: float


def cord_at(sac: Profile, cord: Profile, index: int, level_mm: float, pixel_mm: float) -> CordSection | str:
    """The cord where the centre line has an index, or the reason why there is none.

    Parameters
    ----------
    sac, cord : profiles along the same line
    index : of the line
    level_mm : distance of neighbouring places of the same kind
    pixel_mm : antero-posterior
    """
    shown = np.flatnonzero(np.isfinite(cord.diameter))
    end = round(_END_MM / STEP_MM)
    if not len(shown) or index > shown[-1] - end:
        return below_the_cord()
    if index < shown[0] + end:
        return phrases.CORD_MASK_DOES_NOT_REACH
    found = narrowest(cord, index)
    if found is None:
        return phrases.CORD_MASK_INTERRUPTED_HERE_LOOK
    if found.value < LEAST_AP_MM:
        return phrases.CORD_MASK_ONLY_MM_DEEP.format(value=found.value)
    area, around = _finite(cord.area[found.index]), _finite(sac.area[found.index])
    return CordSection(
        diameter=found,
        area=area,
        occupation=None if area is None or around is None else min(area / around, 1.0),
        ring=_ring(sac, cord, index, pixel_mm),
        shift=_shift(cord, index, level_mm),
        to_end=float(shown[-1] - index) * STEP_MM,
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _ring(sac: Profile, cord: Profile, index: int, pixel_mm: float) -> float | None:
    """Least share, within 3 mm along the line, of the cord's edges in all slices with fluid wider than half a pixel."""
    near, half = window(cord, index), round(_RING_MM / STEP_MM)
    same = [int(np.flatnonzero(sac.slices == n)[0]) for n in cord.slices if n in sac.slices]
    mine = [n for n, number in enumerate(cord.slices) if number in sac.slices]
    gaps = (cord.edges[mine][:, near] - sac.edges[same][:, near]) * np.array([1.0, -1.0])
    known = np.isfinite(gaps)
    counts = known.sum(axis=(0, 2))
    if not counts.all():
        return None
    shares = (np.where(known, gaps, 0.0) > pixel_mm / 2).sum(axis=(0, 2)) / counts
    return float(np.convolve(shares, np.full(2 * half + 1, 1 / (2 * half + 1)), mode="valid").min())


def _shift(cord: Profile, index: int, level_mm: float) -> float | None:
    """Distance of the cord's centre behind where it lies in the sac one and a half levels above and below."""
    offset = (cord.front + cord.back) / 2
    steps = round(_LEVELS_AWAY * level_mm / STEP_MM)
    above, here, below = (_mean_near(offset, index + n * steps) for n in (-1, 0, 1))
    return None if above is None or here is None or below is None else here - (above + below) / 2


def _mean_near(values: Floats, index: int) -> float | None:
    """Mean over 1.5 mm on both sides of an index; None beyond the ends or where something is missing."""
    half = round(_AVERAGED_MM / STEP_MM)
    part = values[max(index - half, 0) : index + half + 1]
    return float(part.mean()) if 0 <= index < len(values) and np.isfinite(part).all() else None
