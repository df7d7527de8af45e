"""What anchors the count of vertebrae in one series: the sacrum and C2, each with how sure it is, as evidence.

A landmark is evidence, not a rule: what the bodies look like may outweigh it. It speaks at one body, for its own level
most, for the levels next to it as its usual mistake, and against all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level
from spinemri.segment.column import CORD, SAC
from spinemri.segment.ladder import LADDER, RUNG, above_s1
from spinemri.segment.slots import CERVICAL_PITCH_MM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.segment.instances import Instances

    Floats = NDArray[np.float64]

_CLEAR_MM = 6.0
_CUT_DENS_RATIO = 1.25
_CANAL_FROM = 0.7
_SHORTEST = 0.85  # of the next bodies: C2 with its dens is taller than C3; a short piece on top is C1's arch or a tip

# Of a landmark that is not where it seems: how often it is one level off (either way, L5 and L6 alike), and how often
# there is nothing of the kind. Choices, checked on people of the training sets: the sacrum's upper border was one level
# too high in 5 of 51, never too low.
_S1_IS_ABOVE, _S1_IS_BELOW, _NO_SACRUM = 0.25, 0.65, 0.02
_S1_RIGHT_FROM, _S1_RIGHT_RISE = 0.57, 0.43  # how often S1 was right, over the confidence of ``sacrum.py``
_LEAST_WRONG = 1e-3
_S1_CUT = 0.1, 0.45, 0.45  # S1 above, right and below, where the field ends in it (a choice): ``s1_is_cut``
_C2_IS_C3, _NO_C2 = 0.5, 0.02
_UNSEEN_SACRUM, _UNSEEN_SACRUM_CUT, _UNSEEN_C2 = 0.06, 0.3, 0.3


@dataclass(frozen=True)
class Landmarks:
    """What anchors the count: slots (places in the count from the head) of S1 and C2 with a confidence 0 to 1.

    ``regular`` tells whether distances between discs change as slowly as they should; if not, one may be missed.
    ``foot_cut`` tells whether the field of view cuts the lowest body, so that a sacrum below it could not be seen.
    """

    s1: tuple[int, float] | None = None
    c2: tuple[int, float] | None = None
    regular: bool = True
    foot_cut: bool = False

    @property
    def seen(self) -> bool:
        """Whether there is any."""
        return self.s1 is not None or self.c2 is not None


def find_landmarks(instances: Instances, geometry: Geometry) -> Landmarks:
    """What in one series anchors the count of its vertebrae.

    S1 comes from the sacrum (``sacrum.py``). C2 is the topmost body when it is whole and of cervical size, has no disc
    above it, and cord or thecal sac goes on above it; a dens makes it taller than the next ones, so a short piece on
    top is none.
    """
    pitches = np.array([b.pitch_mm for b in instances.bodies])
    inner = pitches[1:-1] if len(pitches) > 3 else pitches[-1:]
    jumps = np.abs(np.diff(np.log(inner))) if len(inner) > 1 else np.zeros(1)
    regular = bool(jumps.max() < np.log(1.45))
    lowest = instances.bodies[-1]
    return Landmarks(instances.sacral, _axis_slot(instances, geometry), regular, lowest.cut)


def _axis_slot(instances: Instances, geometry: Geometry) -> tuple[int, float] | None:
    """Slot of C2; surer the taller it is. A cut body that is still taller than the next ones can only have a dens."""
    bodies = instances.bodies
    canal = np.argwhere(np.isin(instances.classes, (SAC, CORD)))
    if len(bodies) < 4 or instances.disc_above or len(canal) == 0:
        return None
    following = float(np.median([b.pitch_mm for b in bodies[1:4]]))
    ratio = bodies[0].pitch_mm / following
    top = instances.edges_mm[bodies[0].slot]
    highest = float(np.percentile(instances.column.coordinates(geometry.to_patient(canal))[:, 0], 1))
    if ratio < _SHORTEST or following > CERVICAL_PITCH_MM or highest > top + _CANAL_FROM * bodies[0].pitch_mm:
        return None
    point, _ = instances.column.at(top - _CLEAR_MM)
    index = geometry.to_index(point)
    whole = not bodies[0].cut and bool(np.all(index >= -0.5) and np.all(index <= np.asarray(geometry.shape) - 0.5))
    if not whole and ratio < _CUT_DENS_RATIO:
        return None
    return bodies[0].slot, float(min(0.7 + 0.6 * (ratio - 1.0), 0.95 if whole else 0.7))


def landmark_rows(slots: Sequence[int], landmarks: Landmarks) -> Floats:
    """Evidence (n, len(LADDER)) of landmarks for the bodies in ``slots``: log-likelihood of each level.

    S1 whose own body was not found speaks at the nearest one, of the level that this then has. A series that shows no
    sacrum hardly ends in it; one that shows no C2 may yet begin with it.
    """
    rows = np.zeros((len(slots), len(LADDER)))
    if landmarks.s1 is not None:
        slot, confidence = landmarks.s1
        shares = _S1_CUT if s1_is_cut(slots, landmarks) else shares_of_s1(confidence)
        nearest = _nearest(slots, slot)
        rows[nearest] += _sacral(shares, slots[nearest] - slot)
    else:
        unseen = np.log(_UNSEEN_SACRUM_CUT if landmarks.foot_cut else _UNSEEN_SACRUM)
        rows[-1] += [unseen if level.region == "S" else 0.0 for level in LADDER]
    if landmarks.c2 is not None:
        rows[_nearest(slots, landmarks.c2[0])] += _cervical(landmarks.c2[1])
    else:
        rows[0, RUNG[Level("C2")]] += np.log(_UNSEEN_C2)
    return rows


def s1_is_cut(slots: Sequence[int], landmarks: Landmarks) -> bool:
    """Whether what seems S1 is the lowest body and cut by the field of view: L5 would look the same."""
    return landmarks.s1 is not None and landmarks.foot_cut and landmarks.s1[0] == slots[-1]


def _nearest(slots: Sequence[int], slot: int) -> int:
    return int(np.abs(np.asarray(slots) - slot).argmin())


def shares_of_s1(confidence: float) -> tuple[float, float, float]:
    """How often S1 lies one place above, at, and one place below where it was found with a confidence of 0 to 1."""
    right = _S1_RIGHT_FROM + _S1_RIGHT_RISE * confidence
    wrong = max(1 - right, _LEAST_WRONG)
    return wrong * _S1_IS_ABOVE, right, wrong * _S1_IS_BELOW


def confidence_of(share: float) -> float:
    """The confidence 0 to 1 of an S1 that is right with this share, the reverse of ``shares_of_s1``."""
    return float(np.clip((share - _S1_RIGHT_FROM) / _S1_RIGHT_RISE, 0, 1))


def _sacral(shares: tuple[float, float, float], below: int) -> Floats:
    """Row of a body that lies so many places below what was found as S1 (negative: above it)."""
    row = np.full(len(LADDER), (1 - shares[1]) * _NO_SACRUM)
    for moved, share in zip((-1, 0, 1), shares, strict=True):
        row = np.maximum(row, share * above_s1(moved - below))
    return np.asarray(np.log(np.maximum(row, 1e-4)))


def _cervical(confidence: float) -> Floats:
    row = np.full(len(LADDER), (1 - confidence) * _NO_C2)
    row[RUNG[Level("C2")]], row[RUNG[Level("C3")]] = confidence, (1 - confidence) * _C2_IS_C3
    return np.asarray(np.log(np.maximum(row, 1e-4)))
