"""Whether every labelled body was found exactly once and under its name, and none was invented between them.

A found body belongs to the labelled one that holds most of it; one that holds less than half of it, none. A labelled
body is found when the found bodies that belong to it cover at least half of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import STANDARD_LEVELS, Level, StructureKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.segmentation import Segmentation

_HALF = 0.5


@dataclass(frozen=True)
class BodyCount:
    """Counts of bodies within the labelled extent.

    ``once`` labelled bodies were found by exactly one found body, ``double`` by several, ``missed`` by none;
    ``invented`` found bodies belong to no labelled one; of those found once ``misnamed`` have another level's name and
    ``unnamed`` only a relative one (V1, V2 …): a wrong level harms, an admitted gap does not.
    """

    labelled: int
    once: int
    double: int
    missed: int
    invented: int
    misnamed: int
    unnamed: int = 0

    @property
    def recall(self) -> float:
        """Share of the labelled bodies that were found exactly once."""
        return self.once / self.labelled if self.labelled else 1.0

    @property
    def precision(self) -> float:
        """Share of the found bodies that are the only one of a labelled body; a double counts as two found ones."""
        found = self.once + 2 * self.double + self.invented
        return self.once / found if found else 1.0

    @property
    def complete(self) -> bool:
        """Every labelled body found once, none invented."""
        return self.once == self.labelled and self.invented == 0


def count_bodies(
    found: Segmentation,
    labels: NDArray[np.integer],
    extent: NDArray[np.bool_],
    levels: Mapping[int, Level] | None = None,
) -> BodyCount:
    """Match the bodies of a segmentation with labelled ones.

    Parameters
    ----------
    found : on the grid of ``labels``
    labels : (k, j, i), one value above 0 per labelled body
    extent : (k, j, i) where labels count; a found body that lies for more than half outside is not judged
    levels : the true level of each label value, where it is known
    """
    owners: dict[int, list[Level | None]] = {int(v): [] for v in np.unique(labels[labels > 0])}
    covered = dict.fromkeys(owners, 0)
    invented = 0
    for structure in found.of_kind(StructureKind.VERTEBRAL_BODY):
        mask = found.mask(structure)
        inside = mask & extent
        if inside.sum() <= _HALF * mask.sum():
            continue
        held = np.bincount(labels[inside].astype(np.intp), minlength=1)
        owner = int(np.argmax(held[1:])) + 1 if len(held) > 1 else 0
        if owner and held[owner] >= _HALF * inside.sum():
            owners[owner].append(structure.level)
            covered[owner] += int(held[owner])
        else:
            invented += 1
    seen = [v for v in owners if covered[v] >= _HALF * (labels == v).sum()]
    once = [v for v in seen if len(owners[v]) == 1]
    names = [(owners[v][0], levels[v]) for v in once] if levels else []
    return BodyCount(
        labelled=len(owners),
        once=len(once),
        double=len(seen) - len(once),
        missed=len(owners) - len(seen),
        invented=invented,
        misnamed=sum(_told(name) and name != true for name, true in names),
        unnamed=sum(not _told(name) for name, _ in names),
    )


def _told(name: Level | None) -> bool:
    return name is not None and not name.is_relative


def levels_upward(lowest: Level, values: NDArray[np.integer]) -> dict[int, Level]:
    """True level of each label value, when the highest value is ``lowest`` and values rise from head to foot."""
    last = STANDARD_LEVELS.index(lowest)
    ordered = sorted(int(v) for v in values if v > 0)
    return {v: STANDARD_LEVELS[last - n] for n, v in enumerate(reversed(ordered))}
