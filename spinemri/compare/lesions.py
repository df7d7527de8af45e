"""Lesions of two examinations: the same one where their outlines lie over each other once its vertebra is registered.

A lesion that only one examination shows is new or gone only if the other one would have shown it: its vertebra was
looked at, its slices reach the place, and it is larger than what is found nine times in ten. Where
the lesion model states no such size, nothing is called new or gone. Volume decides whether a
lesion has grown. Known failure: a lesion whose probability lies close to the limit of reporting may come and go.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from spinemri.compare.comparison import Change, LesionChange, Verdict
from spinemri.compare.quantities import LESION_SIGNALS, LESION_SIZES, compared
from spinemri.language import Phrases
from spinemri.register import motion_between, to_moving

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.case import Case
    from spinemri.compare.matching import Pair
    from spinemri.geometry import Geometry
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement

    Floats = NDArray[np.float64]
    Found = tuple[LesionChange, tuple[Change, ...]]

phrases = Phrases("compare.lesions")

_NEAR_MM = 3.0  # between the outlines of one lesion at two dates; half a slice distance where that is more
_SAME = 0.3  # share of the smaller one's voxels that lie so near to the other
_SHOWN = 0.9  # share of a lesion that lies within the slices of the other examination
_VOLUME, _DIAMETER = "lesion_volume", "lesion_diameter"
_SEEN_SOURCE = "smallest lesion that is found 9 times in 10 at the examination that does not show it"
_CALLED = {Verdict.INCREASED: Verdict.GROWN, Verdict.DECREASED: Verdict.SHRUNK}


@dataclass(frozen=True, eq=False)
class _Spot:
    """A lesion of one side (0 earlier, 1 later), with its voxels in the other examination; None if not registered."""

    side: int
    lesion: Lesion
    level: Level | None
    own: Floats
    there: Floats | None
    grid: Geometry


def lesion_changes(earlier: Case, later: Case, pairs: Mapping[Level, Pair]) -> tuple[Found, ...]:
    """Every lesion of either examination with its changes, head to foot.

    Parameters
    ----------
    pairs : earlier name -> the vertebra at both examinations, where it may be compared
    """
    cases = earlier, later
    spots = [_spot(cases[side], side, lesion, pairs) for side in (0, 1) for lesion in cases[side].analysis.lesions]
    order = {str(v.level): n for n, v in enumerate(earlier.analysis.spine.vertebrae)}
    groups = sorted(_groups(spots), key=lambda g: (order.get(_place(g), len(order)), g[0].lesion.id))
    return tuple(_judged(_letter(n), group, cases, pairs) for n, group in enumerate(groups))


def _letter(number: int) -> str:
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")


def _place(group: Sequence[_Spot]) -> str:
    return str(group[0].level or group[0].lesion.level)


def _spot(case: Case, side: int, lesion: Lesion, pairs: Mapping[Level, Pair]) -> _Spot:
    mask = next(m for m in case.lesion_masks if m.series_uid == lesion.series_uid and (m.voxels == lesion.label).any())
    own = mask.geometry.to_patient(np.argwhere(mask.voxels == lesion.label))
    names = {level: level for level in pairs} if side == 0 else {p.later.level: level for level, p in pairs.items()}
    level = names.get(lesion.level)
    laid = pairs[level].laid if level is not None else None
    if level is None or laid is None:
        return _Spot(side, lesion, level, own, None, mask.geometry)
    measured = (pairs[level].earlier, pairs[level].later)[side].series_uid
    motion = motion_between(case.analysis.alignments, lesion.level, lesion.series_uid, measured)
    straight = own if motion is None else to_moving(motion, own)
    return _Spot(
        side, lesion, level, own, laid.to_later(straight) if side == 0 else laid.to_earlier(straight), mask.geometry
    )


def _groups(spots: Sequence[_Spot]) -> list[list[_Spot]]:
    """Lesions that are one lesion; several of one side where they have become one or parted."""
    links = [
        (a, b)
        for a, b in product(range(len(spots)), repeat=2)
        if spots[a].side == 0 and spots[b].side == 1 and _same(spots[a], spots[b])
    ]
    rows, columns = [a for a, _ in links], [b for _, b in links]
    graph = coo_array((np.ones(len(links)), (rows, columns)), shape=(len(spots), len(spots)))
    count, member = connected_components(graph, directed=False) if spots else (0, [])
    return [[spot for spot, n in zip(spots, member, strict=True) if n == number] for number in range(count)]


def _same(one: _Spot, other: _Spot) -> bool:
    if one.there is None:
        return False
    near = max(_NEAR_MM, max((*one.grid.spacing, *other.grid.spacing)) / 2)
    few, many = sorted((one.there, other.own), key=len)
    away, _ = KDTree(many).query(few)
    return bool(np.mean(away <= near) >= _SAME)


def _judged(name: str, group: Sequence[_Spot], cases: tuple[Case, Case], pairs: Mapping[Level, Pair]) -> Found:
    sides = [[spot for spot in group if spot.side == side] for side in (0, 1)]
    reason = _why_not(group, cases, pairs)
    if sides[0] and sides[1]:
        changes = tuple(_compared(name, sides, cases, reason))
        verdict = changes[0].verdict
        if not reason:
            reason = changes[0].reason
    else:
        changes = (_alone(name, group, cases, reason),)
        verdict, reason = changes[0].verdict, changes[0].reason
    shown = (sides[1] or sides[0])[0].lesion
    found = LesionChange(
        id=name,
        place=_place(group),
        side=shown.side,
        kind=shown.kind.value,
        baseline_ids=tuple(spot.lesion.id for spot in sides[0]),
        later_ids=tuple(spot.lesion.id for spot in sides[1]),
        verdict=_CALLED.get(verdict, verdict),
        reason=reason,
    )
    return found, changes


def _why_not(group: Sequence[_Spot], cases: tuple[Case, Case], pairs: Mapping[Level, Pair]) -> str:
    """Why the other examination cannot speak of a lesion; '' where it can."""
    for spot in group:
        other, when = cases[1 - spot.side], _when(1 - spot.side)
        if spot.there is None or spot.level is None:
            return phrases.VERTEBRA_NOT_SHOWN_OR_NOT.format(when=when)
        vertebra = (pairs[spot.level].earlier, pairs[spot.level].later)[1 - spot.side]
        screen = other.analysis.marrow
        if vertebra.level not in screen.assessed:
            why = dict(screen.not_assessed).get(vertebra.level) or "; ".join(screen.warnings) or phrases.MARROW_NOT_READ
            return phrases.EXAMINATION.format(when=when, reason=why.rstrip("."))
        if vertebra.level in screen.partly:
            return phrases.FIELD_VIEW_CUTS_EXAMINATION.format(level=vertebra.level, when=when)
        image = next(i for _, i, _ in other.sagittal() if i.series.series_uid == vertebra.series_uid)
        if _share_within(spot.there, image.geometry) < _SHOWN:
            return phrases.SLICES_EXAMINATION_DO_NOT_REACH.format(when=when)
    return ""


def _share_within(points: Floats, grid: Geometry) -> float:
    index = grid.to_index(points)
    return float(((index >= -0.5) & (index <= np.asarray(grid.shape) - 0.5)).all(axis=1).mean())


def _compared(name: str, sides: Sequence[Sequence[_Spot]], cases: tuple[Case, Case], reason: str) -> list[Change]:
    """Changes of a lesion that both show; of its volume alone where several lesions are one."""
    analyses = cases[0].analysis, cases[1].analysis
    one_each = len(sides[0]) == len(sides[1]) == 1
    found = []
    for quantity in (*LESION_SIZES, *LESION_SIGNALS) if one_each else (_VOLUME,):
        values = [_sum(case, spots, quantity) for case, spots in zip(cases, sides, strict=True)]
        if (
            values[0] is None
            or values[1] is None
            or (quantity != _VOLUME and None in (values[0].value, values[1].value))
        ):
            continue
        change = compared(values[0], values[1], analyses, _place([*sides[0], *sides[1]]))
        update: dict[str, object] = {"id": f"{name}.{quantity}", "lesion": name}
        evidence = tuple(f"{spot.lesion.id}.{quantity}" for spots in sides for spot in spots)
        if reason:
            update |= {
                "verdict": Verdict.NOT_COMPARABLE,
                "reason": reason,
                "change": None,
                "mdc": None,
                "mdc_source": "",
            }
        found.append(Change.model_validate({**change.model_dump(), **update, "evidence": evidence}))
    return found


def _sum(case: Case, spots: Sequence[_Spot], quantity: str) -> Measurement | None:
    """A measurement of a lesion; of several lesions their sum, with the interval that belongs to it."""
    known = [m for spot in spots if (m := case.analysis.measurement(f"{spot.lesion.id}.{quantity}")) is not None]
    if len(known) < len(spots) or any(m.value is None or m.interval is None for m in known[1:]):
        return None
    if len(known) == 1:
        return known[0]
    total = sum(m.value or 0.0 for m in known)
    half = float(np.hypot.reduce([(m.interval[1] - m.interval[0]) / 2 for m in known if m.interval is not None]))
    return known[0].model_copy(update={"value": total, "interval": (total - half, total + half)})


def _alone(name: str, group: Sequence[_Spot], cases: tuple[Case, Case], reason: str) -> Change:
    """A lesion that one examination shows: new or gone, unless the other one could not have shown it."""
    spot = group[0]
    size = cases[spot.side].analysis.measurement(f"{spot.lesion.id}.{_DIAMETER}")
    limit = cases[1 - spot.side].analysis.marrow.detection_limit_mm
    value, interval = (None, None) if size is None else (size.value, size.interval)
    if not reason and limit is None:
        reason = phrases.ONLY_EXAMINATION_SHOWS_LESION_MODEL.format(when=_when(spot.side))
    if not reason and limit is not None and (value is None or value < limit):
        reason = phrases.EXAMINATION_MAY_NOT_SHOW_LESION.format(when=_when(1 - spot.side), limit=limit)
    verdict = Verdict.NOT_COMPARABLE if reason else (Verdict.GONE, Verdict.NEW)[spot.side]
    earlier = spot.side == 0
    return Change(
        id=f"{name}.{_DIAMETER}",
        name=_DIAMETER,
        place=_place(group),
        lesion=name,
        baseline=value if earlier else None,
        baseline_interval=interval if earlier else None,
        later=None if earlier else value,
        later_interval=None if earlier else interval,
        unit="mm",
        mdc=None if reason else limit,
        mdc_source="" if reason else _SEEN_SOURCE,
        verdict=verdict,
        reason=reason,
        evidence=(f"{spot.lesion.id}.{_DIAMETER}",),
    )


def _when(side: int) -> str:
    return phrases.LATER if side else phrases.EARLIER
