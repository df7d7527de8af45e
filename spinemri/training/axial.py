"""Training samples from people painted under axial slices: a random part of a stack, in a random contrast and scanner.

A sample is a stack of slices, each with its neighbours as channels, and their classes, rows from posterior to anterior
and columns from the patient's right to the left, normalised as the predictor does. Stacks are short: beyond their ends
neighbours are missing, as in a block of three slices through a disc.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from spinemri.segment.preprocess import neighbours
from spinemri.synthesis.random_grids import random_axial
from spinemri.synthesis.tissue import CORD, SAC
from spinemri.training.bending import Pose, looked_at
from spinemri.training.synthetic import CLASSES, NEIGHBOURS, OUTSIDE, Patch, render
from spinemri.training.volumes import VolumeShelf, to_paint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from spinemri.synthesis.grids import PaintedGrid

_SUB = 3  # layers per slice
_SIDES, _SLICES = (160, 192, 224), (2, 5)
_PIXELS = 120_000  # of the labelled slices of a sample
_WANDER_MM = 22.0  # how far from the canal the middle of a sample may lie
_GRAIN, _BEND = (16, 40), (0.2, 1.8)
_SHELF, _FRESH = 48, 0.25


def write_axial(folder: Path, seeds: Iterable[int], shapes: Path | None = None) -> int:
    """Paint the axial series of ``seeds`` that are not in ``folder`` yet; returns how many were painted.

    Each stack of a series is a file ``<seed>_<number>.npz``: tissue and level (rows from posterior to anterior, columns
    from right to left, layers from inferior to superior, three per slice), pixel and slice distance in mm.

    Parameters
    ----------
    shapes : folder of vertebra meshes (see ``synthesis.meshes``); None draws posterior elements as solids

    Raises
    ------
    InputError
        If the shapes cannot be read.
    """
    missing, bank = to_paint(folder, seeds, shapes, end="_0")
    for seed in missing:
        _, grids = random_axial(seed, bank, layers=_SUB, fine=1)
        for number, grid in reversed([*enumerate(grids)]):  # the first one last: it says that the series is whole
            _write(folder / f"{seed:06d}_{number}.npz", grid)
    return len(missing)


def _write(path: Path, grid: PaintedGrid) -> None:
    tissue, level = (np.ascontiguousarray(v[:, ::-1].transpose(1, 2, 0)) for v in (grid.tissue, grid.level))
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, tissue=tissue, level=level, spacing=np.array(grid.sampling.geometry.spacing))
    partial.rename(path)


def cut_axial(
    volume: Mapping[str, NDArray[np.generic]],
    rng: np.random.Generator,
    size: tuple[int, int, int],
    pixel_mm: float,
) -> Patch:
    """At most so many slices of a stack, at a random place, scale and turn, rows and columns of ``pixel_mm``.

    Parameters
    ----------
    volume : arrays of ``write_axial``
    size : slices, rows and columns
    """
    tissue, level = np.asarray(volume["tissue"]), np.asarray(volume["level"])
    slice_mm, own_mm, _ = (float(mm) for mm in np.asarray(volume["spacing"]))
    count, rows, columns = size
    total = tissue.shape[2] // _SUB
    first = int(rng.integers(0, max(1, total - count + 1)))
    part = slice(_SUB * first, _SUB * min(first + count, total))
    at_row, at_column = _places(tissue[..., part], rng, (rows, columns), pixel_mm / own_mm, _WANDER_MM / own_mm)
    high, wide = tissue.shape[:2]
    inside = (at_row >= 0) & (at_row < high - 1) & (at_column >= 0) & (at_column < wide - 1)
    row = np.clip(np.rint(at_row), 0, high - 1).astype(np.intp)
    column = np.clip(np.rint(at_column), 0, wide - 1).astype(np.intp)
    cut, cut_level = tissue[row, column, part], level[row, column, part]
    if rng.random() < 0.5:  # feet first and head first
        cut, cut_level = cut[..., ::-1].copy(), cut_level[..., ::-1].copy()
    shown = CLASSES[cut[..., _SUB // 2 :: _SUB]]
    cut[~inside] = OUTSIDE
    classes = np.where(inside[..., None], shown, 0).astype(np.uint8)
    return Patch(cut, cut_level, classes.transpose(2, 0, 1), inside, slice_mm / _SUB, _SUB)


def _places(
    tissue: NDArray[np.uint8], rng: np.random.Generator, size: tuple[int, int], step: float, wander: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Rows and columns of a stack (in its pixels) at which a sample looks: near the canal, turned, scaled and bent."""
    canal = np.argwhere(np.isin(CLASSES[tissue[::4, ::4, :: 2 * _SUB]], (SAC, CORD)))
    middle = 4 * canal[:, :2].mean(axis=0) if len(canal) else np.array(tissue.shape[:2]) / 2
    middle = middle + rng.uniform(-wander, wander, 2) + np.array([0.15 * size[0] * step, 0])
    scale = step * np.exp(rng.uniform(-0.18, 0.18)) * np.exp(rng.uniform(-0.08, 0.08, 2))
    return looked_at(rng, size, middle, Pose(scale, float(np.deg2rad(rng.normal(0, 6))), _GRAIN, _BEND))


class AxialSlices(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless samples (image (slices, 5, rows, columns) float32, classes (slices, rows, columns) int64).

    Parameters
    ----------
    folder : stacks written by ``write_axial``; new ones are noticed while it runs
    pixel_mm : of the network
    seed : start of the random sequence

    Raises
    ------
    InputError
        If the folder holds no stack.
    """

    def __init__(self, folder: Path, pixel_mm: float, seed: int = 0) -> None:
        self.shelf, self.pixel_mm, self.seed = VolumeShelf(Path(folder), _SHELF, _FRESH), pixel_mm, seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Samples for ever; each loader worker draws its own."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            rows, columns = (int(n) for n in rng.choice(_SIDES, 2))
            count = int(np.clip(round(_PIXELS / (rows * columns)), *_SLICES))
            patch = cut_axial(self.shelf.draw(rng), rng, (count, rows, columns), self.pixel_mm)
            image = render(patch, rng, most_lost=0)
            classes = np.where((image != 0).numpy(), patch.classes, 0)
            yield neighbours(image, NEIGHBOURS, 1), torch.from_numpy(classes.astype(np.int64))
