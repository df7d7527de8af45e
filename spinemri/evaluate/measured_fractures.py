"""Calls of a height loss of 20 % and more on synthetic fractures of 20 to 60 %, and on intact bodies, in true masks.

Fractures are wedge-shaped, biconcave or crushed, at every level from T1 to L5, one to three in a person whose bodies
else differ as healthy ones do. A body is called by its measured height loss; one that could not be measured is not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spinemri.evaluate.measured_people import any_subject, painted_person, whole_bodies
from spinemri.measure.bodies import body_measurements, body_shapes, losses_of
from spinemri.norms import threshold
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.random_subject import with_fragments
from spinemri.synthesis.subject import Fracture, Pathology

CALLED_FROM_PCT = threshold("height_loss.fracture_from")
LOSSES_PCT = 20.0, 60.0
KINDS = {"wedge": (1.0, 0.5, 0.04), "biconcave": (0.15, 1.0, 0.0), "crush": (1.0, 1.0, 0.8)}
"""Kind -> what the anterior, middle and posterior height lose, as shares of the largest loss."""
_MEASURED_SHARE = {"wedge": 0.98, "biconcave": 1.12, "crush": 1.0}
"""Kind -> loss where heights are measured, of a body that is a little hollow, as a share of what was set."""
_COUNTS = 1, 2, 3
_COUNTS_P = 0.6, 0.25, 0.15


class JudgedBody(NamedTuple):
    """One body: kind of its fracture ('' intact), true and measured height loss in percent (None not measured)."""

    level: str
    kind: str
    true: float
    found: float | None

    @property
    def called(self) -> bool:
        """Whether its measured loss is that of a fracture."""
        return self.found is not None and self.found >= CALLED_FROM_PCT


def score_fractures(seed: int) -> list[JudgedBody]:
    """Every body of one random person that the field shows whole; kinds and levels in turn."""
    rng = np.random.default_rng([seed, 9])
    kinds = _broken(rng, seed)
    fractures = tuple(_fracture(rng, index, kind) for index, kind in kinds.items())
    pathology = with_fragments(Pathology(fractures), rng)
    person = painted_person(any_subject(rng, pathology), rng, next(iter(kinds)))
    segmentation = person.segmentation(f"2.25.{seed}")
    spine = whole_bodies(segmentation)
    shapes = body_shapes(spine, {segmentation.series_uid: segmentation}, {})
    found = {m.id: m.value for m in body_measurements(spine, shapes, losses_of(shapes))}
    true = person.truth(spine.levels)
    by_name = {sizes.NAMES[index]: kind for index, kind in kinds.items()}
    names = [str(v) for v in spine.levels if v.region != "S" and v.name != "C2"]
    ids = [(name, f"{name}.height_loss_pct") for name in names]
    return [JudgedBody(name, by_name.get(name, ""), true[id_], found[id_]) for name, id_ in ids]


def _broken(rng: np.random.Generator, seed: int) -> dict[int, str]:
    """Vertebra -> kind of its fracture; the first one goes through all levels and kinds as seeds go on."""
    levels, kinds = range(sizes.T1, sizes.S1), list(KINDS)
    first = levels[seed % len(levels)]
    others = rng.choice([n for n in levels if abs(n - first) <= 5 and n != first], len(_COUNTS) - 1, replace=False)
    chosen = [first, *others.tolist()][: int(rng.choice(_COUNTS, p=_COUNTS_P))]
    return {n: kinds[(seed + place) % len(kinds)] for place, n in enumerate(chosen)}


def _fracture(rng: np.random.Generator, index: int, kind: str) -> Fracture:
    low, high = (pct / 100 / _MEASURED_SHARE[kind] for pct in LOSSES_PCT)
    loss = float(rng.uniform(low, high))
    anterior, middle, posterior = (loss * share for share in KINDS[kind])
    return Fracture(index, anterior, middle, posterior)
