"""A labelled volume: which voxel belongs to which anatomical structure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Structure, StructureKind
from spinemri.errors import GeometryError
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.geometry import Geometry

_BASE = {
    StructureKind.VERTEBRAL_BODY: 0,
    StructureKind.POSTERIOR_ELEMENTS: 40,
    StructureKind.DISC: 80,
    StructureKind.THECAL_SAC: 120,
    StructureKind.CORD: 121,
    StructureKind.SACRUM: 122,
}
_RELATIVE = 130  # relative levels: bodies 131…, posterior elements 171…, discs 211…


def label_value(structure: Structure) -> int:
    """Voxel value (1 to 255) that spinemri writes for a structure.

    Bodies C1-C7 = 1-7, T1-T13 = 8-20, L1-L6 = 21-26, S1 = 27; posterior elements + 40; the disc below a level + 80;
    thecal sac 120, cord 121, rest of the sacrum 122; bodies of relative levels V1… = 131….
    """
    base = _BASE[structure.kind]
    if structure.level is None:
        return base
    return base + structure.level.rank + (_RELATIVE if structure.level.is_relative else 0)


@dataclass(frozen=True)
class Drawing:
    """How well the borders of a mask were drawn, as standard deviations in mm.

    Parameters
    ----------
    border : of where each border lies by itself
    offset : of how far all borders lie off together, outwards or inwards: it counts in sizes and cancels when sizes in
        one mask are compared
    rim, back_rim : of how far the front and the back end of an endplate lie off besides: corners are rounded. They
        count in heights there, and cancel like the offset
    tilt : of how far both ends of an endplate lie off against each other, which no number of points along it averages
        out; it counts in angles
    lone_tilt : the same of an endplate of a body whose other one is not drawn: the lower one of C2, the upper one of S1
    wall : of how far a posterior wall lies off besides its border; it counts in slips and retropulsion
    disc_rim : of how far the back of a disc lies off besides its border; it counts in bulges
    """

    border: float
    offset: float
    rim: float = 0.0
    back_rim: float = 0.0
    tilt: float = 0.0
    lone_tilt: float = 0.0
    wall: float = 0.0
    disc_rim: float = 0.0

    @property
    def edges(self) -> float:
        """Of the distance of two borders, by themselves."""
        return math.sqrt(2) * self.border

    def length(self, own: float) -> float:
        """Of a length between two borders; ``own`` is what the pixels give."""
        return math.hypot(own, self.edges, 2 * self.offset)

    def area(self, outline_mm: float, own: float) -> float:
        """Of an area with an outline of so many mm, mm2; ``own`` is what the pixels give."""
        return math.hypot(own, outline_mm * math.hypot(self.border, self.offset))


EXACT = Drawing(0.0, 0.0)
"""Masks that are true by construction."""
_PARTS = ("border", "offset", "rim", "back_rim", "tilt", "lone_tilt", "wall", "disc_rim")
DRAWN = Drawing(*(threshold(f"interval.mask_{part}") for part in _PARTS))
"""Masks that a network or a reader drew."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Voxel labels on one series' grid.

    Parameters
    ----------
    voxels : (k, j, i) uint8 or uint16, 0 is background; made read-only
    geometry : the grid of ``voxels``
    structures : voxel value -> Structure; every non-zero voxel value must be named here
    series_uid : the series whose grid this is
    made_by : model name and version, or 'manual'
    cut : bodies that the field of view cuts; they are reported but not measured
    drawing : how well the borders were drawn

    Raises
    ------
    GeometryError
        If shapes differ.
    """

    voxels: NDArray[np.unsignedinteger]
    geometry: Geometry
    structures: Mapping[int, Structure]
    series_uid: str
    made_by: str
    cut: frozenset[Structure] = frozenset()
    drawing: Drawing = DRAWN

    def __post_init__(self) -> None:
        if self.voxels.shape != self.geometry.shape:
            raise GeometryError(f"{self.voxels.shape} labels on a {self.geometry.shape} grid")
        view = np.asarray(self.voxels).view()
        view.flags.writeable = False
        object.__setattr__(self, "voxels", view)

    def mask(self, structure: Structure) -> NDArray[np.bool_]:
        """Boolean (k, j, i) mask of one structure; all False when it is absent."""
        values = [value for value, known in self.structures.items() if known == structure]
        if len(values) == 1:
            return np.asarray(self.voxels == values[0])
        return np.isin(self.voxels, values) if values else np.zeros(self.voxels.shape, dtype=bool)

    def mask_of_kind(self, *kinds: StructureKind) -> NDArray[np.bool_]:
        """Boolean (k, j, i) mask of every structure of the given kinds."""
        values = [value for value, known in self.structures.items() if known.kind in kinds]
        return np.isin(self.voxels, values)

    def of_kind(self, kind: StructureKind) -> Iterator[Structure]:
        """Structures of one kind, from head to foot."""
        found = [known for known in self.structures.values() if known.kind is kind]
        yield from sorted(found, key=lambda s: s.level.rank if s.level else 0)

    def body(self, level: Level) -> Structure | None:
        """The vertebral body of a level, or None when this series does not show it."""
        wanted = Structure(StructureKind.VERTEBRAL_BODY, level)
        return wanted if wanted in self.structures.values() else None

    def part(self, box: tuple[slice, ...]) -> Segmentation:
        """The same labels in a part of the grid; ``box`` in (k, j, i), as numpy takes it, without steps."""
        return replace(self, voxels=self.voxels[box], geometry=self.geometry.part(box))

    def renamed(self, levels: Mapping[Level, Level]) -> Segmentation:
        """The same masks under new names; structures of levels that are not among ``levels`` are wiped.

        A disc whose lower level has no new name keeps that of its upper one.
        """
        table = np.zeros(max([0, *self.structures]) + 1, dtype=np.uint8)
        structures: dict[int, Structure] = {}
        for value, old in self.structures.items():
            if old.level is not None and old.level not in levels:
                continue
            new = _renamed(old, levels)
            table[value] = label_value(new)
            structures[label_value(new)] = new
        cut = frozenset(_renamed(s, levels) for s in self.cut if s.level in levels)
        return replace(self, voxels=table[self.voxels], structures=structures, cut=cut)


def _renamed(structure: Structure, levels: Mapping[Level, Level]) -> Structure:
    level = levels[structure.level] if structure.level is not None else None
    return Structure(structure.kind, level, levels.get(structure.lower) if structure.lower is not None else None)
