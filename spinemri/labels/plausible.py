"""Whether a mask read under a scheme is a spine at all: the usual sign that the wrong scheme was named.

Vertebrae follow each other from head to foot (patient z) at distances that fit their names, adjacent ones are about
equally large, a disc lies between its two vertebrae, the sacrum is lowest, and canal and cord are long and thin. Masks
of a right scheme may be poor; so limits are wide, and only what no spine shows is fatal.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.labels.pieces import Piece

_BODY, _ARCH = StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS

_PITCHES: dict[str, tuple[float, ...]] = {
    "C": (20.0, 23.0, 18.6, 18.4, 18.2, 18.2, 19.4),
    "T": (20.2, 21.0, 21.2, 21.7, 22.3, 23.2, 24.2, 25.1, 26.3, 28.2, 30.3, 32.2, 33.2),
    "L": (34.1, 36.0, 37.0, 37.3, 37.3, 37.3),
    "S": (34.5,),
}
_PITCH_MM = {f"{region}{n}": mm for region, row in _PITCHES.items() for n, mm in enumerate(row, start=1)}
"""Body with disc per level, mm: Panjabi (Spine 1991;16:861), discs Gilad & Nissan (Spine 1986;11:154)."""

_MOST_UNKNOWN = 0.3  # of the labelled voxels
_SPECK = 0.03  # of the usual vertebra
_STEP, _MEAN_STEP = (0.5, 1.8), (0.72, 1.4)  # distance of two vertebrae against what their names let expect
_STEP_SLACK_MM = 6.0
_LARGER, _LARGER_CUT = 2.2, 1.3  # than the neighbour; when the field of view cuts it
_LEAST_SACRUM = 1.2  # of the vertebra above it, when the whole sacrum is shown
_TALLEST_MM = 85.0
_DEEPEST_BODY_MM = {"C": 32.0, "T": 48.0}
_DEEPEST_MM = 56.0
_WIDEST_CANAL_MM2, _WIDEST_CORD_MM2 = 900.0, 250.0
_LEAST_CANAL = 0.3  # of the length of the column
_SACRUM_GAP_MM = 25.0
_MOST_DISCS_OFF = 0.34
_SACRAL_NEIGHBOURS = frozenset({"L4", "L5", "L6", "S1"})
_VARIANTS = frozenset({("T11", "L1"), ("T12", "T13"), ("L4", "S1"), ("L5", "L6")})


class Fault(NamedTuple):
    """What no spine shows (``fatal``), or what is odd."""

    text: str
    fatal: bool = True


@dataclass(frozen=True, eq=False)
class Named:
    """One value under a scheme: what it means and what lies there."""

    structures: tuple[Structure, ...]
    piece: Piece

    @property
    def level(self) -> Level | None:
        """The level of a vertebra, None for anything else."""
        kinds = {s.kind for s in self.structures}
        return self.structures[0].level if kinds and kinds <= {_BODY, _ARCH} else None

    @property
    def has_body(self) -> bool:
        """Whether a body is among what is drawn."""
        return any(s.kind is _BODY for s in self.structures)


def faults_of(known: Mapping[int, Named], unknown: Mapping[int, Piece]) -> list[Fault]:
    """What speaks against the scheme, each as a sentence.

    Parameters
    ----------
    known : values that the scheme gives a meaning
    unknown : values that it does not
    """
    vertebrae, twice = _vertebrae(known)
    vertebrae, specks = _without_specks(vertebrae)
    faults = [*_unknown(known, unknown), *twice, *specks]
    if not vertebrae:
        return [*faults, Fault("no value stands for a vertebra")]
    if len({level.is_relative for level in vertebrae}) > 1:
        return [*faults, Fault("true levels and relative ones (V1, V2 …) stand in one mask")]
    faults += [*_order(vertebrae), *_steps(vertebrae), *_sizes(vertebrae), *_sacrum(vertebrae, known)]
    return [*faults, *_discs(vertebrae, known), *_arches(vertebrae, known), *_canal(vertebrae, known)]


def specks_of(known: Mapping[int, Named]) -> frozenset[Level]:
    """Vertebrae of which there is next to nothing although the field of view does not cut them: never counted."""
    vertebrae, _ = _vertebrae(known)
    kept, _ = _without_specks(vertebrae)
    return frozenset(level for level, n in vertebrae.items() if level not in kept and not n.piece.at_end)


def _vertebrae(known: Mapping[int, Named]) -> tuple[dict[Level, Named], list[Fault]]:
    """Vertebrae with a body, head to foot, and those that two values stand for."""
    found: dict[Level, tuple[int, Named]] = {}
    faults = []
    for value, named in known.items():
        if named.level is None or not named.has_body:
            continue
        if named.level in found:
            faults.append(Fault(f"{named.level} is there twice, as {found[named.level][0]} and {value}"))
        found[named.level] = (value, named)
    return {level: found[level][1] for level in sorted(found, key=lambda v: v.rank)}, faults


def _without_specks(vertebrae: dict[Level, Named]) -> tuple[dict[Level, Named], list[Fault]]:
    """Vertebrae without those of which there is next to nothing; tools leave such specks behind."""
    usual = float(np.median([named.piece.volume_mm3 for named in vertebrae.values()])) if vertebrae else 0.0
    specks = {level: n for level, n in vertebrae.items() if n.piece.volume_mm3 < _SPECK * usual}
    told = [Fault(f"{level} is only {n.piece.voxels} voxels: a speck", fatal=False) for level, n in specks.items()]
    return {level: n for level, n in vertebrae.items() if level not in specks}, told


def _unknown(known: Mapping[int, Named], unknown: Mapping[int, Piece]) -> list[Fault]:
    lost = sum(piece.voxels for piece in unknown.values())
    share = lost / max(1, lost + sum(named.piece.voxels for named in known.values()))
    if share <= _MOST_UNKNOWN:
        return []
    return [Fault(f"{100 * share:.0f} % of the labelled voxels have values that the scheme does not know")]


def _order(vertebrae: dict[Level, Named]) -> list[Fault]:
    wrong = [
        f"{lower} lies above {upper}"
        for (upper, one), (lower, two) in pairwise(vertebrae.items())
        if two.piece.centre[2] >= one.piece.centre[2]
    ]
    return [Fault(f"{', '.join(wrong[:3])}{' …' if len(wrong) > 3 else ''}")] if wrong else []


def _expected_mm(upper: Level, lower: Level) -> float:
    """Usual distance between the centres of two vertebrae."""
    if upper.is_relative or "C1" in (upper.name, lower.name):
        return float("nan")
    names = list(_PITCH_MM)
    first, last = names.index(upper.name), names.index(lower.name)
    skipped = [n for n in names[first + 1 : last] if n not in ("T13", "L6")]
    if (upper.name, lower.name) in _VARIANTS:
        skipped = []
    return (_PITCH_MM[upper.name] + _PITCH_MM[lower.name]) / 2 + sum(_PITCH_MM[n] for n in skipped)


def _steps(vertebrae: dict[Level, Named]) -> list[Fault]:
    """Distances between vertebrae whose names follow each other, or leave some out."""
    faults, ratios = [], []
    for (upper, one), (lower, two) in pairwise(vertebrae.items()):
        distance, expected = float(np.linalg.norm(one.piece.centre - two.piece.centre)), _expected_mm(upper, lower)
        if np.isnan(expected) or one.piece.at_end or two.piece.at_end:
            continue
        ratios.append(distance / expected)
        low, high = _STEP[0] * expected - _STEP_SLACK_MM, _STEP[1] * expected + _STEP_SLACK_MM
        if not low <= distance <= high:
            faults.append(Fault(f"{upper} and {lower} are {distance:.0f} mm apart, usual are {expected:.0f} mm"))
    mean = float(np.exp(np.mean(np.log(ratios)))) if len(ratios) >= 2 else 1.0
    if not _MEAN_STEP[0] <= mean <= _MEAN_STEP[1]:
        first, last = next(iter(vertebrae)), next(reversed(vertebrae))
        faults.append(Fault(f"{first} to {last} lie {mean:.2f} times as far apart as vertebrae of these names do"))
    return faults


def _sizes(vertebrae: dict[Level, Named]) -> list[Fault]:
    faults = []
    for level, named in vertebrae.items():
        depth, tall = float(named.piece.size[1]), float(named.piece.size[2])
        if tall > _TALLEST_MM:
            faults.append(Fault(f"{level} is {tall:.0f} mm tall"))
        if len(named.structures) == 1 and depth > _DEEPEST_BODY_MM.get(level.region, _DEEPEST_MM):
            faults.append(Fault(f"the body of {level} is {depth:.0f} mm deep, as a whole vertebra is"))
    for beside in pairwise(vertebrae.items()):
        (small, a), (large, b) = sorted(beside, key=lambda pair: pair[1].piece.volume_mm3)
        ratio, limit = b.piece.volume_mm3 / a.piece.volume_mm3, _LARGER_CUT if b.piece.at_end else _LARGER
        if ratio > limit and not a.piece.at_end and "C2" not in (small.name, large.name):
            faults.append(Fault(f"{large} is {ratio:.1f} times as large as {small} beside it"))
    return faults


def _sacrum(vertebrae: dict[Level, Named], known: Mapping[int, Named]) -> list[Fault]:
    """The sacrum lies below L5 (or L4, L6) and is the largest bone of all."""
    groups = [n for n in known.values() if n.structures and n.structures[0].kind is StructureKind.SACRUM]
    if not groups:
        return []
    lowest, above = next(reversed(vertebrae.items()))
    faults = []
    if min(n.piece.centre[2] for n in groups) >= above.piece.centre[2]:
        faults.append(Fault(f"the sacrum lies above {lowest}"))
    gap = above.piece.low[2] - max(n.piece.high[2] for n in groups)
    if gap < _SACRUM_GAP_MM and lowest.name not in _SACRAL_NEIGHBOURS:
        faults.append(Fault(f"the sacrum lies directly below {lowest}", fatal=not lowest.is_relative))
    whole = any(len(n.structures) > 1 for n in groups) and not any(n.piece.at_end for n in groups)
    if whole and sum(n.piece.volume_mm3 for n in groups) < _LEAST_SACRUM * above.piece.volume_mm3:
        faults.append(Fault(f"the sacrum is no larger than {lowest}"))
    return faults


def _discs(vertebrae: dict[Level, Named], known: Mapping[int, Named]) -> list[Fault]:
    """Discs that do not lie between their two vertebrae, or have neither of them."""
    off, checked = [], 0
    for named in known.values():
        disc = named.structures[0] if named.structures else None
        if disc is None or disc.kind is not StructureKind.DISC or disc.level is None or disc.lower is None:
            continue
        checked += 1
        upper, lower = vertebrae.get(disc.level), vertebrae.get(disc.lower)
        z, reach = float(named.piece.centre[2]), _PITCH_MM.get(disc.level.name, 30.0)
        above = upper is None or 0 < upper.piece.centre[2] - z < reach
        under = lower is None or 0 < z - lower.piece.centre[2] < 1.2 * reach
        if not (above and under) or (upper is None and lower is None):
            off.append(disc.place)
    if len(off) <= _MOST_DISCS_OFF * checked:
        return [Fault(f"disc {place} does not lie between its vertebrae", fatal=False) for place in off]
    return [Fault(f"{len(off)} of {checked} discs do not lie between their vertebrae ({', '.join(off[:3])} …)")]


def _arches(vertebrae: dict[Level, Named], known: Mapping[int, Named]) -> list[Fault]:
    """Posterior elements drawn for themselves whose vertebra is not there."""
    alone = [n.level for n in known.values() if n.level is not None and not n.has_body and n.level.name != "C1"]
    lost = [level for level in alone if level not in vertebrae]
    if len(lost) <= max(2, len(alone) / 2):
        return []
    return [Fault(f"{len(lost)} of {len(alone)} levels have posterior elements without a body ({lost[0]} …)")]


def _canal(vertebrae: dict[Level, Named], known: Mapping[int, Named]) -> list[Fault]:
    column = max(n.piece.high[2] for n in vertebrae.values()) - min(n.piece.low[2] for n in vertebrae.values())
    limits = {StructureKind.THECAL_SAC: _WIDEST_CANAL_MM2, StructureKind.CORD: _WIDEST_CORD_MM2}
    faults = []
    for named in known.values():
        kind = named.structures[0].kind if named.structures else None
        if kind not in limits:
            continue
        length = max(float(named.piece.size[2]), 1.0)
        word = "canal" if kind is StructureKind.THECAL_SAC else "cord"
        if named.piece.volume_mm3 / length > limits[kind]:
            faults.append(Fault(f"the {word} has a section of {named.piece.volume_mm3 / length:.0f} mm²"))
        if kind is StructureKind.THECAL_SAC and length < _LEAST_CANAL * column:
            faults.append(Fault(f"the canal is {length:.0f} mm long beside a column of {column:.0f} mm"))
    return faults
