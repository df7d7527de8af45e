"""Which vertebra of one examination is which of another: by name, verified by laying each vertebra over the other one.

Names may be off by one between two examinations. So every vertebra is also laid over the neighbours of its namesake.
Three things speak for a renaming: mutual information of the registered images, overlap of the registered bodies, and
how far the distances between neighbouring bodies agree. The score adds them up so that 1 is a millimetre of distance,
or 0.1 nats, or 0.1 of overlap. Equal names are believed unless another renaming is better by a clear margin (own
choice); where it is better without being clear, nothing is compared. Known failure: fewer than three vertebrae in
common carry no verdict about names.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import STANDARD_LEVELS
from spinemri.compare.comparison import Match, Naming
from spinemri.compare.placed import Shown, lay_over
from spinemri.language import Phrases, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spinemri.anatomy import Level
    from spinemri.case import Case
    from spinemri.compare.placed import Laid
    from spinemri.spine import Vertebra

phrases = Phrases("compare.matching")

_WEIGHT = 10.0
_SURE, _RENAMED = 0.4, 0.8  # margins of the score: equal names against the next best, another renaming against equal
_FEWEST = 3
_LEAST_OVERLAP = 0.5


@dataclass(frozen=True, eq=False)
class Pair:
    """A vertebra at two examinations, and the motion between them where it could be registered."""

    earlier: Vertebra
    later: Vertebra
    laid: Laid | None
    contrast: str


@dataclass(frozen=True, eq=False)
class Matched:
    """Vertebrae of two examinations: how the names belong together, the records, and the pairs that may be compared."""

    naming: Naming
    matches: tuple[Match, ...]
    pairs: Mapping[Level, Pair]


def match_vertebrae(earlier: Case, later: Case) -> Matched:
    """Vertebrae of two examinations of one person; pairs are keyed by the earlier name."""
    levels = earlier.analysis.spine.levels, later.analysis.spine.levels
    renamings = _renamings(*levels)
    pairs = {shift: _laid_over(names, earlier, later) for shift, names in renamings.items()}
    naming = _naming(pairs, relative=any(level.is_relative for level in (*levels[0], *levels[1])))
    chosen = pairs.get(naming.shift, {}) if naming.shift is not None else {}
    names = renamings.get(naming.shift, {}) if naming.shift is not None else {}
    matches = tuple(_records(levels, names, chosen, naming))
    known = {m.level for m in matches if m.comparable}
    return Matched(naming, matches, {level: pair for level, pair in chosen.items() if level in known})


def _renamings(earlier: tuple[Level, ...], later: tuple[Level, ...]) -> dict[int, dict[Level, Level]]:
    """Shift -> earlier name -> later name, of vertebrae that both show; any shift where names are relative."""
    if any(level.is_relative for level in (*earlier, *later)):
        shifts: range = range(1 - len(earlier), len(later))
        rows = list(earlier), list(later)
    else:
        order = sorted({*STANDARD_LEVELS, *earlier, *later}, key=lambda level: level.rank)
        shifts, rows = range(-1, 2), (order, order)
    found = {}
    for shift in shifts:
        names = {
            level: rows[1][n + shift]
            for n, level in enumerate(rows[0])
            if 0 <= n + shift < len(rows[1]) and level in earlier and rows[1][n + shift] in later
        }
        if names:
            found[shift] = names
    return found


def _laid_over(names: Mapping[Level, Level], earlier: Case, later: Case) -> dict[Level, Pair]:
    found = {}
    for level, other in names.items():
        ends = earlier.analysis.spine.vertebra(level), later.analysis.spine.vertebra(other)
        if ends[0] is None or ends[1] is None:
            continue
        shown = _same_contrast(earlier, ends[0], later, ends[1])
        if shown is not None:
            laid = lay_over(shown[0], level, shown[1], other)
            contrasts = [one.image.series.contrast.value for one in shown]
            found[level] = Pair(ends[0], ends[1], laid, listed([*dict.fromkeys(contrasts)]))
    return found


def _same_contrast(earlier: Case, vertebra: Vertebra, later: Case, other: Vertebra) -> tuple[Shown, Shown] | None:
    """Two series of one contrast that show a vertebra, best those that it is measured in; of any if there are none."""
    sides = []
    for case, one in ((earlier, vertebra), (later, other)):
        shown = [Shown(image, masks) for _, image, masks in case.sagittal() if masks.body(one.level) is not None]
        whole = [s for s in shown if s.masks.body(one.level) not in s.masks.cut] or shown
        own = [s for s in whole if s.masks.series_uid == one.series_uid]
        sides.append([*own, *(s for s in whole if s not in own)])
    both = [(a, b) for a in sides[0] for b in sides[1]]
    alike = [(a, b) for a, b in both if a.image.series.contrast is b.image.series.contrast]
    return next(iter((*alike, *both)), None)


def _naming(pairs: Mapping[int, dict[Level, Pair]], *, relative: bool) -> Naming:
    """The shift of the names that the registered vertebrae speak for."""
    usable = {s: p for s, p in pairs.items() if sum(one.laid is not None for one in p.values()) >= _FEWEST}
    base = 0 if 0 in pairs else None
    if relative or base is None:
        return _free(usable)
    if 0 not in usable:
        told = phrases.VERTEBRAE_WERE_MATCHED_THEIR_NAMES
        return Naming(shift=0, sure=False, statement=told)
    scores = {shift: round(_margin(pairs[0], other), 3) for shift, other in usable.items() if shift}
    best = max(scores, key=lambda shift: scores[shift], default=0)
    record = {0: 0.0, **scores}
    ahead = scores.get(best, -np.inf)
    if ahead > _RENAMED:
        told = phrases.NAMES_EXAMINATIONS_DIFFER_ONE_EVERY.format(by=_by(best))
        return Naming(shift=best, sure=True, scores=record, statement=phrases.COMPARED_WITH_ITSELF.format(told=told))
    if ahead > 0:
        told = phrases.NAMES_REGISTRATION_DISAGREE_WHICH_VERTEBRA
        return Naming(shift=None, sure=False, scores=record, statement=told)
    sure = ahead < -_SURE
    told = phrases.CONFIRMED if sure else phrases.NOT_CONTRADICTED
    return Naming(shift=0, sure=sure, scores=record, statement=told)


def _by(shift: int) -> str:
    return phrases.ONE_PLACE_LOWER if shift > 0 else phrases.ONE_PLACE_HIGHER


def _free(usable: Mapping[int, dict[Level, Pair]]) -> Naming:
    """Names that say nothing: the arrangement that fits best, if it is clearly better than every other one."""
    scores = {shift: round(_absolute(found), 3) for shift, found in usable.items()}
    ranked = sorted(scores, key=lambda shift: -scores[shift])
    if ranked and (len(ranked) == 1 or scores[ranked[0]] - scores[ranked[1]] > _RENAMED):
        told = phrases.RELATIVE_MATCHED
        return Naming(shift=ranked[0], sure=True, scores=scores, statement=told)
    told = phrases.RELATIVE_UNMATCHED
    return Naming(shift=None, sure=False, scores=scores, statement=told)


def _margin(same: Mapping[Level, Pair], other: Mapping[Level, Pair]) -> float:
    """How much better another renaming fits than equal names, over the vertebrae that have both."""
    common = [level for level in same if level in other and same[level].laid and other[level].laid]
    if len(common) < _FEWEST:
        return -np.inf
    return _absolute({v: other[v] for v in common}) - _absolute({v: same[v] for v in common})


def _absolute(pairs: Mapping[Level, Pair]) -> float:
    laid = [pair.laid for pair in pairs.values() if pair.laid is not None]
    fit = _WEIGHT * float(np.mean([one.information + one.overlap for one in laid]))
    whole = [p for p in pairs.values() if not p.earlier.cut and not p.later.cut]
    apart = [
        np.linalg.norm(np.subtract(a.earlier.centre, b.earlier.centre))
        - np.linalg.norm(np.subtract(a.later.centre, b.later.centre))
        for a, b in pairwise(whole)
    ]
    return fit - (float(np.sqrt(np.mean(np.square(apart)))) if apart else 0.0)


def _records(
    levels: tuple[tuple[Level, ...], tuple[Level, ...]],
    names: Mapping[Level, Level],
    pairs: Mapping[Level, Pair],
    naming: Naming,
) -> Iterator[Match]:
    """Every vertebra of either examination, head to foot by the earlier one, then those of the later one alone."""
    for level in levels[0]:
        pair = pairs.get(level)
        if naming.shift is None:
            yield Match(level=level, later_level=None, comparable=False, reason=naming.statement)
        elif level not in names:
            yield Match(level=level, later_level=None, comparable=False, reason=phrases.OUT_FIELD_LATER_EXAMINATION)
        elif pair is None or pair.laid is None:
            why = phrases.TOO_LITTLE_BODY_SHOWN_REGISTER
            yield Match(level=level, later_level=names[level], comparable=False, reason=why)
        else:
            alike = pair.laid.overlap >= _LEAST_OVERLAP
            yield Match(
                level=level,
                later_level=names[level],
                comparable=alike,
                reason="" if alike else phrases.UNKNOWN.format(overlap=100 * pair.laid.overlap),
                contrast=pair.contrast,
                overlap=round(pair.laid.overlap, 3),
                information=round(pair.laid.information, 3),
                turn_deg=round(pair.laid.turn_deg, 1),
            )
    for level in levels[1]:
        if level not in names.values() and naming.shift is not None:
            why = phrases.OUT_FIELD_EARLIER_EXAMINATION
            yield Match(level=None, later_level=level, comparable=False, reason=why)
