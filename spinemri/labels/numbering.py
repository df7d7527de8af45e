"""Levels of vertebrae that a scheme only counts, the user's word on one of them, and discs of numbering variants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import InputError
from spinemri.labels.plausible import Named, specks_of
from spinemri.labels.schemes import counted, levels_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from spinemri.labels.pieces import Piece
    from spinemri.labels.schemes import Scheme

    Anchor = tuple[int, Level]

_LADDER = levels_of("C1-7", "T1-12", "L1-5")
_S1 = Level("S1")
_VARIANT_BELOW = {"T12": "T13", "L5": "L6", "T11": "L1", "L4": "S1"}


def with_levels(scheme: Scheme, pieces: Mapping[int, Piece], anchor: Anchor | None, where: str) -> Scheme:
    """The scheme with a level for every number.

    Parameters
    ----------
    pieces : the values of the mask
    anchor : (n, level), the n-th body from the bottom is that level, a sacrum's S1 counted: compared with the scheme's
        names, or where the count of a scheme without names starts
    where : file and scheme, for messages

    Raises
    ------
    InputError
        The scheme only counts and there is no anchor, or the anchor does not fit the mask.
    """
    if scheme.counts:
        partial = {n - 100 for n in scheme.partial & pieces.keys()}
        numbers = sorted({n for n in pieces if 1 <= n <= 25} | partial, reverse=scheme.counts == "up")
        if anchor is None and not scheme.table.keys() & set(range(1, 26)):
            raise InputError(
                f"{where}: its numbers count vertebrae from the top and name no level; say which level one of them has "
                "(--anchor L5=2: the second from the bottom is L5, a sacrum counted as the first), or name "
                "spineps-veridah if VERIDAH has labelled them"
            )
        sacral = any(_is_sacrum(scheme, value) for value in pieces)
        return scheme if anchor is None else counted(scheme, _counted(numbers, anchor, where, sacral=sacral))
    if anchor is not None:
        _check_anchor(scheme, pieces, anchor, where)
    return scheme


def _is_sacrum(scheme: Scheme, value: int) -> bool:
    """Whether a value stands for the sacrum with S1."""
    return Structure(StructureKind.VERTEBRAL_BODY, _S1) in scheme.table.get(value, ())


def _counted(numbers: list[int], anchor: Anchor, where: str, *, sacral: bool) -> dict[int, Level]:
    """Level of each number (head to foot) when the n-th from the bottom has a known one; L6 and T13 only there."""
    index, level = (2, Level("L5")) if sacral and anchor == (1, _S1) else anchor
    index -= int(sacral)
    if not 1 <= index <= len(numbers) or level.region == "S":
        counted_too = " above the sacrum, which is the first" if sacral else ""
        raise InputError(f"{where}: anchor {anchor[1]}={anchor[0]} fits none of {len(numbers)} vertebrae{counted_too}")
    start = numbers[-index]
    above = {"L6": "L5", "T13": "T12"}.get(level.name)
    place = _LADDER.index(Level(above)) + 1 if above else _LADDER.index(level)
    found = {}
    for number in numbers:
        step = abs(number - start) * (1 if numbers.index(number) > numbers.index(start) else -1)
        at = place + step - (1 if above and step > 0 else 0)
        if not 0 <= at < len(_LADDER) and step:
            raise InputError(f"{where}: anchor {anchor[1]}={anchor[0]} puts vertebrae beyond C1 or L5")
        found[number] = level if step == 0 else _LADDER[at]
    return found


def _check_anchor(scheme: Scheme, pieces: Mapping[int, Piece], anchor: Anchor, where: str) -> None:
    index, level = anchor
    known = {value: Named(scheme.table[value], piece) for value, piece in pieces.items() if value in scheme.table}
    levels = {n.level for n in known.values() if n.level and n.has_body} - specks_of(known)
    levels |= {_S1} if any(_is_sacrum(scheme, value) for value in pieces) else set()
    shown = sorted(levels, key=lambda v: v.rank)
    found = shown[-index] if 1 <= index <= len(shown) else None
    if found != level:
        raise InputError(f"{where}: anchor {level}={index}, but that vertebra is {found or 'not there'} in the mask")


def disc_among(group: tuple[Structure, ...], levels: Collection[Level]) -> Structure:
    """A disc with the neighbours that it has in this spine: L6 and T13 there, T12 or L5 not there."""
    disc = next((s for s in reversed(group) if s.level in levels), group[0])
    if disc.level is None or len(group) > 1:
        return disc
    variant = Level(_VARIANT_BELOW.get(disc.level.name, disc.level.name))
    shown = variant in levels and variant != disc.level
    grown = variant.name in ("T13", "L6") or disc.lower not in levels
    return Structure(StructureKind.DISC, disc.level, variant) if shown and grown else disc
