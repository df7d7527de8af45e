"""A cache of painted subjects on disk, from which training patches are cut and rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import InputError
from spinemri.synthesis.meshes import PERMISSIVE, load_shapes
from spinemri.synthesis.random_subject import random_volume

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.synthesis.shapes import Template


class VolumeShelf:
    """Painted volumes, some of them in memory; now and then the oldest makes room for another.

    Parameters
    ----------
    folder : volumes written by this module; new ones are noticed while they are drawn from
    size : how many are kept in memory
    fresh : share of the draws before which another is read

    Raises
    ------
    InputError
        If the folder holds no volume.
    """

    def __init__(self, folder: Path, size: int, fresh: float) -> None:
        self.folder, self.size, self.fresh = folder, size, fresh
        self._kept: list[dict[str, NDArray[np.uint8]]] = []
        if not self._paths():
            raise InputError(f"{folder.name}: no painted volumes; paint some with --paint")

    def draw(self, rng: np.random.Generator) -> dict[str, NDArray[np.uint8]]:
        """The arrays of a random volume: tissue and level, and what else is stored with them."""
        if len(self._kept) < self.size or rng.random() < self.fresh:
            paths = self._paths()
            with np.load(paths[rng.integers(len(paths))]) as stored:
                self._kept.append({name: stored[name] for name in stored.files})
            self._kept = self._kept[-self.size :]
        return self._kept[rng.integers(len(self._kept))]

    def _paths(self) -> list[Path]:
        """Volumes of the folder, without one that is just being written."""
        return sorted(p for p in self.folder.glob("[0-9]*.npz") if "partial" not in p.name)


def write_volume(
    folder: Path, seed: int, shapes: Mapping[int, tuple[Template, ...]] | None = None, *, plain: bool = False
) -> Path:
    """Paint one subject and store its tissue and level arrays (x, z, a) as ``<seed>.npz``; returns the path."""
    _, volume = random_volume(seed, shapes=shapes, plain=plain)
    path = folder / f"{seed:06d}.npz"
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, tissue=volume.tissue, level=volume.level)
    partial.rename(path)
    return path


def write_volumes(
    folder: Path,
    seeds: Iterable[int],
    shapes: Path | None = None,
    sources: Sequence[str] = PERMISSIVE,
    *,
    plain: bool = False,
) -> int:
    """Paint the subjects of ``seeds`` that are not in ``folder`` yet; returns how many were painted.

    Parameters
    ----------
    shapes : folder of vertebra meshes (see ``synthesis.meshes``); None draws posterior elements as solids
    sources : sub-folders of it to use; the default ones have permissive licences
    plain : without marrow lesions and endplate nodes, which are then added when a sample is cut

    Raises
    ------
    InputError
        If the shapes cannot be read.
    """
    missing, bank = to_paint(folder, seeds, shapes, sources)
    for seed in missing:
        write_volume(folder, seed, bank, plain=plain)
    return len(missing)


def to_paint(
    folder: Path, seeds: Iterable[int], shapes: Path | None, sources: Sequence[str] = PERMISSIVE, *, end: str = ""
) -> tuple[list[int], Mapping[int, tuple[Template, ...]] | None]:
    """Subjects that are not in a folder yet, which is made, and the shapes to paint them with.

    ``end`` stands after the seed in the name of the file that is written last. Raises InputError as ``write_volumes``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not (folder / f"{seed:06d}{end}.npz").exists()]
    return missing, load_shapes(shapes, sources) if shapes and missing else None
