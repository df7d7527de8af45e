"""A vertebra's name is a count from something that can be recognised: the sacrum, C2, or what the user says.

Without such an anchor bodies are V1, V2 … from the top; the names are then relative and say so. A sixth lumbar-type
vertebra counted from the sacrum is called T12 unless C2 or the user shows otherwise; six lumbar, eleven or thirteen
thoracic vertebrae are legal, never an error. A body that must be there but was not found keeps its place in the count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level
from spinemri.errors import LevelError
from spinemri.segment.column import CORD, SAC
from spinemri.spine import LevelAssignment, LevelBasis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.geometry import Geometry
    from spinemri.segment.instances import Instances

LEVEL_ORDER = tuple(
    Level(f"{region}{n}") for region, count in (("C", 7), ("T", 12), ("L", 5), ("S", 5)) for n in range(1, count + 1)
)
"""C1 to S5 of a spine without numbering variants."""

_PRESACRAL_FROM_C2 = 23  # C2 to L5
_FEWEST_FROM_C2 = 21
_CERVICAL_PITCH_MM = 21.0
_CLEAR_MM = 6.0
_CUT_DENS_RATIO = 1.25
_CANAL_FROM = 0.7
_LUMBAR_PITCH_MM = 27.0
_SACRAL_SLOPE_DEG = 30.0
_PER_LEVEL = 0.01


@dataclass(frozen=True)
class Anchor:
    """What the user says: the body that is ``index``-th from the bottom of the picture (1 = lowest) is ``level``."""

    index: int
    level: Level

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """Anchor from text such as 'L5=2': the second body from the bottom is L5. Raises LevelError otherwise."""
        match = re.fullmatch(r"\s*([A-Za-z]{1,2}\d{1,2})\s*=\s*(\d{1,2})\s*", text)
        if not match or int(match[2]) < 1:
            raise LevelError(f"anchor {text!r}: expected LEVEL=N such as L5=2, the second body counted from the bottom")
        level = Level.parse(match[1])
        if level.is_relative:
            raise LevelError(f"anchor {text!r}: expected a true level such as L5, found the relative {level}")
        return cls(int(match[2]), level)


@dataclass(frozen=True)
class Landmarks:
    """What anchors the count: slots (places in the count from the head) of S1 and C2 with a confidence 0 to 1."""

    s1: tuple[int, float] | None = None
    c2: tuple[int, float] | None = None
    looks_lumbosacral: bool = False
    regular: bool = True


def count_from(level: Level, steps: int) -> Level | None:
    """Level ``steps`` below (positive) or above a level; None beyond C1 or S5.

    L6 and T13 are reached only when they are the start: above L6 comes L5, below it S1; above T13 T12, below it L1.
    """
    if level in LEVEL_ORDER:
        place = LEVEL_ORDER.index(level) + steps
    else:
        above = {"L6": Level("L5"), "T13": Level("T12")}[level.name]
        if steps == 0:
            return level
        place = LEVEL_ORDER.index(above) + steps + (1 if steps < 0 else 0)
    return LEVEL_ORDER[place] if 0 <= place < len(LEVEL_ORDER) else None


def find_landmarks(instances: Instances, geometry: Geometry) -> Landmarks:
    """What in one series anchors the count of its vertebrae.

    S1 comes from the sacrum (``sacrum.py``). C2 is the topmost body when it is whole and of cervical size, has no disc
    above it, and cord or thecal sac goes on above it; a dens makes it taller than the next ones. A steep, large lowest
    body without any sacrum label looks lumbosacral: that alone gives assumed names.
    """
    bodies = instances.bodies
    pitches = np.array([b.pitch_mm for b in bodies])
    inner = pitches[1:-1] if len(pitches) > 3 else pitches[-1:]
    jumps = np.abs(np.diff(np.log(inner))) if len(inner) > 1 else np.zeros(1)
    return Landmarks(
        s1=instances.sacral,
        c2=_axis_slot(instances, geometry),
        looks_lumbosacral=_looks_lumbosacral(instances),
        regular=bool(jumps.max() < np.log(1.45)),
    )


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
    if following > _CERVICAL_PITCH_MM or highest > top + _CANAL_FROM * bodies[0].pitch_mm:
        return None
    point, _ = instances.column.at(top - _CLEAR_MM)
    index = geometry.to_index(point)
    whole = not bodies[0].cut and bool(np.all(index >= -0.5) and np.all(index <= np.asarray(geometry.shape) - 0.5))
    if not whole and ratio < _CUT_DENS_RATIO:
        return None
    return bodies[0].slot, float(np.clip(0.5 + 0.6 * (ratio - 1.0), 0.4, 0.9 if whole else 0.5))


def _looks_lumbosacral(instances: Instances) -> bool:
    """Large lowest bodies whose axis tilts back by 30 degrees or more, as S1's does in the supine patient."""
    bodies = [b for b in instances.bodies if not b.cut]
    if len(bodies) < 3 or bodies[-2].pitch_mm < _LUMBAR_PITCH_MM:
        return False
    _, tangent = instances.column.at(bodies[-1].along_mm)
    return bool(np.degrees(np.arctan2(tangent[1], -tangent[2])) >= _SACRAL_SLOPE_DEG)


def name_levels(
    slots: Sequence[int], landmarks: Landmarks, anchor: Anchor | None = None
) -> tuple[tuple[LevelAssignment, ...], tuple[str, ...]]:
    """Names of bodies with what they rest on.

    Parameters
    ----------
    slots : place of each body in the count from the head, ascending; a number is skipped where no body was found
    landmarks : what the image shows
    anchor : what the user says; it overrules the image

    Returns
    -------
    One assignment per body (fewer when bodies lie beyond C1 or S5), and warnings.

    Raises
    ------
    LevelError
        If the user's anchor points to a body that is not there, or names levels above C1.
    """
    if not slots:
        return (), ()
    if anchor is not None:
        return _from_user(slots, anchor), ()
    warnings = []
    missing = slots[-1] - slots[0] + 1 - len(slots)
    if missing:
        warnings.append(f"{missing} vertebral bodies between others were not found; the count goes on past them")
    doubt = (0.0 if landmarks.regular else 0.15) + 0.1 * min(missing, 3)
    if landmarks.c2 and landmarks.s1:
        names, notes = _from_both(slots, landmarks.c2, landmarks.s1, doubt)
        return names, (*warnings, *notes)
    if landmarks.s1:
        return _counted(slots, Level("S1"), landmarks.s1, LevelBasis.FROM_SACRUM, doubt), tuple(warnings)
    if landmarks.c2:
        return _counted(slots, Level("C2"), landmarks.c2, LevelBasis.FROM_C2, doubt), tuple(warnings)
    if landmarks.looks_lumbosacral:
        warnings.append(
            "no sacrum was segmented: the steepest lowest body is taken for S1, the level names are assumed"
        )
        return _counted(slots, Level("S1"), (slots[-1], 0.4), LevelBasis.ASSUMED, doubt), tuple(warnings)
    warnings.append("neither sacrum nor C2 is to be seen: bodies are numbered V1, V2 … from the top")
    return _relative(slots), tuple(warnings)


def _relative(slots: Sequence[int]) -> tuple[LevelAssignment, ...]:
    names = [Level(f"V{slot - slots[0] + 1}") for slot in slots if slot - slots[0] < 30]
    return tuple(LevelAssignment(level=name, basis=LevelBasis.ASSUMED, confidence=0.0) for name in names)


def _from_user(slots: Sequence[int], anchor: Anchor) -> tuple[LevelAssignment, ...]:
    if anchor.index > len(slots):
        raise LevelError(f"anchor {anchor.level}={anchor.index}: only {len(slots)} vertebral bodies were found")
    named = []
    for slot in slots:
        level = count_from(anchor.level, slot - slots[-anchor.index])
        if level is None and slot < slots[-anchor.index]:
            raise LevelError(
                f"anchor {anchor.level}={anchor.index}: {len(slots)} bodies were found, they reach above C1"
            )
        if level is not None:
            named.append(LevelAssignment(level=level, basis=LevelBasis.USER, confidence=1.0))
    return tuple(named)


def _counted(
    slots: Sequence[int], level: Level, landmark: tuple[int, float], basis: LevelBasis, doubt: float
) -> tuple[LevelAssignment, ...]:
    """Names counted from one landmark; a count that passes C1 or S5 cannot be right and becomes relative."""
    start, confidence = landmark
    names = [count_from(level, slot - start) for slot in slots]
    if names[0] is None:
        return _relative(slots)
    return tuple(
        LevelAssignment(
            level=name,
            basis=basis,
            confidence=float(np.clip(confidence - doubt - _PER_LEVEL * abs(slot - start), 0.05, 1)),
        )
        for slot, name in zip(slots, names, strict=True)
        if name is not None
    )


def _from_both(
    slots: Sequence[int], c2: tuple[int, float], s1: tuple[int, float], doubt: float
) -> tuple[tuple[LevelAssignment, ...], tuple[str, ...]]:
    """C2 and sacrum in one image: 23 bodies from C2 to L5 is the rule; one more is L6, one less leaves out L5."""
    between = s1[0] - c2[0]
    if between < _FEWEST_FROM_C2:
        note = (
            f"only {between} vertebrae lie between what looks like C2 and what looks like S1: the surer one is believed"
        )
        return _counted(slots, *_surer(c2, s1), doubt + 0.3), (note,)
    extra = between - _PRESACRAL_FROM_C2
    if extra == 0:
        sure = (c2[0], min(1.0, max(c2[1], s1[1]) + 0.1))
        return _counted(slots, Level("C2"), sure, LevelBasis.FROM_C2, doubt), ()
    note = f"{between} vertebrae lie between the top of C2 and S1 instead of {_PRESACRAL_FROM_C2}"
    if abs(extra) > 1:
        return _counted(slots, *_surer(c2, s1), doubt + 0.3), (f"{note}: the level names are unsure",)
    named = []
    for slot in slots:
        down = count_from(Level("S1"), slot - s1[0]) if slot >= s1[0] else count_from(Level("C2"), slot - c2[0])
        level = Level("L6") if extra == 1 and slot == s1[0] - 1 else down
        if level is not None:
            basis = LevelBasis.FROM_SACRUM if slot >= s1[0] else LevelBasis.FROM_C2
            confidence = float(np.clip(min(c2[1], s1[1]) - doubt, 0.05, 1))
            named.append(LevelAssignment(level=level, basis=basis, confidence=confidence))
    return tuple(named), (f"{note}: a numbering variant (named {'L6' if extra == 1 else 'without L5'}) or a miscount",)


def _surer(c2: tuple[int, float], s1: tuple[int, float]) -> tuple[Level, tuple[int, float], LevelBasis]:
    if c2[1] >= s1[1]:
        return Level("C2"), c2, LevelBasis.FROM_C2
    return Level("S1"), s1, LevelBasis.FROM_SACRUM
