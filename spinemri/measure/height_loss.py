"""Height loss compares a body with the patient's own intact bodies, column by column (anterior, middle, posterior).

Loss = 100 (1 - height / expected height). Expected is, in this order of preference: the mean of the two intact
neighbours (formula of PLoS ONE 10:e0135735); at the junctions C7/T1, T12/L1, L4/L5 (a healthy L5 is wedged the other
way), or with one intact neighbour only, the neighbours' heights carried over with the normal profile of heights;
without an intact neighbour, the patient's scale fitted to the intact levels (those within three levels when there are
any). S1 is never a reference. The standard deviation counts how much healthy bodies differ from each other.

A body is intact when its own loss in a first pass is below 15 %. The first pass expects every body to follow the
profile at the patient's (robust) scale, so that adjacent fractures cannot hide each other; two more passes follow.

Known failure: when most bodies are fractured, the scale itself is low and every loss is underestimated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinemri.anatomy import Level
from spinemri.measure.height_profile import PROFILE_SD, height_profile
from spinemri.norms import threshold

INTACT_BELOW_PCT = threshold("height_loss.equivocal_from")
_REACH = 3
_JUNCTIONS = (("C", "T"), ("T", "L"), ("L", "S"))
_LAST_LUMBAR = ("L5", "L6")

Heights = Mapping[Level, NDArray[np.float64]]


@dataclass(frozen=True)
class Scheme:
    """What is known of healthy spines about a quantity that is compared from level to level.

    ``profile`` gives its mean at a level (only ratios between levels count) or None, ``scatter`` how much one healthy
    body differs from its person's profile (fraction).
    """

    profile: Callable[[Level], NDArray[np.float64] | None]
    scatter: float


HEIGHTS = Scheme(height_profile, PROFILE_SD)


@dataclass(frozen=True, eq=False)
class HeightLoss:
    """Loss of one body against its reference.

    Parameters
    ----------
    loss_pct, sd_pct : (3,) percent and its standard deviation; anterior, middle, posterior. (1,) of a volume.
    expected : (3,) mm, or (1,) mm3
    reference_levels : intact levels that the expectation comes from
    method : 'neighbours', 'profile' (neighbours carried over with the normal profile) or 'patient_scale'
    """

    loss_pct: NDArray[np.float64]
    sd_pct: NDArray[np.float64]
    expected: NDArray[np.float64]
    reference_levels: tuple[Level, ...]
    method: str

    @property
    def worst_column(self) -> int:
        """0, 1 or 2: the column that lost most."""
        return int(np.argmax(self.loss_pct))


def height_losses(heights: Heights, sd: Heights, levels: Collection[Level] = ()) -> dict[Level, HeightLoss | None]:
    """Height loss of every measured body; None where nothing intact is left to compare with.

    Parameters
    ----------
    heights, sd : level -> (3,) mm, anterior, middle, posterior, and their standard deviations; only measured bodies,
        all true or all relative levels. S1 and other sacral levels are ignored.
    levels : every level of the spine, also those that could not be measured; they part their neighbours
    """
    usable = {level: heights[level] for level in sorted(heights, key=lambda v: v.rank) if level.region != "S"}
    order = sorted({*heights, *levels}, key=lambda v: v.rank)
    first = _first_pass(usable, order)
    losses = {level: _loss(usable, sd, level, (reference, HEIGHTS.scatter)) for level, reference in first.items()}
    for _ in range(2):
        intact = [v for v, loss in losses.items() if loss is None or loss.loss_pct.max() < INTACT_BELOW_PCT]
        losses = losses_against(usable, sd, intact, order, HEIGHTS)
    return losses


def losses_against(
    values: Heights, sd: Heights, intact: Collection[Level], levels: Collection[Level], scheme: Scheme
) -> dict[Level, HeightLoss | None]:
    """Loss of every body against known intact ones, by the rules for heights; None where none is left to compare with.

    Parameters
    ----------
    values, sd : level -> (n,) and their standard deviations
    intact : the levels that may be references
    levels : every level of the spine; they part their neighbours
    scheme : how the quantity changes from level to level in health
    """
    order = sorted({*values, *levels}, key=lambda v: v.rank)
    references = {v: _reference(values, v, (intact, order), scheme) for v in values}
    return {v: _loss(values, sd, v, (reference, scheme.scatter)) for v, reference in references.items()}


@dataclass(frozen=True, eq=False)
class _Reference:
    expected: NDArray[np.float64]
    levels: tuple[Level, ...]
    method: str


def _first_pass(heights: Heights, order: list[Level]) -> dict[Level, _Reference | None]:
    known = [v for v in heights if height_profile(v) is not None]
    if len(known) < len(heights) or len(known) < 3:  # relative names, or too few bodies for a scale
        return {v: _reference(heights, v, ([*heights], order), HEIGHTS) for v in heights}
    return {v: _scaled(heights, v, known, HEIGHTS) for v in heights}


def _loss(heights: Heights, sd: Heights, level: Level, against: tuple[_Reference | None, float]) -> HeightLoss | None:
    """Loss against a reference, and how much healthy bodies scatter around it (fraction)."""
    reference, scatter = against
    if reference is None:
        return None
    ratio = heights[level] / reference.expected
    share = (
        sum(((sd[v] / heights[v]) ** 2 for v in reference.levels), np.zeros_like(ratio)) / len(reference.levels) ** 2
    )
    natural = scatter**2 * (1 + 1 / len(reference.levels))  # healthy bodies differ from each other
    spread = ratio * np.sqrt((sd[level] / heights[level]) ** 2 + share + natural)
    return HeightLoss(100 * (1 - ratio), 100 * spread, reference.expected, reference.levels, reference.method)


def _reference(
    heights: Heights, level: Level, among: tuple[Collection[Level], list[Level]], scheme: Scheme
) -> _Reference | None:
    """What is expected at a level from the intact ones ``among`` (intact, all in order)."""
    intact, order = among
    own_place = order.index(level)
    neighbours = [v for v in _neighbours(order, own_place) if v in intact and v in heights]
    if not neighbours:
        others = [v for v in intact if v != level and v in heights]
        near = [v for v in others if abs(order.index(v) - own_place) <= _REACH]
        return _scaled(heights, level, near or others, scheme)
    if len(neighbours) == 2 and not _at_junction(level, neighbours):
        return _Reference(np.mean([heights[v] for v in neighbours], axis=0), tuple(neighbours), "neighbours")
    own = scheme.profile(level)
    profiles = [p for v in neighbours if (p := scheme.profile(v)) is not None]
    if own is None or len(profiles) < len(neighbours):
        return _Reference(np.mean([heights[v] for v in neighbours], axis=0), tuple(neighbours), "neighbours")
    carried = [heights[v] * own / other for v, other in zip(neighbours, profiles, strict=True)]
    return _Reference(np.mean(carried, axis=0), tuple(neighbours), "profile")


def _neighbours(order: list[Level], place: int) -> list[Level]:
    """The levels directly above and below, unless the spine has a gap there."""
    above = order[place - 1 : place] if place and adjacent(order[place - 1], order[place]) else []
    below = [v for v in order[place + 1 : place + 2] if adjacent(order[place], v)]
    return above + below


def adjacent(upper: Level, lower: Level) -> bool:
    """Whether two levels can be direct neighbours: L4-L5, T12-L1 (T11-L1 and T13-L1 as variants), L5-S1, V3-V4."""
    if upper.region == lower.region:
        return lower.number == upper.number + 1
    last = {("C", "T"): (7,), ("T", "L"): (11, 12, 13), ("L", "S"): (4, 5, 6)}
    return lower.number == 1 and upper.number in last.get((upper.region, lower.region), ())


def _at_junction(level: Level, neighbours: list[Level]) -> bool:
    ends = [tuple(sorted((level.region, v.region))) for v in neighbours]
    return any(v.name in _LAST_LUMBAR for v in neighbours) or any(tuple(sorted(j)) in ends for j in _JUNCTIONS)


def _scaled(heights: Heights, level: Level, sources: list[Level], scheme: Scheme) -> _Reference | None:
    """Patient's scale, per column, by Huber-weighted least squares from the median, times the profile."""
    own = scheme.profile(level)
    profiles = {v: p for v in sources if (p := scheme.profile(v)) is not None}
    if own is None or not profiles:
        return None
    k = np.stack([*profiles.values()])
    measured = np.stack([heights[v] for v in profiles])
    scale = np.median(measured / k, axis=0)
    for _ in range(10):
        residual = np.abs(measured / k - scale) / scale
        limit = np.maximum(1.48 * np.median(residual, axis=0), scheme.scatter)
        weight = np.minimum(1.0, limit / np.maximum(residual, 1e-9))
        scale = (weight * k * measured).sum(axis=0) / (weight * k**2).sum(axis=0)
    return _Reference(scale * own, tuple(profiles), "patient_scale")
