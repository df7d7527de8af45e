"""What the numbers in masks of other tools mean: one table per scheme.

The schemes overlap (41 is L1 to one tool, an arch to another), so the user names the scheme and nothing is guessed.
A vertebra drawn as a whole means two structures, its body and its posterior elements. Numbers that a scheme defines but
spinemri has no use for stand in the table without a structure. T13 and L6 keep classes of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import InputError, quoted
from spinemri.segmentation import label_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Table = dict[int, tuple[Structure, ...]]

OWN = "spinemri"
"""The scheme of spinemri's own masks."""

_BODY, _ARCH, _DISC = StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS, StructureKind.DISC
_SAC, _CORD = Structure(StructureKind.THECAL_SAC), Structure(StructureKind.CORD)
_S1 = Level("S1")
_SACRUM = (Structure(StructureKind.SACRUM), Structure(_BODY, _S1), Structure(_ARCH, _S1))
_CANAL_NOTE = "its spinal canal is taken for the thecal sac; fat around the sac may count as sac"


@dataclass(frozen=True)
class Scheme:
    """One way to number the structures of the spine.

    Parameters
    ----------
    name : as the user types it
    table : value -> what is drawn under it; the first structure is what is read, except that body and posterior
        elements of one level are a whole vertebra, to be parted; none: defined, but of no use here
    partial : values of vertebrae that the field of view cuts
    counts : 'down' or 'up' when vertebrae are only counted in that direction; '' when the numbers are names
    refusal : why masks of this scheme cannot be used, and what to do instead; empty when they can
    notes : what every user of such a mask is told
    canal_note : what is told when the mask shows the canal
    """

    name: str
    table: Mapping[int, tuple[Structure, ...]]
    partial: frozenset[int] = frozenset()
    counts: str = ""
    refusal: str = ""
    notes: tuple[str, ...] = ()
    canal_note: str = ""


def levels_of(*regions: str) -> tuple[Level, ...]:
    """Levels head to foot from ranges such as 'C1-7'."""
    return tuple(
        Level(f"{r[0]}{n}") for r in regions for n in range(int(r[1:].split("-")[0]), int(r[1:].split("-")[-1]) + 1)
    )


def below(level: Level) -> Level:
    """The level below in a spine without numbering variants; S1 below L5 and L6, L1 below T12 and T13."""
    following = {"C7": "T1", "T12": "L1", "T13": "L1", "L5": "S1", "L6": "S1"}
    return Level(following.get(level.name, f"{level.region}{level.number + 1}"))


def _vertebrae(numbered: Mapping[int, Level], base: int = 0) -> Table:
    """Whole vertebrae; C1 has no body."""
    return {
        n + base: (Structure(_ARCH, v),) if v.name == "C1" else (Structure(_BODY, v), Structure(_ARCH, v))
        for n, v in numbered.items()
    }


def _discs(numbered: Mapping[int, Level], base: int) -> Table:
    """The disc below each numbered vertebra; there is none below C1."""
    return {n + base: (Structure(_DISC, v, below(v)),) for n, v in numbered.items() if v.name != "C1"}


def _unused(values: Iterable[int]) -> Table:
    return dict.fromkeys(values, ())


_STANDARD = levels_of("C1-7", "T1-12", "L1-5")
_TPTBOX = {**dict(enumerate(levels_of("C1-7", "T1-12", "L1-6"), start=1)), 28: Level("T13")}
_TOTALSPINESEG = {
    n: v
    for first, levels in ((11, levels_of("C1-7")), (21, levels_of("T1-12")), (41, levels_of("L1-6")))
    for n, v in enumerate(levels, start=first)
}


def _totalspineseg_discs() -> Table:
    """A disc's number is 50 + that of the vertebra below it; 100 lies on the sacrum, below L5 or L6."""
    names = list(_TOTALSPINESEG.items())
    table: Table = {50 + n: (Structure(_DISC, above, v),) for (_, above), (n, v) in pairwise(names)}
    del table[62]  # there is no disc between C1 and C2
    on_sacrum = tuple(Structure(_DISC, Level(name), _S1) for name in ("L5", "L6"))
    return {**table, 100: on_sacrum}


def _totalspineseg(name: str, vertebrae: Table, refusal: str = "") -> Scheme:
    """TotalSpineSeg, commit ddab04b of 2026-05-06, resources/labels_maps; sizes 11 C1 … 50 sacrum.

    Trap: in the output of step 1, 50 is every vertebra and the sacrum in one.
    """
    table = {1: (_CORD,), 2: (_SAC, _CORD), **vertebrae, **_totalspineseg_discs()}
    return Scheme(name, table, refusal=refusal, canal_note=_CANAL_NOTE)


def _spineps(name: str, numbered: Mapping[int, Level], counts: str = "") -> Scheme:
    """SPINEPS / TPTBox seg-vert, commit 60cc736 of 2026-06-10: + 100 the disc below, + 200 the endplates.

    Trap: without VERIDAH the numbers only count from the top. The second file, seg-spine, is not read.
    """
    unused = _unused((27, *range(126, 134), *range(201, 234)))
    sacrum = {26: _SACRUM, **dict.fromkeys(range(29, 34), _SACRUM[:1])}
    return Scheme(name, {**unused, **sacrum, **_vertebrae(numbered), **_discs(numbered, 100)}, counts=counts)


def _spider(name: str, numbered: Mapping[int, Level], counts: str = "", notes: tuple[str, ...] = ()) -> Scheme:
    """SPIDER (van der Graaf, Sci Data 2024): + 100 a partly visible vertebra, + 200 the disc below, 100 the canal.

    Trap: the data set counts from the bottom (1 is L5), the algorithm's description from the top (24 is L5).
    """
    table = {**_vertebrae(numbered), **_vertebrae(numbered, 100), **_discs(numbered, 200), 100: (_SAC, _CORD)}
    return Scheme(name, table, frozenset(n + 100 for n in numbered), counts, notes=notes, canal_note=_CANAL_NOTE)


def _verse() -> Scheme:
    """VerSe (Sekuboyina, Med Image Anal 2021), commit 02b292b: vertebrae only; 26 and 27 are named but not drawn."""
    return Scheme("verse", {**_vertebrae(_TPTBOX), 26: _SACRUM, 27: ()})


def _totalsegmentator() -> Scheme:
    """TotalSegmentator 2.18, task vertebrae_mr: 1 sacrum, 2 L5 … 25 C1. Trap: counts up; no T13, no L6."""
    numbered = dict(enumerate(reversed(_STANDARD), start=2))
    return Scheme("totalsegmentator-vertebrae-mr", {1: _SACRUM, **_vertebrae(numbered)})


def _totalsegmentator_total() -> Scheme:
    """TotalSegmentator 2.18, task total_mr: 18 sacrum, 19 every vertebra in one, 20 every disc, 21 cord."""
    refusal = "19 is every vertebra in one, without levels; use the output of the task vertebrae_mr instead"
    return Scheme("totalsegmentator-total-mr", {18: _SACRUM, 19: (), 20: (), 21: (_CORD,)}, refusal=refusal)


def _sct_discs() -> Scheme:
    """SCT disc points (v7.3): 1 top of C1, 3 C2-C3 … 25 L5-S1. Trap: point n is the upper edge of vertebra n."""
    refusal = "points on discs are no masks, nothing can be measured on them; name a level with --anchor L5=2 instead"
    discs = {n + 1: (Structure(_DISC, v, below(v)),) for n, v in enumerate(_STANDARD, start=1) if v.name != "C1"}
    return Scheme("sct-discs", {**discs, **_unused((1, 2, 49, 50, 60))}, refusal=refusal)


def _own() -> Scheme:
    """What spinemri writes, ``spinemri.segmentation.label_value``: bodies and posterior elements apart."""
    true = levels_of("C1-7", "T1-13", "L1-6", "S1-1")
    relative = levels_of("V1-30")
    structures = [_SAC, _CORD, _SACRUM[0], *(Structure(_BODY, v) for v in (*true, *relative))]
    structures += [Structure(_ARCH, v) for v in (*true, *relative)]
    structures += [Structure(_DISC, v, below(v)) for v in true if v.region != "S"]
    structures += [Structure(_DISC, v, below(v)) for v in relative[:-1]]
    return Scheme(OWN, {label_value(s): (s,) for s in structures})


_STEP1_REFUSAL = "50 is every vertebra and the sacrum in one, without levels; use step2_output of the same run instead"
_LOWEST_IS_L5 = "vertebrae are counted from the bottom and the lowest is taken for L5, as in the data set"
_FROM_BOTTOM = dict(enumerate(reversed(_STANDARD), start=1))

SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        _totalspineseg("totalspineseg-step1", {11: (Structure(_ARCH, Level("C1")),), 50: ()}, _STEP1_REFUSAL),
        _totalspineseg("totalspineseg-step2", {**_vertebrae(_TOTALSPINESEG), 50: _SACRUM}),
        _spineps("spineps", {}, "down"),
        _spineps("spineps-veridah", _TPTBOX),
        _totalsegmentator(),
        _totalsegmentator_total(),
        _spider("spider-dataset", _FROM_BOTTOM, "up", (_LOWEST_IS_L5,)),
        _spider("spider-algorithm", dict(enumerate(_STANDARD, start=1))),
        _verse(),
        _sct_discs(),
        _own(),
    )
}
"""Name as the user types it -> table."""


def scheme_named(name: str) -> Scheme:
    """The scheme of this name. Raises InputError for an unknown one."""
    if name not in SCHEMES:
        raise InputError(f"label scheme {quoted(name)}: expected one of {', '.join(SCHEMES)}")
    return SCHEMES[name]


def counted(scheme: Scheme, numbered: Mapping[int, Level]) -> Scheme:
    """A scheme that only counts, with the level of each number."""
    make = {"spineps": _spineps, "spider-dataset": _spider}[scheme.name]
    return make(scheme.name, numbered, scheme.counts)
