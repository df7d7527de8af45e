"""A cache of painted subjects on disk, from which training patches are cut and rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis.meshes import PERMISSIVE, load_shapes
from spinemri.synthesis.random_subject import random_volume

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from spinemri.synthesis.shapes import Template


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
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not (folder / f"{seed:06d}.npz").exists()]
    bank = load_shapes(shapes, sources) if shapes and missing else None
    for seed in missing:
        write_volume(folder, seed, bank, plain=plain)
    return len(missing)
