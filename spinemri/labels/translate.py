"""From the numbers of one scheme to those of another, with what is lost on the way.

Values are exchanged for values wherever the other scheme draws the same under one of its own, so that a whole vertebra
stays whole. Only spinemri's own scheme needs it parted into body and posterior elements, which is an estimate and is
told as one. Nothing is lost silently: what both masks show of each voxel is compared at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.errors import InputError
from spinemri.labels.convert import from_labels, whole_numbers
from spinemri.labels.export import named_levels, numbered_for, value_of
from spinemri.labels.schemes import OWN, scheme_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.anatomy import Structure
    from spinemri.image import Image
    from spinemri.labels.convert import Anchor, ForeignLabels
    from spinemri.labels.schemes import Scheme

    Pairs = dict[tuple[int, int], int]

_VERTEBRA = (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)


class LossKind(StrEnum):
    """What happened to voxels that mean less, or something else, than before."""

    UNKNOWN = "unknown"
    UNUSED = "unused"
    NO_NUMBER = "no_number"
    MERGED = "merged"
    NARROWED = "narrowed"
    WIDENED = "widened"
    PARTED = "parted"
    NOT_PARTED = "not_parted"
    CUT_MARK = "cut_mark"
    LEVEL_NAME = "level_name"


SAID = {
    LossKind.UNKNOWN: "left out: the scheme does not know the value",
    LossKind.UNUSED: "left out: a value without a use here",
    LossKind.NO_NUMBER: "left out: the other scheme has no number for it",
    LossKind.MERGED: "one number for what had several",
    LossKind.NARROWED: "one structure stands for what was drawn as several",
    LossKind.WIDENED: "a part stands under the number of the whole: what is not drawn seems not to be there",
    LossKind.PARTED: "parted by a rule: an estimate",
    LossKind.NOT_PARTED: "could not be parted: all of it is posterior elements now",
    LossKind.CUT_MARK: "no longer marked as partly visible",
    LossKind.LEVEL_NAME: "the other scheme only counts: the level's name is not in the file",
}
"""What each kind of loss means, for people."""


@dataclass(frozen=True)
class Loss:
    """Voxels that lost something.

    Parameters
    ----------
    kind : what happened
    values : in the mask that was read
    numbers : in the mask that is written; none where they are left out
    structures : what the values stand for; none where nobody knows
    levels : of these structures
    voxels : how many
    """

    kind: LossKind
    values: tuple[int, ...]
    numbers: tuple[int, ...]
    structures: tuple[str, ...]
    levels: tuple[str, ...]
    voxels: int


@dataclass(frozen=True, eq=False)
class Translation:
    """A mask in another scheme.

    Parameters
    ----------
    voxels : (k, j, i) uint16 on the grid of the mask that was read
    labelled : voxels of the mask that was read that are not background
    losses : what is lost; none when the other scheme says all of it
    warnings : one line each, about the mask that was read
    """

    voxels: NDArray[np.uint16]
    labelled: int
    losses: tuple[Loss, ...]
    warnings: tuple[str, ...]


def translate(
    labels: Image, source: str, target: str, *, name: str = "labels", anchor: Anchor | None = None
) -> Translation:
    """A mask of one scheme in the numbers of another.

    Parameters
    ----------
    labels : whole numbers, 0 is background
    source, target : names of schemes
    name : of the file, for messages
    anchor : (n, level), the n-th vertebra from the bottom is that level; needed where ``source`` only counts

    Raises
    ------
    InputError
        As ``from_labels``; or masks cannot be written in ``target``.
    """
    wanted = scheme_named(target)
    if wanted.refusal:
        raise InputError(f"scheme {target} is none to write in: {wanted.refusal.partition(';')[0]}")
    read = from_labels(labels, source, name=name, anchor=anchor, partial=True)
    voxels = whole_numbers(labels, name)
    if target == source:
        found = np.where(np.isin(voxels, list(read.meanings)), voxels, 0)
    elif target == OWN:
        found = read.segmentation.voxels
    else:
        found = _exchanged(voxels, read, scheme_named(source), wanted)
    found = np.asarray(found, dtype=np.uint16)
    losses = () if target == source and not read.unknown else _losses(voxels, found, read, wanted, source)
    return Translation(found, int(np.count_nonzero(voxels)), tuple(losses), read.warnings)


def _exchanged(voxels: NDArray[np.int32], read: ForeignLabels, source: Scheme, target: Scheme) -> NDArray[np.uint16]:
    """Every value for the number under which the other scheme draws it first; 0 where there is none."""
    levels = named_levels(read.segmentation)
    table = numbered_for(target, levels)
    marked = {table.table[value][0]: value for value in table.partial}
    found = np.zeros(voxels.shape, dtype=np.uint16)
    for value, group in read.meanings.items():
        if not group:
            continue
        number = marked.get(group[0]) if value in source.partial else None
        found[voxels == value] = number or value_of(group[0], table, levels) or 0
    return found


def _losses(
    voxels: NDArray[np.int32], found: NDArray[np.uint16], read: ForeignLabels, target: Scheme, source: str
) -> list[Loss]:
    pairs = _pairs(voxels, found)
    numbers: dict[int, tuple[int, ...]] = {}
    for value, number in pairs:
        numbers[value] = (*numbers.get(value, ()), *([number] if number else []))
    losses = [_left_out(value, read.meanings, pairs[value, 0]) for value, into in numbers.items() if not into]
    if target.name == source:
        return [loss for loss in losses if loss.kind is LossKind.UNKNOWN]
    table = numbered_for(target, named_levels(read.segmentation)).table
    losses += [*_merged(pairs, read.meanings), *_widened(pairs, read.meanings, table)]
    for value, into in numbers.items():
        if into and (kind := _change(into, read.meanings[value], table)):
            losses.append(_loss(kind, (value,), into, read.meanings, sum(pairs[value, n] for n in into)))
        if into and value in scheme_named(source).partial and not set(into) & target.partial:
            losses.append(_loss(LossKind.CUT_MARK, (value,), into, read.meanings, sum(pairs[value, n] for n in into)))
    return [*losses, *_unnamed(pairs, read.meanings, target)]


def _pairs(voxels: NDArray[np.int32], found: NDArray[np.uint16]) -> Pairs:
    """(value before, number after) -> voxels, background before left out."""
    inside = voxels > 0
    both, counts = np.unique(np.stack([voxels[inside], found[inside]]), axis=1, return_counts=True)
    return {(int(v), int(n)): int(c) for (v, n), c in zip(both.T, counts, strict=True)}


def _left_out(value: int, meanings: Mapping[int, tuple[Structure, ...]], voxels: int) -> Loss:
    known = LossKind.NO_NUMBER if meanings.get(value) else LossKind.UNUSED
    kind = known if value in meanings else LossKind.UNKNOWN
    return _loss(kind, (value,), (), meanings, voxels)


def _merged(pairs: Pairs, meanings: Mapping[int, tuple[Structure, ...]]) -> list[Loss]:
    """Numbers that stand for what had several values; a vertebra that is parted gives one to each part."""
    return [
        _loss(LossKind.MERGED, tuple(values), (number,), meanings, sum(pairs[v, number] for v in values))
        for number, values in _by_number(pairs).items()
        if len(values) > 1
    ]


def _widened(
    pairs: Pairs, meanings: Mapping[int, tuple[Structure, ...]], table: Mapping[int, tuple[Structure, ...]]
) -> list[Loss]:
    """Numbers that mean more than the mask shows, such as a whole vertebra for its body alone."""
    apart = {group[0] for group in table.values() if group}
    found = []
    for number, values in _by_number(pairs).items():
        group = table.get(number, ())
        shown = {s for value in values for s in meanings.get(value, ())}
        if group and group[0].kind is not StructureKind.DISC and set(group) - shown - (apart - {group[0]}):
            found.append(
                _loss(LossKind.WIDENED, tuple(values), (number,), meanings, sum(pairs[v, number] for v in values))
            )
    return found


def _by_number(pairs: Pairs) -> dict[int, list[int]]:
    """Number -> the values that became it; what is left out has none."""
    found: dict[int, list[int]] = {}
    for value, number in pairs:
        if number:
            found.setdefault(number, []).append(value)
    return found


def _change(
    into: tuple[int, ...], group: tuple[Structure, ...], table: Mapping[int, tuple[Structure, ...]]
) -> LossKind | None:
    """How one value changed beside others that share its number."""
    if len(into) > 1:
        return LossKind.PARTED
    drawn = {s for number in into for s in table.get(number, ())}
    if len(group) < 2 or set(group) <= drawn:
        return None
    return LossKind.NOT_PARTED if {s.kind for s in group} & set(_VERTEBRA) else LossKind.NARROWED


def _unnamed(pairs: Pairs, meanings: Mapping[int, tuple[Structure, ...]], target: Scheme) -> list[Loss]:
    """Vertebrae and discs whose level a reader of the other scheme takes for another, or cannot tell."""
    found = []
    for (value, number), voxels in pairs.items():
        group = meanings.get(value, ())
        if not target.counts or not number or not group or group[0].level is None or group[0].level.name == "S1":
            continue
        usual = target.table.get(number, ())
        if not usual or (usual[0].kind, usual[0].level) != (group[0].kind, group[0].level):
            found.append(_loss(LossKind.LEVEL_NAME, (value,), (number,), meanings, voxels))
    return found


def _loss(
    kind: LossKind,
    values: tuple[int, ...],
    numbers: tuple[int, ...],
    meanings: Mapping[int, tuple[Structure, ...]],
    voxels: int,
) -> Loss:
    structures = [s for value in values for s in meanings.get(value, ())]
    levels = {s.level for s in structures if s.level is not None}
    ordered = tuple(str(level) for level in sorted(levels, key=lambda v: v.rank))
    return Loss(kind, values, numbers, tuple(dict.fromkeys(map(str, structures))), ordered, voxels)
