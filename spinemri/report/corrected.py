"""Masks that a person gave back, in sentences: how much differs, which structures, which names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.language import number
from spinemri.report.phrases import reviewed_phrases as words
from spinemri.report.sentences import Sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spinemri.correction import CorrectedMask, StructureChange

_MOST = 8  # structures that are named; report.json holds all


def corrected_masks(corrections: Sequence[CorrectedMask]) -> Iterator[Sentence]:
    """Sentences on every mask that was given back; volumes in ml."""
    for one in corrections:
        if one.is_unchanged:
            yield Sentence(words.MASK_UNCHANGED.format(series=one.series))
            continue
        parts = {name: _ml(getattr(one, name), one) for name in ("added", "removed", "relabelled")}
        yield Sentence(words.MASK.format(series=one.series, **parts), tone="abnormal")
        if one.renamed:
            items = ", ".join(words.RENAMED.format(was=was, now=now) for was, now in one.renamed)
            yield Sentence(words.MASK_RENAMED.format(series=one.series, items=items), tone="abnormal")
        if one.structures:
            yield Sentence(words.MASK_STRUCTURES.format(items=_structures(one)))


def _structures(one: CorrectedMask) -> str:
    """The structures that differ, least alike first."""
    ordered = sorted(one.structures, key=lambda change: change.dice)
    told = [_structure(change, one) for change in ordered[:_MOST]]
    rest = len(ordered) - _MOST
    return "; ".join([*told, words.MASK_MORE.format(count=rest)] if rest > 0 else told)


def _structure(change: StructureChange, one: CorrectedMask) -> str:
    return words.MASK_STRUCTURE.format(
        place=f"{change.place} " if change.place else "",
        kind=words["MASK_KINDS"][change.kind.value],
        before=_ml(change.before, one),
        after=_ml(change.after, one),
        dice=number(change.dice, ".3f"),
    )


def _ml(voxels: int, one: CorrectedMask) -> str:
    return number(voxels * one.voxel_mm3 / 1000, ".2f")
