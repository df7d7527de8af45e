"""What a value at a level is drawn against: a published norm, the person's other bodies, or the study's own levels.

A norm is used where ``norms.csv`` has one with its scatter, and for adults only, as the report does. Heights are drawn
against the table's profile scaled to the person. Everything else has no norm that was read: the middle half of the
study's own levels is shown, which says where levels differ from each other and nothing of health.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spinemri.language import Phrases
from spinemri.measurement import Z95
from spinemri.norms import NORMS, norm, threshold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.analysis import Analysis
    from spinemri.measurement import Measurement

    Limits = Mapping[str, tuple[float, float]]

phrases = Phrases("plot.bands")

_FEWEST = 4  # levels of which a middle half is told
_HEIGHTS = {"anterior_height": "anterior_ratio", "middle_height": "middle_ratio", "posterior_height": ""}
_LINES = {
    "height_loss": ("fracture_from", "moderate_from", "severe_above"),
    "dural_sac_compromise_pct": ("mild_up_to", "moderate_up_to"),
    "dural_sac_area_compromise_pct": ("mild_up_to", "moderate_up_to"),
    "axial_sac_area_compromise_pct": ("mild_up_to", "moderate_up_to"),
}


@dataclass(frozen=True)
class Band:
    """What values are compared with.

    Parameters
    ----------
    limits : place ('L4', 'L4-L5') -> lower and upper end, in the unit of the value
    words : what the band is, in one line
    normal : whether a value beyond it is unusual; not so for the middle half of the study's own levels
    thresholds : values at which a grade begins
    """

    limits: Limits = field(default_factory=dict)
    words: str = ""
    normal: bool = True
    thresholds: tuple[float, ...] = ()


def band_of(analysis: Analysis, measured: Sequence[Measurement]) -> Band:
    """The band of one quantity.

    Parameters
    ----------
    measured : measurements of one name with a value
    """
    name = measured[0].name if measured else ""
    if name in _HEIGHTS:
        return _heights(measured, name)
    if graded := next((key for key in _LINES if name.startswith(key)), ""):
        return _graded(measured, graded)
    published = _published(analysis, measured, name)
    return published or _own(measured)


def _graded(measured: Sequence[Measurement], name: str) -> Band:
    """From nothing to what counts as variation between levels, and the thresholds of grades."""
    group = "height_loss" if name == "height_loss" else "narrowing"
    ends = tuple(threshold(f"{group}.{part}") for part in _LINES[name])
    first = threshold("height_loss.equivocal_from") if group == "height_loss" else threshold("narrowing.normal_up_to")
    words = phrases.BAND_UP_AS_LEVELS_VARY.format(first=first, items=", ".join(f"{end:.0f}" for end in ends))
    return Band({m.place: (-first, first) for m in measured}, words, thresholds=ends)


def _heights(measured: Sequence[Measurement], name: str) -> Band:
    """The table's heights, scaled by the median of this person's bodies; ± 1.96 of the scatter between bodies."""
    expected = {m.place: _table_height(m.place, _HEIGHTS[name]) for m in measured}
    ratios = [m.value / mm for m in measured if m.value is not None and (mm := expected[m.place]) is not None]
    if not ratios:
        return Band()
    scale, spread = float(np.median(ratios)), Z95 * threshold("height_profile_scatter")
    limits = {
        place: (scale * mm * (1 - spread), scale * mm * (1 + spread))
        for place, mm in expected.items()
        if mm is not None
    }
    return Band(limits, phrases.BAND_WHAT_THIS_PERSON_S.format(spread=100 * spread))


def _table_height(place: str, ratio: str) -> float | None:
    posterior, share = norm("posterior_height", place), norm(ratio, place) if ratio else None
    if posterior is None or (ratio and share is None):
        return None
    return posterior.value * (share.value if share is not None else 1.0)


def _published(analysis: Analysis, measured: Sequence[Measurement], name: str) -> Band | None:
    """Mean ± 1.96 standard deviations of healthy adults; None for children, an age that is not known, and no norm."""
    years = analysis.patient_age_years
    if years is None or years < threshold("age.adult_from"):
        return None
    rows = {m.place: NORMS.get((name, m.place)) for m in measured}
    limits = {p: (r.value - Z95 * r.sd, r.value + Z95 * r.sd) for p, r in rows.items() if r is not None and r.sd}
    if not limits:
        return None
    sources = dict.fromkeys(r.source.partition(" (")[0] for p, r in rows.items() if r is not None and p in limits)
    return Band(limits, phrases.BAND_HEALTHY_ADULTS.format(items="; ".join(sources)))


def _own(measured: Sequence[Measurement]) -> Band:
    values = [m.value for m in measured if m.value is not None]
    if len(values) < _FEWEST:
        return Band(normal=False)
    low, high = np.percentile(values, (25, 75)).tolist()
    return Band({m.place: (low, high) for m in measured}, phrases.BAND_MIDDLE_HALF_THIS_STUDY, normal=False)
