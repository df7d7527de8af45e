"""Where a sample looks in a slice: pixels around a place, turned, scaled and smoothly bent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as nnf

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Field = NDArray[np.floating]

_BENT = 0.6  # of the samples


class Pose(NamedTuple):
    """How pixels lie: steps per row and column, turn in radians, and how finely and far they may be bent.

    ``grain`` is the range of pixels between bends, ``depth`` that of their size in steps.
    """

    steps: Field
    turn: float
    grain: tuple[float, float]
    depth: tuple[float, float]


def offsets(size: tuple[int, int], steps: Field) -> tuple[Field, Field]:
    """Rows (n, 1) and columns (1, n) from the middle of a picture, in steps."""
    rows = (np.arange(size[0]) - size[0] / 2 + 0.5)[:, None] * steps[0]
    columns = (np.arange(size[1]) - size[1] / 2 + 0.5)[None] * steps[1]
    return rows, columns


def looked_at(rng: np.random.Generator, size: tuple[int, int], middle: ArrayLike, pose: Pose) -> tuple[Field, Field]:
    """Coordinates (rows, columns) along both axes of a slice at which the pixels of a picture of ``size`` lie."""
    first, second = np.asarray(middle, dtype=np.float64)
    rows, columns = offsets(size, pose.steps)
    along = first + rows * np.cos(pose.turn) - columns * np.sin(pose.turn)
    across = second + rows * np.sin(pose.turn) + columns * np.cos(pose.turn)
    if rng.random() < _BENT:
        grid = [max(3, int(n / rng.uniform(*pose.grain))) for n in size]
        bend = torch.from_numpy(rng.standard_normal((1, 2, *grid)).astype(np.float32))
        warp = nnf.interpolate(bend, size=size, mode="bicubic", align_corners=True)[0].numpy()
        warp = warp * rng.uniform(*pose.depth)
        along, across = along + warp[0], across + warp[1]
    return along, across
