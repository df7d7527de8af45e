"""One vertebra has one name: series in one frame of reference take their level names from the best anchored of them.

Bodies are matched by their centres in patient coordinates (within a third of a body's height). Bodies that the better
series does not show are counted on from those it shows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.segment.levels import LEVEL_ORDER, count_from
from spinemri.segmentation import Segmentation, label_value
from spinemri.spine import LevelAssignment, LevelBasis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.image import Image

_PART_OF_HEIGHT = 1 / 3
_USUAL_HEIGHT_MM = 25.0
_SECOND_HAND = 0.95


@dataclass(frozen=True, eq=False)
class _Bodies:
    """Bodies of one series, head to foot; ``place`` counts them, with a step of 2 where one was missed."""

    centres: NDArray[np.float64]
    places: tuple[int, ...]
    names: tuple[LevelAssignment, ...]


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
    Segmentations, their assignments, and a warning for each series whose true level names were overruled.
    """
    bodies = [_bodies(s, named) for s, named in zip(segmentations, assignments, strict=True)]
    order = sorted(range(len(bodies)), key=lambda n: -_trust(bodies[n].names))
    out, names, warnings = list(segmentations), [b.names for b in bodies], []
    settled: list[int] = []
    for n in order:
        frame = segmentations[n].geometry.frame_of_reference_uid
        known = [m for m in settled if segmentations[m].geometry.frame_of_reference_uid == frame]
        settled.append(n)
        renamed = _rename(bodies[n], [bodies[m] for m in known])
        if renamed is None:
            continue
        levels = {old.level: new.level for old, new in zip(bodies[n].names, renamed, strict=True) if new is not None}
        kept = tuple(new for new in renamed if new is not None)
        if any(old != new for old, new in levels.items()):
            if not next(iter(levels)).is_relative:
                told = ", ".join(f"{old} is {new}" for old, new in levels.items() if old != new)
                warnings.append(
                    f"series {images[n].series.label}: level names overruled by a better anchored series: {told}"
                )
            out[n] = _relabel(segmentations[n], levels)
        names[n] = kept
        bodies[n] = _bodies(out[n], kept)
    return tuple(out), tuple(names), tuple(warnings)


def _trust(names: tuple[LevelAssignment, ...]) -> float:
    """How well a series is anchored: the user's word first, then the mean confidence of true names."""
    if not names or names[0].level.is_relative:
        return 0.0
    bonus = 1.0 if names[0].basis is LevelBasis.USER else 0.0
    return bonus + float(np.mean([a.confidence for a in names]))


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
    order = [_order(a.level) for a in kept]
    steps = [max(1, after - before) for before, after in pairwise(order)]
    places = tuple(np.cumsum([0, *steps]).tolist()) if kept else ()
    return _Bodies(np.array(centres).reshape(-1, 3), places, tuple(kept))


def _order(level: Level) -> int:
    """Place in the count; L6 shares S1's and T13 shares L1's, the step after them is counted separately."""
    if level.is_relative:
        return level.number
    shared = {"L6": Level("S1"), "T13": Level("L1")}.get(level.name, level)
    return LEVEL_ORDER.index(shared)


def _rename(mine: _Bodies, known: list[_Bodies]) -> tuple[LevelAssignment | None, ...] | None:
    """New assignments for the bodies of a series from the first better series that shows one of them."""
    for other in known:
        if not other.names or other.names[0].level.is_relative or not mine.names:
            continue
        pairs = _matches(mine, other)
        if not pairs:
            continue
        offset = Counter(other.places[b] - mine.places[a] for a, b in pairs).most_common(1)[0][0]
        fixed = {a: other.names[b] for a, b in pairs if other.places[b] - mine.places[a] == offset}
        return tuple(_new_name(n, mine, fixed) for n in range(len(mine.names)))
    return None


def _matches(mine: _Bodies, other: _Bodies) -> list[tuple[int, int]]:
    gaps = np.linalg.norm(np.diff(other.centres, axis=0), axis=1) if len(other.centres) > 1 else np.zeros(0)
    height = 0.8 * float(np.median(gaps)) if len(gaps) else _USUAL_HEIGHT_MM
    distance = np.linalg.norm(mine.centres[:, None] - other.centres[None], axis=2)
    best = distance.argmin(axis=1)
    return [(a, int(b)) for a, b in enumerate(best) if distance[a, b] < _PART_OF_HEIGHT * height]


def _new_name(n: int, mine: _Bodies, fixed: dict[int, LevelAssignment]) -> LevelAssignment | None:
    """The matched body's name, or counted on from the nearest matched one."""
    own = mine.names[n]
    nearest = min(fixed, key=lambda a: abs(mine.places[a] - mine.places[n]))
    source = fixed[nearest]
    level = count_from(source.level, mine.places[n] - mine.places[nearest])
    if level is None:
        return None
    if level == own.level:
        return own.model_copy(update={"confidence": max(own.confidence, _SECOND_HAND * source.confidence)})
    user = source.basis is LevelBasis.USER
    return LevelAssignment(
        level=level,
        basis=LevelBasis.USER if user else LevelBasis.OTHER_STATION,
        confidence=_SECOND_HAND * source.confidence,
    )


def _relabel(segmentation: Segmentation, levels: dict[Level, Level]) -> Segmentation:
    """The same masks under new names; structures of levels that lost their name are wiped."""
    table = np.zeros(max([0, *segmentation.structures]) + 1, dtype=np.uint8)
    structures: dict[int, Structure] = {}
    for value, old in segmentation.structures.items():
        if old.level is not None and old.level not in levels:
            continue
        new = _renamed(old, levels)
        table[value] = label_value(new)
        structures[label_value(new)] = new
    cut = frozenset(_renamed(s, levels) for s in segmentation.cut if s.level in levels)
    return replace(segmentation, voxels=table[segmentation.voxels], structures=structures, cut=cut)


def _renamed(structure: Structure, levels: dict[Level, Level]) -> Structure:
    level = levels[structure.level] if structure.level is not None else None
    return Structure(structure.kind, level, levels.get(structure.lower) if structure.lower is not None else None)
