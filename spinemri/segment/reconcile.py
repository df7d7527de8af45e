"""One vertebra has one name: the series of one frame of reference are decoded together.

Bodies are matched by their centres in patient coordinates (within a third of a body's height) and put into one common
count; those without a name of their own take it from a series that has one, or are counted on. Where series contradict
each other, what each makes of its uppermost and lowest body becomes evidence, and all bodies are named in one walk down
the levels (``chain.py``); without a clear result all names are withdrawn. The user's word is law.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.segment.chain import decode
from spinemri.segment.ladder import LADDER, RUNG
from spinemri.segment.levels import LEAST_EXPECTED_SHARE, assign, count_from, relative
from spinemri.segment.sizes import HEIGHT_ON_LADDER
from spinemri.spine import LevelAssignment, LevelBasis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation

phrases = Phrases("segment.reconcile")

_PART_OF_HEIGHT = 1 / 3
_USUAL_HEIGHT_MM = 25.0
_WEIGHT = 0.7  # of one series' word: series of one person share what misleads the network
_SECOND_HAND = 0.95
_FAR = 0.3  # how much less likely a name is for each level that it lies farther off
_SUREST = 0.99


@dataclass(frozen=True, eq=False)
class _Bodies:
    """Bodies of one series, head to foot; ``places`` counts them, with a step of 2 where one was missed."""

    centres: NDArray[np.float64]
    places: tuple[int, ...]
    names: tuple[LevelAssignment, ...]

    @property
    def named(self) -> bool:
        return bool(self.names) and not self.names[0].level.is_relative

    @property
    def by_user(self) -> bool:
        return self.named and self.names[0].basis is LevelBasis.USER

    @property
    def trust(self) -> float:
        """How well a series is anchored: the user's word first, then the mean confidence of true names."""
        return float(self.by_user) + float(np.mean([a.confidence for a in self.names])) if self.named else 0.0


def reconcile(
    images: Sequence[Image],
    segmentations: Sequence[Segmentation],
    assignments: Sequence[tuple[LevelAssignment, ...]],
) -> tuple[tuple[Segmentation, ...], tuple[tuple[LevelAssignment, ...], ...], tuple[str, ...]]:
    """The same segmentations with level names that agree between series of one frame of reference.

    Parameters
    ----------
    images, segmentations, assignments : parallel, one per series; nothing is changed in place

    Returns
    -------
    Segmentations, their assignments, and a warning for each series whose true level names were overruled, and for
    series that contradict each other so much that all lose their names.
    """
    bodies = [_bodies(s, named) for s, named in zip(segmentations, assignments, strict=True)]
    frames = [s.geometry.frame_of_reference_uid for s in segmentations]
    out, names, warnings = list(segmentations), [b.names for b in bodies], []
    for group in _groups(bodies, frames):
        renamed = _name_together([bodies[n] for n in group], list(group.values()))
        for n, (new, said) in zip(group, renamed, strict=True):
            levels = {old.level: name.level for old, name in zip(bodies[n].names, new, strict=True) if name is not None}
            names[n] = tuple(name for name in new if name is not None)
            if any(old != name for old, name in levels.items()):
                out[n] = segmentations[n].renamed(levels)
            if said and bodies[n].named:
                warnings += [phrases.SERIES.format(label=images[n].series.label, line=line) for line in said]
    return tuple(out), tuple(names), tuple(warnings)


def _bodies(segmentation: Segmentation, named: tuple[LevelAssignment, ...]) -> _Bodies:
    boxes = ndimage.find_objects(segmentation.voxels.astype(np.int32))
    values = {s.level: v for v, s in segmentation.structures.items() if s.kind is StructureKind.VERTEBRAL_BODY}
    kept, centres = [], []
    for assignment in named:
        value = values.get(assignment.level)
        box = boxes[value - 1] if value is not None and value <= len(boxes) else None
        if box is not None:
            index = np.argwhere(segmentation.voxels[box] == value) + [b.start for b in box]
            centres.append(segmentation.geometry.to_patient(index.mean(axis=0)))
            kept.append(assignment)
    down = [steps(upper.level, lower.level) for upper, lower in pairwise(kept)]
    places = tuple(np.cumsum([0, *down]).tolist()) if kept else ()
    return _Bodies(np.array(centres).reshape(-1, 3), places, tuple(kept))


def steps(upper: Level, lower: Level) -> int:
    """Vertebrae from one name to the next: one where variants leave a level out or put one in."""
    if upper.is_relative:
        return lower.number - upper.number
    if (upper.name, lower.name) in {("T11", "L1"), ("L4", "S1"), ("T12", "T13"), ("L5", "L6")}:
        return 1
    return max(1, int(np.floor(HEIGHT_ON_LADDER[RUNG[lower]]) - np.floor(HEIGHT_ON_LADDER[RUNG[upper]])))


def _groups(bodies: list[_Bodies], frames: list[str | None]) -> list[dict[int, list[int]]]:
    """Series that show common vertebrae: number of the series -> places of its bodies in the group's common count."""
    groups: list[dict[int, list[int]]] = []
    for n in sorted(range(len(bodies)), key=lambda n: -bodies[n].trust):
        if not bodies[n].names:
            continue
        for group in groups:
            if frames[next(iter(group))] != frames[n]:
                continue
            places = _common_places(bodies[n], [(bodies[m], group[m]) for m in group])
            if places is not None:
                group[n] = places
                break
        else:
            groups.append({n: list(bodies[n].places)})
    return groups


def _common_places(mine: _Bodies, others: list[tuple[_Bodies, list[int]]]) -> list[int] | None:
    """Places of a series' bodies in the count of the first series that shows one of them."""
    for other, places in others:
        pairs = _matches(mine, other)
        if not pairs:
            continue
        offset = Counter(places[b] - mine.places[a] for a, b in pairs).most_common(1)[0][0]
        return [place + offset for place in mine.places]
    return None


def _matches(mine: _Bodies, other: _Bodies) -> list[tuple[int, int]]:
    gaps = np.linalg.norm(np.diff(other.centres, axis=0), axis=1) if len(other.centres) > 1 else np.zeros(0)
    height = 0.8 * float(np.median(gaps)) if len(gaps) else _USUAL_HEIGHT_MM
    distance = np.linalg.norm(mine.centres[:, None] - other.centres[None], axis=2)
    best = distance.argmin(axis=1)
    return [(a, int(b)) for a, b in enumerate(best) if distance[a, b] < _PART_OF_HEIGHT * height]


def _name_together(
    series: list[_Bodies], places: list[list[int]]
) -> list[tuple[list[LevelAssignment | None], list[str]]]:
    """New assignments of each series' bodies, and what is to be said about them, from one decoding of all."""
    slots = sorted({place for taken in places for place in taken})
    told = [(b, p) for b, p in zip(series, places, strict=True) if b.named]
    if not told:
        return [(list(relative(p, slots[0])), []) for p in places]
    held = _held(told[:1] if series[0].by_user else told)
    if held is not None:
        return [_follow(b, p, held) for b, p in zip(series, places, strict=True)]
    rows = np.zeros((len(slots), len(LADDER)))
    for bodies, taken in told:
        for n in {0, len(taken) - 1}:
            rows[slots.index(taken[n])] += _WEIGHT * _word(bodies.names[n])
    decoding = decode(rows, slots)
    if decoding is None or decoding.expected_share < LEAST_EXPECTED_SHARE:
        line = phrases.LEVEL_NAMES_WITHDRAWN_SERIES_ONE
        return [(list(relative(p, slots[0])), [line]) for p in places]
    joint = assign(decoding, [LevelBasis.OTHER_STATION] * len(slots))
    found = dict(zip(slots, joint, strict=True))
    return [_follow(b, p, found) for b, p in zip(series, places, strict=True)]


def _held(told: list[tuple[_Bodies, list[int]]]) -> dict[int, LevelAssignment] | None:
    """The surest name of each place when series agree; None when they contradict each other."""
    held: dict[int, LevelAssignment] = {}
    for bodies, places in told:
        for place, name in zip(places, bodies.names, strict=True):
            known = held.get(place, name)
            if known.level != name.level:
                return None
            held[place] = max(known, name, key=lambda a: a.confidence)
    return held if all(a.level < b.level for a, b in pairwise(held[p] for p in sorted(held))) else None


def _word(name: LevelAssignment) -> NDArray[np.float64]:
    """A series' word on its surest body: its name, or else a level near it."""
    sure = min(name.confidence, _SUREST)
    away = np.abs(HEIGHT_ON_LADDER - HEIGHT_ON_LADDER[RUNG[name.level]])
    row = (1 - sure) * np.power(_FAR, np.maximum(away, 1.0))
    row[RUNG[name.level]] = max(sure, 1e-3)
    return np.asarray(np.log(row))


def _follow(
    bodies: _Bodies, places: list[int], held: dict[int, LevelAssignment]
) -> tuple[list[LevelAssignment | None], list[str]]:
    """A series' names as held for their places, or counted on from the nearest place that has a name."""
    named: list[LevelAssignment | None] = []
    for own, place in zip(bodies.names, places, strict=True):
        nearest = min(held, key=lambda other: abs(other - place))
        source = held[nearest]
        level = count_from(source.level, place - nearest)
        sure = source.confidence * (1.0 if nearest == place else _SECOND_HAND)
        if level is None:
            named.append(None)
        elif level == own.level:
            named.append(own.model_copy(update={"confidence": max(own.confidence, _SECOND_HAND * sure)}))
        else:
            user = source.basis is LevelBasis.USER
            basis = LevelBasis.USER if user else LevelBasis.OTHER_STATION
            named.append(LevelAssignment(level=level, basis=basis, confidence=_SECOND_HAND * sure))
    pairs = [(old.level, new.level) for old, new in zip(bodies.names, named, strict=True) if new is not None]
    told = ", ".join(phrases.RENAMED.format(old=old, new=new) for old, new in pairs if old != new)
    return named, [phrases.LEVEL_NAMES_OVERRULED_WHAT_OTHER.format(told=told)] if told else []
