"""From a mask of another tool to a ``Segmentation`` with named levels.

The scheme's names are taken as they are: T13 and L6 stay, partly visible vertebrae are kept and marked as cut, values
that the scheme does not know are told with their number of voxels. A mask that is no spine under its scheme is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import InputError
from spinemri.labels.numbering import disc_among, with_levels
from spinemri.labels.parting import part
from spinemri.labels.pieces import pieces_of
from spinemri.labels.plausible import Named, faults_of, specks_of
from spinemri.labels.sacrum import first_sacral
from spinemri.labels.schemes import scheme_named
from spinemri.segmentation import Segmentation, label_value
from spinemri.spine import LevelAssignment, LevelBasis

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.labels.pieces import Piece

    Anchor = tuple[int, Level]

_BODY, _DISC = StructureKind.VERTEBRAL_BODY, StructureKind.DISC
_SAC = (Structure(StructureKind.THECAL_SAC),)
_ANY = Level("C1")
_S1 = (Structure(_BODY, Level("S1")),)
_MAX_LABEL = 2**31 - 1
_LEAST_BODY = 0.15  # of the larger neighbour
_CANAL = (StructureKind.THECAL_SAC, StructureKind.CORD)


@dataclass(frozen=True, eq=False)
class ForeignLabels:
    """A mask of another tool as spinemri's.

    Parameters
    ----------
    segmentation : on the grid of the mask; ``made_by`` names scheme and file
    assignments : the vertebrae that have a body, head to foot
    scheme : name of the scheme
    numbering_verified : whether the user named the level of one vertebra, and the mask agrees or was counted from it
    unknown : values without a meaning in the scheme -> number of voxels
    warnings : one line each, about this mask
    """

    segmentation: Segmentation
    assignments: tuple[LevelAssignment, ...]
    scheme: str
    numbering_verified: bool
    unknown: Mapping[int, int]
    warnings: tuple[str, ...]


def from_labels(labels: Image, scheme: str, *, name: str = "labels", anchor: Anchor | None = None) -> ForeignLabels:
    """What a mask shows under a scheme.

    Parameters
    ----------
    labels : whole numbers, 0 is background
    scheme : name of the scheme; nothing is guessed
    name : of the file, for messages
    anchor : what the user says: (n, level), the n-th vertebra from the bottom of the mask is that level

    Raises
    ------
    InputError
        The scheme is unknown or cannot be used, it only counts and nothing anchors the count, the anchor contradicts
        the mask, the values are no whole numbers, or what they show is no spine.
    """
    table = scheme_named(scheme)
    where = f"labels {name}, scheme {scheme}"
    if table.refusal:
        raise InputError(f"{where}: {table.refusal}")
    voxels = whole_numbers(labels, where)
    pieces = pieces_of(voxels, labels.geometry)
    table = with_levels(table, pieces, anchor, where)
    known = {value: Named(table.table[value], piece) for value, piece in pieces.items() if value in table.table}
    unknown = {value: piece for value, piece in pieces.items() if value not in table.table}
    faults = faults_of(known, unknown)
    if fatal := [fault.text for fault in faults if fault.fatal]:
        raise InputError(f"{where}: this is no spine under that scheme ({'; '.join(fatal[:3])}); is the name right?")
    groups = {value: named.structures for value, named in known.items()}
    segmentation, unparted = _segmentation(voxels, labels, groups, table.partial, _levels(known))
    canal = [table.canal_note] if any(n.structures[:1] == _SAC for n in known.values()) and table.canal_note else []
    told = [*labels.warnings, *table.notes, *canal, *(f.text for f in faults), *_told(known, unknown), *unparted]
    return ForeignLabels(
        replace(segmentation, made_by=f"{scheme} {name}"),
        _assignments(segmentation),
        scheme,
        numbering_verified=anchor is not None,
        unknown={value: piece.voxels for value, piece in unknown.items()},
        warnings=tuple(told),
    )


def whole_numbers(labels: Image, where: str) -> NDArray[np.int32]:
    """The values of a mask. Raises InputError for anything but whole numbers from 0; ``where`` names the file."""
    voxels = np.asarray(labels.voxels, dtype=np.float64)
    whole = np.rint(voxels)
    if np.abs(voxels - whole).max() > 1e-3 or whole.min() < 0 or whole.max() > _MAX_LABEL:
        raise InputError(f"{where}: values from {voxels.min():g} to {voxels.max():g}; expected whole numbers from 0")
    return whole.astype(np.int32)


def _levels(known: Mapping[int, Named]) -> set[Level]:
    """Levels that the mask shows, which decide between the names of a disc; S1 with its sacrum, no specks."""
    specks = specks_of(known)
    shown = {n.level for n in known.values() if n.level and n.level not in specks}
    discs = {s.level for n in known.values() for s in n.structures[:1] if s.level and s.kind is _DISC}
    sacral = {s.level for n in known.values() for s in _S1 if s.level and n.structures[1:2] == _S1}
    return shown | discs | sacral


def _segmentation(
    voxels: NDArray[np.int32],
    labels: Image,
    known: Mapping[int, tuple[Structure, ...]],
    partial: Collection[int],
    levels: Collection[Level],
) -> tuple[Segmentation, list[str]]:
    whole = [value for value, group in known.items() if len(group) > 1 and group[0].kind is _BODY]
    canal = np.isin(voxels, [v for v, g in known.items() if g and g[0].kind in _CANAL])
    bodies = _bodies(voxels, labels, sorted(whole, key=lambda v: known[v][0].level or _ANY), canal)
    out = np.zeros(voxels.shape, dtype=np.uint8)
    structures: dict[int, Structure] = {}

    def put(mask: NDArray[np.bool_], structure: Structure) -> None:
        if mask.any():
            out[mask] = label_value(structure)
            structures[label_value(structure)] = structure

    for value, group in known.items():
        mask = voxels == value
        if value in whole:
            put(mask, group[1])
            put(bodies.get(value, np.zeros_like(mask)), group[0])
        elif group:
            put(mask, disc_among(group, levels) if group[0].kind is _DISC else group[0])
    for value in (v for v, group in known.items() if group[1:2] == _S1):
        above = [body for n, body in bodies.items() if (known[n][0].level or _ANY).region == "L"][-2:]
        body = first_sacral(voxels == value, (above[0], above[1]), labels.geometry) if len(above) == 2 else None
        put(np.zeros_like(out, dtype=bool) if body is None else body, _S1[0])
    sacral = any(group[1:2] == _S1 for group in known.values()) and label_value(_S1[0]) not in structures
    lost = [known[value][0].level for value in whole if value not in bodies]
    told = [f"{level}: body and arch cannot be told apart; the body is not measured" for level in lost]
    told += ["S1: its upper endplate cannot be followed in the sacrum; the body is not measured"] if sacral else []
    made = Segmentation(out, labels.geometry, structures, labels.series.series_uid, "")
    marked = {group[0] for value, group in known.items() if value in partial} & set(structures.values())
    return replace(made, cut=frozenset(marked) | cut_bodies(made)), told


def _bodies(
    voxels: NDArray[np.int32], labels: Image, values: list[int], canal: NDArray[np.bool_]
) -> dict[int, NDArray[np.bool_]]:
    """Bodies of whole vertebrae (head to foot); much less than beside it is the tip of an arch at the field's end."""
    found = {value: part(voxels == value, labels.geometry, canal if canal.any() else None) for value in values}
    sizes = [0 if (body := found[value]) is None else np.count_nonzero(body) for value in values]
    beside = [max(sizes[max(n - 1, 0) : n + 2]) for n in range(len(sizes))]
    kept = [v for v, size, largest in zip(values, sizes, beside, strict=True) if size > _LEAST_BODY * largest]
    return {value: body for value in kept if (body := found[value]) is not None}


def cut_bodies(segmentation: Segmentation) -> frozenset[Structure]:
    """Bodies that reach the first or last voxel of the grid up, down, in front or behind."""
    grid = segmentation.geometry
    ends = [
        np.take(segmentation.voxels, (0, grid.shape[axis] - 1), axis=axis)
        for axis in (grid.axis_along(1), grid.axis_along(2))
    ]
    counts = np.sum([np.bincount(end.ravel(), minlength=256) for end in ends], axis=0)
    return frozenset(s for v, s in segmentation.structures.items() if s.kind is _BODY and counts[v] > 1)


def _assignments(segmentation: Segmentation) -> tuple[LevelAssignment, ...]:
    """Names rest on the user, who gave the mask and its scheme."""
    levels = [body.level for body in segmentation.of_kind(_BODY) if body.level]
    return tuple(LevelAssignment(level=level, basis=LevelBasis.USER, confidence=1.0) for level in levels)


def _told(known: Mapping[int, Named], unknown: Mapping[int, Piece]) -> list[str]:
    unused = {value: named.piece for value, named in known.items() if not named.structures}
    kinds = (("that the scheme does not know", unknown), ("of no use here", unused))
    return [
        f"values {what} are left out: {', '.join(f'{v} ({piece.voxels} voxels)' for v, piece in pieces.items())}"
        for what, pieces in kinds
        if pieces
    ]
