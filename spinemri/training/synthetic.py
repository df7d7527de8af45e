"""Training samples from painted subjects: a random sagittal patch, rendered with a random contrast and scanner.

A sample is a stack of slices, each with its neighbours as channels, and their classes, at 1 mm in plane, rows from
posterior to anterior and columns from inferior to superior, normalised as the predictor does.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import maximum_filter1d
from torch.utils.data import IterableDataset, get_worker_info

from spinemri.segment.preprocess import normalise, stack
from spinemri.synthesis.tissue import BODY, CORD, COUNT, SAC, SACRUM, Tissue, class_of_tissue
from spinemri.training.bending import Pose, looked_at, offsets
from spinemri.training.contrasts import random_table, texture_amplitudes
from spinemri.training.scanner import random_scanner
from spinemri.training.volumes import VolumeShelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

NEIGHBOURS = 5  # a slice and two to either side
SUB = 2  # thin layers rendered per sagittal slice
_VOLUME_SLICE_MM = 2.5
OUTSIDE = COUNT  # extra tissue value for what lies beyond the volume
CLASSES = np.append(class_of_tissue(), 0).astype(np.uint8)
_ROWS, _COLUMNS = (128, 160, 192), (160, 192, 224)
_PIXELS, _SLICES = 100_000, (3, 4)  # of the labelled slices of a sample: several small stacks teach more than one large
_IN_A_ROW, _SIZES = 4, 0x5EED  # samples of one size; keeps the sequence of sizes apart from those of the workers
_NARROWED = 0.35  # of the samples show a narrowed sac, when the subject has one
_NARROW, _NEARBY_MM = 0.8, 21  # share of the depth within so far above and below
_BROKEN = 0.3  # of the other samples show a fractured body, when the subject has one
_COLLAPSED = 0.82  # share of the area that the bodies above and below have in the middle slice
_SACRAL = 0.2  # of the rest, when the subject's sacrum is in the field
_CORD_LESION = 0.12  # of the samples that show the cord
_BONE_LEVELS = 100
_WANDER = 40.0, 35.0  # mm
_GRAIN, _BEND = (12, 30), (0.2, 1.5)
_SHELF, _FRESH = 12, 0.25  # volumes in memory; share of the samples before which one is exchanged


@dataclass(frozen=True, eq=False)
class Patch:
    """Tissue and level of layers so thin (rows, columns, layers), and the classes (slices, rows, columns).

    ``sub`` layers make a slice.
    """

    tissue: NDArray[np.uint8]
    level: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    inside: NDArray[np.bool_]
    layer_mm: float
    sub: int = SUB


def cut_patch(
    volume: dict[str, NDArray[np.uint8]],
    rng: np.random.Generator,
    size: tuple[int, int],
    count: int,
    wander: tuple[float, float] = _WANDER,
) -> Patch:
    """``count`` slices at a random place, scale, tilt and slice distance of a volume with arrays (x, z, a).

    ``wander`` is how far (superior, anterior; mm) from a voxel of the spine the middle may lie.
    """
    tissue, level = volume["tissue"], volume["level"]
    nx, nz, na = tissue.shape
    centre = _random_centre(tissue, level, rng, wander)
    scale = np.exp(rng.uniform(-0.2, 0.22)) * np.exp(rng.uniform(-0.08, 0.08, 2))
    angle = np.deg2rad(rng.normal(0, 9))
    pose = Pose(scale, float(angle), _GRAIN, _BEND)
    at_a, at_z = looked_at(rng, size, (centre[2], centre[1]), pose)
    rows, columns = offsets(size, scale)
    inside = (at_a >= 0) & (at_a < na - 1) & (at_z >= 0) & (at_z < nz - 1)
    index_a = np.clip(np.rint(at_a), 0, na - 1).astype(np.intp)
    index_z = np.clip(np.rint(at_z), 0, nz - 1).astype(np.intp)
    apart = (rng.uniform(3, 5.5) if rng.random() < 0.8 else rng.uniform(1.8, 3)) / _VOLUME_SLICE_MM
    apart *= 1 if rng.random() < 0.5 else -1
    lean = rng.uniform(-0.024, 0.024, 2)
    at_x = centre[0] + rows * lean[0] + columns * lean[1]
    layers = (np.arange(count * SUB) - (count * SUB - 1) / 2) * apart / SUB
    index_x = np.clip(np.rint(at_x[..., None] + layers), 0, nx - 1).astype(np.intp)
    where = (index_x, index_z[..., None], index_a[..., None])
    cut, cut_level = tissue[where], level[where]
    cut[~inside] = OUTSIDE
    middles = at_x[..., None] + (np.arange(count) - (count - 1) / 2) * apart
    shown = tissue[np.clip(np.rint(middles), 0, nx - 1).astype(np.intp), index_z[..., None], index_a[..., None]]
    classes = np.where(inside[..., None], CLASSES[shown], 0).astype(np.uint8)
    return Patch(cut, cut_level, classes.transpose(2, 0, 1), inside, abs(apart) * _VOLUME_SLICE_MM / SUB)


def random_size(
    rng: np.random.Generator, pixels: int = _PIXELS, slices: tuple[int, int] = _SLICES
) -> tuple[int, int, int]:
    """Labelled slices, rows and columns of a sample: what a window shows changes normalisation inside the network.

    ``pixels`` is about the size of a sample, within the least and most ``slices``.
    """
    rows, columns = int(rng.choice(_ROWS)), int(rng.choice(_COLUMNS))
    return int(np.clip(round(pixels / (rows * columns)), *slices)), rows, columns


def sizes(seed: int, pixels: int = _PIXELS, slices: tuple[int, int] = _SLICES) -> Iterator[tuple[int, int, int]]:
    """Sizes of samples for ever, as ``random_size``: each several times in a row, and the same in every worker.

    So samples of one size follow each other, and a step can read them together.
    """
    rng = np.random.default_rng([seed, _SIZES])
    while True:
        yield from repeat(random_size(rng, pixels, slices), _IN_A_ROW)


def _random_centre(
    tissue: NDArray[np.uint8], level: NDArray[np.uint8], rng: np.random.Generator, wander: tuple[float, float]
) -> NDArray[np.float64]:
    """A voxel (x, z, a) near the spine; more often near the sacrum when the volume shows it."""
    nx, nz, na = tissue.shape
    narrow = narrowed(tissue) if rng.random() < _NARROWED else ()
    if len(narrow):
        z, a = narrow[rng.integers(len(narrow))]
        off = rng.uniform(-3, 3)
        return np.array([nx / 2 + off, z + rng.uniform(-60, 60), a + rng.uniform(-20, 50)])
    broken = collapsed(tissue, level) if rng.random() < _BROKEN else ()
    if len(broken):
        z, a = broken[rng.integers(len(broken))]
        return np.array([nx / 2 + rng.uniform(-5, 5), z + rng.uniform(-50, 50), a + rng.uniform(-45, 30)])
    coarse = CLASSES[tissue[2::4, 4::10, 4::10]]
    sacral = np.argwhere(coarse == SACRUM)
    spine = sacral if len(sacral) and rng.random() < _SACRAL else np.argwhere(coarse > 0)
    if len(spine) and rng.random() < 0.95:
        _, z, a = spine[rng.integers(len(spine))] * [4, 10, 10] + [2, 4, 4]
    else:
        z, a = rng.uniform(0, nz), rng.uniform(0, na)
    off = rng.uniform(-7, 7) if rng.random() < 0.7 else rng.uniform(-14, 14)  # slices of 2.5 mm
    return np.array([nx / 2 + off, z + rng.uniform(-1, 1) * wander[0], a + rng.uniform(-1, 1) * wander[1]])


def narrowed(tissue: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Places (z, a) where the sac is much narrower than above and below, in the middle slice of a volume (x, z, a)."""
    canal = np.isin(CLASSES[tissue[tissue.shape[0] // 2]], (SAC, CORD))
    depth = canal.sum(axis=1).astype(np.float64)
    above, below = (maximum_filter1d(depth, _NEARBY_MM, origin=side * (_NEARBY_MM // 2)) for side in (1, -1))
    found = np.flatnonzero((depth > 0) & (depth < _NARROW * np.minimum(above, below)))
    middle = (canal[found] * np.arange(canal.shape[1])).sum(axis=1) / np.maximum(depth[found], 1)
    return np.stack([found, np.rint(middle).astype(np.intp)], axis=1)


def collapsed(tissue: NDArray[np.uint8], level: NDArray[np.uint8]) -> list[tuple[float, float]]:
    """Centres (z, a) of bodies much smaller than those above and below, in the middle slice of a volume (x, z, a)."""
    middle = tissue.shape[0] // 2
    names = np.where(CLASSES[tissue[middle]] == BODY, level[middle], 0)
    area = np.bincount(names.ravel(), minlength=_BONE_LEVELS + 1).astype(np.float64)
    shown = [n for n in range(2, _BONE_LEVELS) if min(area[n - 1], area[n], area[n + 1]) > 0]
    broken = [n for n in shown if area[n] < _COLLAPSED * (area[n - 1] + area[n + 1]) / 2]
    places = [np.argwhere(names == n).mean(axis=0) for n in broken]
    return [(float(z), float(a)) for z, a in places]


def render(patch: Patch, rng: np.random.Generator, most_lost: int = NEIGHBOURS // 2 + 1) -> torch.Tensor:
    """Magnitude image (slices, rows, columns) float32 of a patch, normalised; outside the field of view 0.

    Now and then a stack ends early: up to ``most_lost`` slices on one side are 0.
    """
    values = torch.from_numpy(np.append(random_table(rng), 0).astype(np.float32))
    depth = torch.from_numpy(np.append(texture_amplitudes(rng), 0).astype(np.float32))
    kinds = torch.from_numpy(patch.tissue.astype(np.int64))
    signal = values[kinds]
    per_level = np.ones(256, dtype=np.float32)
    per_level[:_BONE_LEVELS] += rng.normal(0, rng.uniform(0, 0.12), _BONE_LEVELS)
    if rng.random() < 0.15:
        per_level[rng.integers(1, 29, 6)] *= rng.uniform(0.3, 1.7)
    faded = rng.random(256 - _BONE_LEVELS) < rng.uniform(0, 0.8)
    per_level[_BONE_LEVELS:] = np.where(faded, rng.uniform(0.4, 1.1, 256 - _BONE_LEVELS), 1)
    signal = signal * torch.from_numpy(per_level)[torch.from_numpy(patch.level.astype(np.int64))]
    if rng.random() < _CORD_LESION:
        signal = with_cord_lesion(signal, kinds, values, rng)
    signal = random_scanner(signal, depth[kinds], rng, sub=patch.sub)
    signal = signal * torch.from_numpy(patch.inside)
    return _random_field_of_view(signal, rng, most_lost)


def with_cord_lesion(
    signal: torch.Tensor, kinds: torch.Tensor, values: torch.Tensor, rng: np.random.Generator
) -> torch.Tensor:
    """Signal (rows, columns, layers) with an ellipsoid of other signal within the cord, which stays cord."""
    places = (kinds == int(Tissue.CORD)).nonzero()
    if not len(places):
        return signal
    centre = places[int(rng.integers(len(places)))]
    radii = rng.uniform(1.5, 6), rng.uniform(2, 18), rng.uniform(1.5, 5)  # pixels, pixels, layers
    away = sum(
        ((torch.arange(n) - c) / r).square().view([-1 if a == axis else 1 for a in range(3)])
        for axis, (n, c, r) in enumerate(zip(kinds.shape, centre, radii, strict=True))
    )
    inside = (away < 1) & (kinds == int(Tissue.CORD))
    cord, fluid = values[int(Tissue.CORD)], values[int(Tissue.CSF)]
    other = (
        cord + (fluid - cord) * float(rng.uniform(0.3, 1.1))
        if rng.random() < 0.7
        else cord * float(rng.uniform(0.5, 1.6))
    )
    return torch.where(inside, other, signal)


def _random_field_of_view(slices: torch.Tensor, rng: np.random.Generator, most_lost: int) -> torch.Tensor:
    """Crop the field of view, drop neighbours at the end of a stack, normalise, and shift the intensity a little."""
    rows, columns = slices.shape[1:]
    if rng.random() < 0.12:
        high, wide = int(rng.integers(60, rows + 1)), int(rng.integers(60, columns + 1))
        top, left = int(rng.integers(0, rows - high + 1)), int(rng.integers(0, columns - wide + 1))
        keep = torch.zeros(rows, columns)
        keep[top : top + high, left : left + wide] = 1
        slices = slices * keep
    if most_lost and rng.random() < 0.3:
        lost = int(rng.integers(1, most_lost + 1))
        slices = slices.clone()
        if rng.random() < 0.5:
            slices[:lost] = 0
        else:
            slices[-lost:] = 0
    inside = slices > 0
    normal = normalise(slices)
    return (normal * float(np.exp(rng.normal(0, 0.12))) + float(rng.normal(0, 0.08))) * inside


class SyntheticSlices(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless samples (image (slices, 5, rows, columns) float32, classes (slices, rows, columns) int64).

    Parameters
    ----------
    folder : volumes written by ``spinemri.training.volumes``; new ones are noticed while it runs
    seed : start of the random sequence

    Raises
    ------
    InputError
        If the folder holds no volume.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.shelf, self.seed = VolumeShelf(Path(folder), _SHELF, _FRESH), seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Samples for ever; each loader worker draws its own."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        for count, *size in sizes(self.seed):
            patch = cut_patch(self.shelf.draw(rng), rng, (size[0], size[1]), count + NEIGHBOURS - 1)
            image = render(patch, rng)
            classes = np.where((image != 0).numpy(), patch.classes, 0)[NEIGHBOURS // 2 : -(NEIGHBOURS // 2)]
            yield stack(image, NEIGHBOURS), torch.from_numpy(classes.astype(np.int64))
