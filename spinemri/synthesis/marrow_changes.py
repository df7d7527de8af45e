"""Several marrow changes on one grid: what each voxel has become, and the signal that is laid over the marrow's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.lesion import MarrowChange as Kind
from spinemri.synthesis.rare_deposits import GROWTHS
from spinemri.synthesis.texture import smooth_noise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.synthesis.deposits import Deposit
    from spinemri.synthesis.vertebra_grid import GridVertebra

    Field = NDArray[np.floating]

UNKNOWN = 255
"""Kind of a voxel of which nobody knows whether it belongs to a change."""

KINDS = tuple(Kind)
SURE, TOUCHED = 0.5, 0.2
"""Share of a voxel from which it counts as changed; below the second it is not, between them it is UNKNOWN."""


@dataclass(frozen=True, eq=False)
class Changes:
    """Deposits of a scene in the order in which they are laid down, and the kind of each voxel (0 none, UNKNOWN)."""

    deposits: tuple[Deposit, ...]
    kinds: NDArray[np.uint8]


def grown(kind: Kind, vertebrae: Mapping[int, GridVertebra], rng: np.random.Generator) -> list[Deposit]:
    """Deposits of one change at a random level; an oedematous fracture prefers a low body."""
    levels = list(vertebrae)
    heights = np.array([vertebrae[n].half_height for n in levels])
    weights = np.ones(len(levels))
    if kind is Kind.FRACTURE_OEDEMA:
        weights = 1 + 12 * (heights < 0.85 * np.median(heights))
    level = levels[rng.choice(len(levels), p=weights / weights.sum())]
    return GROWTHS[kind](vertebrae, level, rng, kind)


def kind_map(deposits: Sequence[Deposit], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Kind of each voxel, 1 + index in ``MarrowChange``; the later deposit wins."""
    kinds = np.zeros(shape, dtype=np.uint8)
    for deposit in deposits:
        here = kinds[deposit.window]
        edge = (deposit.share > TOUCHED) & (here == 0)
        here[edge] = UNKNOWN
        here[deposit.share > SURE] = 1 + KINDS.index(deposit.kind)
    return kinds


def trabeculae(shape: tuple[int, ...], apart: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Vertical dark lines on a grid (slices, rows, columns), so many rows apart and a little wavy."""
    rows = np.arange(shape[1])[None, :, None] + 1.2 * smooth_noise(rng, shape, (2, 8, 20))
    return np.asarray(np.cos(2 * np.pi * rows / apart) > 0.45)


def laid_down(signal: Field, changes: Changes, values: Sequence[float], rng: np.random.Generator) -> Field:
    """A signal with each deposit's own laid over it, ``values`` parallel to the deposits; the input is not changed."""
    signal = signal.copy()
    for deposit, value in zip(changes.deposits, values, strict=True):
        here = signal[deposit.window]
        grain = smooth_noise(rng, here.shape, (2, 4, 4)) * deposit.texture
        own = value * np.clip(1 + grain, 0, None)
        if deposit.striped:
            own = own * (1 - 0.45 * trabeculae(here.shape, deposit.striped, rng))
        here += deposit.share * (own - here)
    return signal
