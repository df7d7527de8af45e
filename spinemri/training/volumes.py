"""A cache of painted subjects on disk, from which training patches are cut and rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis.random_subject import random_volume

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write_volume(folder: Path, seed: int) -> Path:
    """Paint one subject and store its tissue and level arrays (x, z, a) as ``<seed>.npz``; returns the path."""
    _, volume = random_volume(seed)
    path = folder / f"{seed:06d}.npz"
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, tissue=volume.tissue, level=volume.level)
    partial.rename(path)
    return path


def write_volumes(folder: Path, seeds: Iterable[int]) -> int:
    """Paint the subjects of ``seeds`` that are not in ``folder`` yet; returns how many were painted."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not (folder / f"{seed:06d}.npz").exists()]
    for seed in missing:
        write_volume(folder, seed)
    return len(missing)
