"""Antero-posterior diameter and area of the thecal sac at every disc and mid-body, and how much of it is lost.

Definition: in the mid-sagittal plane, perpendicular to the smoothed centre line of the sac; the plane follows the
sac and the bodies from slice to slice. At a disc, where the plane between the two facing endplates crosses the line;
at a body, where the plane across the body's middle does; the smallest value within 3 mm along the line.

Compromise (formula of Fehlings, Spine 1999;24:605, for the canal; used here for the sac): 100 (1 - D / mean of the
nearest normal levels above and below), discs compared with discs and mid-bodies with mid-bodies, because the healthy
sac is narrower at discs. A level that has itself lost more than 15 % is no reference; one at a body with 20 % height
loss has to prove itself against levels at intact bodies first. One that is a fifth wider than both its references is
none either: an ectasia or a mask that leaks. References lie within three levels.

Known failure: towards its end the healthy sac tapers, from L5-S1 on, and no publication gives by how much level by
level, so the loss there is overestimated. With slices 4 mm apart a narrowing off the middle is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.language import Phrases
from spinemri.measure.centreline import STEP_MM
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from spinemri.measure.sections import Profile

phrases = Phrases("measure.sac")

NORMAL_UP_TO_PCT = threshold("narrowing.normal_up_to")
WIDE_FROM_PCT = 20.0
WINDOW_MM = 3.0
REACH_LEVELS = 3


@dataclass(frozen=True, eq=False)
class Diameter:
    """Diameter in mm, its two ends (front, back), (2, 3) LPS mm, and where on the centre line it lies."""

    value: float
    ends: NDArray[np.float64]
    index: int


@dataclass(frozen=True)
class Compromise:
    """Loss of sac diameter in percent of the reference.

    Parameters
    ----------
    pct : percent; negative when wider than the reference
    sd_pct : standard deviation from the diameters' own
    references : positions, in the list of places, of the reference levels (above, below)
    """

    pct: float
    sd_pct: float
    references: tuple[int, ...]


def diameter_at(profile: Profile, point: NDArray[np.float64], normal: NDArray[np.float64]) -> Diameter | str:
    """Smallest diameter of the sac within 3 mm of a plane, or the reason why there is none.

    Parameters
    ----------
    point, normal : LPS mm and unit vector; the plane through the disc or across the body
    """
    index = profile.line.nearest_to_plane(point, normal)
    if index is None:
        return phrases.SAC_MASK_DOES_NOT_REACH
    return narrowest(profile, index) or (phrases.SAC_MASK_INTERRUPTED_HERE_COMPLETE)


def narrowest(profile: Profile, index: int) -> Diameter | None:
    """Smallest diameter within 3 mm along the line of a point on it; None where the mask is interrupted there."""
    near = window(profile, index)
    diameters = profile.diameter[near]
    if not np.isfinite(diameters).all():
        return None
    best = int(near[np.argmin(diameters)])
    offsets = np.array([profile.front[best], profile.back[best]])
    ends = profile.line.points[best] + offsets[:, None] * profile.line.posterior[best]
    return Diameter(float(diameters.min()), ends, best)


def area_within(profile: Profile, index: int) -> float | None:
    """Smallest area, mm2, within 3 mm along the line of a point on it; None where it could not be told."""
    areas = profile.area[window(profile, index)]
    return float(areas.min()) if np.isfinite(areas).all() else None


def to_end(profile: Profile, index: int) -> float:
    """Length, mm, along the line from a point on it to the sac's lower end."""
    return float(np.flatnonzero(np.isfinite(profile.front))[-1] - index) * STEP_MM


def window(profile: Profile, index: int) -> NDArray[np.intp]:
    """Indices of the line within 3 mm of one of its points."""
    half = round(WINDOW_MM / STEP_MM)
    return np.arange(max(index - half, 0), min(index + half + 1, len(profile.front)))


def compromises(
    diameters: Sequence[float | None], sd_mm: float, barred: Collection[int] = ()
) -> list[Compromise | None]:
    """Loss of diameter at every place of one kind, head to foot; None where no reference is left.

    Parameters
    ----------
    diameters : mm at successive places of one kind (all discs, or all mid-bodies), head to foot; None = not measured
    sd_mm : standard deviation of one diameter
    barred : positions (at bodies with height loss) that are references only when they lost 15 % or less themselves,
        judged by the others
    """
    measured = [n for n, d in enumerate(diameters) if d is not None]
    results = _settled(diameters, [n for n in measured if n not in barred], sd_mm)
    cleared = [n for n in barred if (c := results[n]) is not None and c.pct <= NORMAL_UP_TO_PCT]
    if not cleared:
        return results
    return _settled(diameters, [n for n in measured if n not in barred or n in cleared], sd_mm)


def _settled(diameters: Sequence[float | None], allowed: Sequence[int], sd_mm: float) -> list[Compromise | None]:
    """Loss at every place against those of the ``allowed`` ones that turn out to be neither narrowed nor too wide."""
    results = _against_unnarrowed(diameters, allowed, sd_mm)
    wide = {n for n, c in enumerate(results) if c and len(c.references) == 2 and c.pct < -WIDE_FROM_PCT}
    return _against_unnarrowed(diameters, [n for n in allowed if n not in wide], sd_mm) if wide else results


def _against_unnarrowed(
    diameters: Sequence[float | None], allowed: Sequence[int], sd_mm: float
) -> list[Compromise | None]:
    results = [_compromise(diameters, n, allowed, sd_mm) for n in range(len(diameters))]
    for _ in range(3):
        narrowed = {n for n, c in enumerate(results) if c is not None and c.pct > NORMAL_UP_TO_PCT}
        kept = [n for n in allowed if n not in narrowed]
        results = [_compromise(diameters, n, kept, sd_mm) for n in range(len(diameters))]
    return results


def _compromise(
    diameters: Sequence[float | None], place: int, normal: Sequence[int], sd_mm: float
) -> Compromise | None:
    own = diameters[place]
    above = [n for n in normal if place - REACH_LEVELS <= n < place][-1:]
    below = [n for n in normal if place < n <= place + REACH_LEVELS][:1]
    references = tuple(above + below)
    values = [d for n in references if (d := diameters[n]) is not None]
    if own is None or not values:
        return None
    reference = float(np.mean(values))
    sd = sd_mm / reference * float(np.sqrt(1 + (own / reference) ** 2 / len(values)))
    return Compromise(100 * (1 - own / reference), 100 * sd, references)
