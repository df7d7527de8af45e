"""Any tool's masks and measurements against a synthetic study's truth: what ``spinemri score`` shows.

Masks are compared on the grid of the truth. A mask stored with flipped or exchanged axes lies on the same voxels and is
brought over exactly; any other grid is refused, because resampling a mask would change what is scored.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import InputError, SeriesError
from spinemri.evaluate.label_table import own_values
from spinemri.evaluate.overlap import dice, surface_distance
from spinemri.given_text import given_text
from spinemri.read import read_volume
from spinemri.resample import resample_voxels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.evaluate.label_table import Names
    from spinemri.geometry import Geometry

    Mask = NDArray[np.bool_]

TRUTH, TRUE_MASK = "truth.json", "truth_segmentation.nii.gz"
_SAME_MM = 0.1


@dataclass(frozen=True)
class StructureScore:
    """One structure of a mask: Dice (0 to 1), and mean surface distance in mm (None when nothing was found)."""

    structure: str
    dice: float
    surface_mm: float | None


@dataclass(frozen=True)
class MaskScore:
    """One mask file against the truth.

    ``invented`` names structures that the truth has not; ``levels`` counts true bodies whose centre lies in the body of
    their name, of ``levels_true``; it is None when the mask names no body.
    """

    file: str
    structures: tuple[StructureScore, ...]
    invented: tuple[str, ...]
    levels: int | None
    levels_true: int


@dataclass(frozen=True)
class MeasurementScore:
    """One measurement that the truth knows: true value, the one found (None when missing), and the unit."""

    id: str
    name: str
    unit: str
    true: float
    found: float | None

    @property
    def error(self) -> float | None:
        """Found minus true."""
        return None if self.found is None else self.found - self.true


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Voxel values (k, j, i) on their grid, and what they mean."""

    name: str
    voxels: NDArray[np.int32]
    geometry: Geometry
    names: Names

    def entries(self) -> dict[tuple[Structure, ...], NDArray[np.bool_]]:
        """What each present value stands for -> mask; values with one meaning are one."""
        groups: dict[tuple[Structure, ...], list[int]] = {}
        for value in np.unique(self.voxels).tolist():
            if value in self.names:
                groups.setdefault(self.names[value], []).append(value)
        return {meaning: np.isin(self.voxels, values) for meaning, values in groups.items()}


def read_truth(folder: Path) -> dict[str, Any]:
    """The ``truth.json`` of a folder that ``spinemri phantom`` wrote.

    Raises
    ------
    InputError
        If it is missing or no truth of a phantom.
    """
    try:
        content: dict[str, Any] = json.loads(given_text(folder / TRUTH, "truth"))
        content["measurements"], content["body_centres_lps_mm"]
    except InputError as error:
        raise InputError(f"{folder.name}: no {TRUTH}; expected a folder that `spinemri phantom` wrote") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder.name}/{TRUTH}: not the truth of a phantom") from error
    return content


def read_labels(path: Path, names: Names | None = None) -> LabelMap:
    """A mask file (NIfTI, NRRD, MetaImage); spinemri's own values unless ``names`` says otherwise.

    Raises
    ------
    InputError
        If it is missing, cannot be read, or holds nothing.
    """
    if not path.is_file():
        raise InputError(f"{path.name} is missing")
    try:
        image = read_volume(path)
    except SeriesError as error:
        raise InputError(f"{path.name}: {error}") from error
    values = np.rint(np.asarray(image.voxels)).astype(np.int32)
    return LabelMap(path.name, values, image.geometry, own_values() if names is None else names)


def score_mask(found: LabelMap, truth: LabelMap, centres: Mapping[str, list[float]]) -> MaskScore:
    """Compare a mask with the true one: each kind as a whole, then each structure from head to foot.

    Raises
    ------
    InputError
        If the grids hold other voxels, or no structure is in both.
    """
    found = _on_grid(found, truth)
    true = {structures[0]: mask for structures, mask in truth.entries().items()}
    entries = found.entries()
    matched = {meaning: _members(meaning, true) for meaning in entries}
    if not any(matched.values()):
        raise InputError(
            f"{found.name} and the truth have no structure in common: it has {_listed(map(_words, entries))}; "
            f"the truth has {_listed(map(str, true))}"
        )
    pairs = _whole_kinds(entries, true)
    for meaning, members in sorted(matched.items(), key=lambda item: _place(item[0])):
        if members:
            pairs[_words(meaning)] = entries[meaning], _union(members, true)
    for structure in _missing(matched, true):
        pairs[str(structure)] = np.zeros_like(true[structure]), true[structure]
    scores = [StructureScore(n, dice(*pair), surface_distance(*pair, truth.geometry)) for n, pair in pairs.items()]
    named = any(s.kind is StructureKind.VERTEBRAL_BODY and s.level for meaning in entries for s in meaning)
    right = sum(_holds(entries, level, truth.geometry.to_index(point)) for level, point in centres.items())
    return MaskScore(
        file=found.name,
        structures=tuple(scores),
        invented=tuple(_words(meaning) for meaning, members in matched.items() if not members),
        levels=right if named else None,
        levels_true=len(centres),
    )


def score_measurements(path: Path, truth: Mapping[str, Any]) -> tuple[MeasurementScore, ...]:
    """Compare a ``measurements.csv`` (columns 'id', or 'level' and 'name', and 'value') with the true measurements.

    Raises
    ------
    InputError
        If it is missing or has no such columns, or no measurement is in both.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(given_text(path, "", encoding="utf-8-sig"), newline="")))
    except csv.Error as error:
        raise InputError(f"{path.name}: cannot be read as CSV ({type(error).__name__})") from error
    found: dict[str, float] = {}
    for row in rows:
        key = row.get("id") or f"{row.get('level')}.{row.get('name')}"
        try:
            if row["value"]:
                found[key] = float(row["value"])
        except (KeyError, ValueError) as error:
            raise InputError(f"{path.name}: expected numbers in a column 'value', one in each of its rows") from error
    known = [MeasurementScore(m["id"], m["name"], m["unit"], float(m["value"]), found.get(m["id"])) for m in
             truth["measurements"]]  # fmt: skip
    if not any(m.found is not None for m in known):
        raise InputError(f"{path.name} and the truth have no measurement in common; the truth has {known[0].id}, …")
    return tuple(known)


def _members(meaning: tuple[Structure, ...], true: Mapping[Structure, Mask]) -> list[Structure]:
    """True structures that a meaning covers; without a level, all of its kind."""
    return [t for t in true if any(t == s or (s.level is None and s.kind is t.kind) for s in meaning)]


def _union(members: Iterable[Structure], true: Mapping[Structure, Mask]) -> Mask:
    return np.asarray(np.logical_or.reduce([true[structure] for structure in members]))


def _whole_kinds(
    entries: Mapping[tuple[Structure, ...], Mask], true: Mapping[Structure, Mask]
) -> dict[str, tuple[Mask, Mask]]:
    """Found and true mask of every kind (or kinds drawn as one) over all its levels, where the truth has it."""
    pairs = {}
    for kinds in dict.fromkeys(tuple(s.kind for s in meaning) for meaning in entries):
        mine = [mask for meaning, mask in entries.items() if tuple(s.kind for s in meaning) == kinds]
        members = [structure for structure in true if structure.kind in kinds]
        if members:
            name = " + ".join(kind.value.replace("_", " ") for kind in kinds)
            pairs[name] = np.logical_or.reduce(mine), _union(members, true)
    return pairs


def _missing(matched: Mapping[tuple[Structure, ...], list[Structure]], true: Iterable[Structure]) -> list[Structure]:
    """True structures without a found one, of the kinds that the mask names by level."""
    kinds = {s.kind for meaning in matched for s in meaning if s.level}
    seen = {structure for members in matched.values() for structure in members}
    return [structure for structure in true if structure.kind in kinds and structure not in seen]


def _holds(entries: Mapping[tuple[Structure, ...], Mask], level: str, index: NDArray[np.float64]) -> bool:
    """Whether a point lies in the body of a level."""
    body, voxel = Structure(StructureKind.VERTEBRAL_BODY, Level(level)), np.rint(index).astype(int)
    masks = [mask for meaning, mask in entries.items() if body in meaning]
    return any(bool((voxel >= 0).all() and (voxel < m.shape).all() and m[tuple(voxel)]) for m in masks)


def _on_grid(found: LabelMap, truth: LabelMap) -> LabelMap:
    """The same mask on the grid of the truth, when it holds the same voxels in whatever order."""
    mine, wanted = found.geometry, truth.geometry
    apart = np.linalg.norm(mine.corners()[:, None] - wanted.corners()[None], axis=2).min(axis=1).max()
    if sorted(mine.shape) != sorted(wanted.shape) or apart > _SAME_MM:
        raise InputError(f"{found.name} has another grid: {_described(mine)}; the truth has {_described(wanted)}")
    voxels = resample_voxels(found.voxels, mine, wanted, interpolation="nearest")
    return LabelMap(found.name, voxels.astype(np.int32), wanted, found.names)


def _described(grid: Geometry) -> str:
    size = " x ".join(str(n) for n in grid.shape)
    spacing = " x ".join(f"{mm:.2f}" for mm in grid.spacing)
    origin = ", ".join(f"{mm:.1f}" for mm in grid.origin)
    return f"{size} voxels of {spacing} mm, axes towards {grid.orientation}, from ({origin}) mm"


def _place(meaning: tuple[Structure, ...]) -> tuple[str, int]:
    level = meaning[0].level
    return meaning[0].kind.value, level.rank if level else 0


def _words(meaning: Iterable[Structure]) -> str:
    return " + ".join(str(structure) for structure in meaning)


def _listed(names: Iterable[str]) -> str:
    """Some names for a message."""
    known = sorted(names)
    return "nothing" if not known else ", ".join(known[:6]) + (f" and {len(known) - 6} more" if len(known) > 6 else "")
