"""A cache of painted subjects on disk, from which training patches are cut and rendered."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from spinemri.synthesis.random_subject import random_volume


def write_volume(folder: Path, seed: int) -> Path:
    """Paint one subject and store its tissue and level arrays (x, z, a) as ``<seed>.npz``; returns the path."""
    _, volume = random_volume(seed)
    path = folder / f"{seed:06d}.npz"
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, tissue=volume.tissue, level=volume.level)
    partial.rename(path)
    return path


def main(arguments: list[str]) -> None:
    """``python -m spinemri.training.volumes FOLDER FIRST LAST STEP``: paint subjects FIRST to LAST - 1."""
    folder = Path(arguments[0])
    first, last, step = (int(v) for v in arguments[1:4])
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, last, step):
        if not (folder / f"{seed:06d}.npz").exists():
            write_volume(folder, seed)


if __name__ == "__main__":
    main(sys.argv[1:])
