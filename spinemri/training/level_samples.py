"""Training samples of the level reader: windows around vertebrae whose level is known, painted and real.

Painted people know all levels. In real images a reader's lowest label is L5, which tells every vertebra above and below
it by counting; a neck shown whole is counted from C2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from spinemri.errors import InputError
from spinemri.segment.level_model import READ_LEVELS
from spinemri.segment.level_view import OFFSETS_MM, PIXEL_MM, WINDOW_MM, coarse, slices_around
from spinemri.synthesis.morphometry import NAMES
from spinemri.synthesis.tissue import BODY
from spinemri.training.augment import SliceAugment
from spinemri.training.bending import Pose, looked_at
from spinemri.training.synthetic import CLASSES, OUTSIDE, Patch, render
from spinemri.training.volumes import VolumeShelf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Sample = tuple[torch.Tensor, int]

_VOLUME_SLICE_MM = 2.5
_SUB = 2  # layers per slice
_LEAST_FIELD, _FIELD = (80, 72), (128, 168)  # pixels of 2 mm that a picture shows
_GRAIN, _BEND = (8, 20), (0.2, 1.0)
_LEAST_VOXELS = 150  # of a body in all layers that counts as shown
_WANDER = np.array([4.0, 60.0, 30.0])  # (x, z, a) voxels
_STRAY_MM = np.array([3.0, 4.0])  # how far a found body's middle lies from the true one, backwards and upwards
_ASIDE_MM = 3.0
_WHOLE, _LEAST_SHOWN_MM = 0.6, (140, 130)  # of the samples of real images; rows and columns of the others
_MIDDLE = tuple(slice(mm // PIXEL_MM // 2 - 3, mm // PIXEL_MM // 2 + 3) for mm in WINDOW_MM)
_PLACE = {level.name: place for place, level in enumerate(READ_LEVELS)}
_SHELF, _FRESH, _POOL = 12, 0.25, 96


@dataclass(frozen=True, eq=False)
class LevelScene:
    """A real image on the anatomy's working grid, and vertebrae whose level is known.

    Parameters
    ----------
    source : data set it is from
    slices : (slices, rows, columns) intensities from 0
    slice_mm : distance of the slices
    places : (n, 3) slice, row and column of each vertebra's middle
    levels : (n,) their places in READ_LEVELS
    """

    source: str
    slices: torch.Tensor
    slice_mm: float
    places: NDArray[np.float64]
    levels: NDArray[np.intp]


class PaintedLevels(IterableDataset["Sample"]):
    """Endless samples (view (5, rows, columns) float32, place in READ_LEVELS) of painted people.

    Parameters
    ----------
    folder : volumes of ``write_volumes``
    seed : start of the random sequence

    Raises
    ------
    InputError
        If the folder holds no volume.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.shelf, self.seed = VolumeShelf(Path(folder), _SHELF, _FRESH), seed

    def __iter__(self) -> Iterator[Sample]:
        """Samples for ever, those of one picture far apart; each loader worker draws its own."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        pool: list[Sample] = []
        while True:
            while len(pool) < _POOL:
                pool += painted_views(self.shelf.draw(rng), rng)
            yield pool.pop(int(rng.integers(len(pool))))


def painted_views(volume: dict[str, NDArray[np.uint8]], rng: np.random.Generator) -> list[Sample]:
    """Views of the vertebrae that one random picture of a volume with arrays (x, z, a) shows."""
    bodies = np.argwhere(CLASSES[volume["tissue"][::2, ::4, ::4]] == BODY) * [2, 4, 4]
    if len(bodies) == 0:
        return []
    picture = _picture(volume, rng, bodies[rng.integers(len(bodies))] + rng.uniform(-1, 1, 3) * _WANDER)
    image = render(picture, rng, most_lost=1)
    bone = np.where(CLASSES[picture.tissue] == BODY, picture.level, 0)
    samples = []
    for name in np.unique(bone[bone > 0]):
        place = _PLACE.get(NAMES[name - 1]) if name <= len(NAMES) else None
        seen = np.argwhere(bone == name)
        if place is None or len(seen) < _LEAST_VOXELS:
            continue
        view = _window(image, seen[:, :2].mean(axis=0) + rng.normal(0, 1, 2) * _STRAY_MM / PIXEL_MM)
        if view[len(view) // 2, _MIDDLE[0], _MIDDLE[1]].any():  # its field of view shows the vertebra
            samples.append((view, place))
    return samples


def _picture(volume: dict[str, NDArray[np.uint8]], rng: np.random.Generator, middle: NDArray[np.float64]) -> Patch:
    """Five slices around a place (x, z, a) of a volume, pixels of about 2 mm."""
    tissue, level = volume["tissue"], volume["level"]
    size = int(rng.integers(_LEAST_FIELD[0], _FIELD[0])), int(rng.integers(_LEAST_FIELD[1], _FIELD[1]))
    scale = float(np.exp(rng.uniform(-0.2, 0.2)))
    steps = PIXEL_MM * scale * np.exp(rng.uniform(-0.08, 0.08, 2))
    pose = Pose(steps, float(np.deg2rad(rng.normal(0, 9))), _GRAIN, _BEND)
    at_a, at_z = looked_at(rng, size, (middle[2], middle[1]), pose)
    apart = np.array(OFFSETS_MM) / _VOLUME_SLICE_MM * scale * (1 if rng.random() < 0.5 else -1)
    thick = rng.uniform(1.0, 2.0)  # mm from the middle of a slice to that of either of its layers
    at_x = middle[0] + (apart[:, None] + np.array([-0.5, 0.5]) * thick / _VOLUME_SLICE_MM).ravel()
    where = [np.rint(at).astype(np.intp) for at in (at_x, at_z[..., None], at_a[..., None])]
    inside = np.ones(size, dtype=bool)
    for at, count in zip(where[1:], tissue.shape[1:], strict=True):
        inside &= ((at >= 0) & (at < count))[..., 0]
    x, z, a = (np.clip(at, 0, count - 1) for at, count in zip(where, tissue.shape, strict=True))
    cut, cut_level = tissue[x, z, a], level[x, z, a]
    cut[~inside] = OUTSIDE
    gone = (where[0] < 0) | (where[0] >= len(tissue))
    cut[..., gone], cut_level[..., gone] = OUTSIDE, 0
    return Patch(cut, np.where(inside[..., None], cut_level, 0), np.zeros((0, 0, 0), np.uint8), inside, thick, _SUB)


def _window(image: torch.Tensor, centre: NDArray[np.float64]) -> torch.Tensor:
    """The reader's window (5, rows, columns) of a picture around a pixel; 0 beyond the picture."""
    rows, columns = (mm // PIXEL_MM for mm in WINDOW_MM)
    window = torch.zeros(len(image), rows, columns)
    top, left = (round(float(c)) - n // 2 for c, n in zip(centre, (rows, columns), strict=True))
    high, wide = image.shape[1:]
    into = slice(max(0, -top), min(rows, high - top)), slice(max(0, -left), min(columns, wide - left))
    seen = slice(into[0].start + top, into[0].stop + top), slice(into[1].start + left, into[1].stop + left)
    window[:, into[0], into[1]] = image[:, seen[0], seen[1]]
    return window


class RealLevels(IterableDataset["Sample"]):
    """Endless samples of real images, another contrast, pose and scale each time; sets are drawn equally.

    Raises
    ------
    InputError
        If there is no scene.
    """

    def __init__(self, scenes: Sequence[LevelScene], seed: int) -> None:
        if not scenes:
            raise InputError("no labelled vertebrae to train on")
        self.sets: dict[str, list[LevelScene]] = {}
        for scene in scenes:
            self.sets.setdefault(scene.source, []).append(scene)
        self.seed = seed

    def __iter__(self) -> Iterator[Sample]:
        """Samples for ever; each loader worker draws its own."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        augment = SliceAugment(int(rng.integers(2**31)))
        names = list(self.sets)
        while True:
            chosen = self.sets[names[rng.integers(len(names))]]
            scene = chosen[rng.integers(len(chosen))]
            number = int(rng.integers(len(scene.places)))
            at, row, column = scene.places[number] + rng.normal(0, 1, 3) * [_ASIDE_MM / scene.slice_mm, *_STRAY_MM]
            view = slices_around(_shown(scene.slices, rng), at, scene.slice_mm)
            sample = augment(view, torch.zeros(2, *view.shape[1:]), (row, column), WINDOW_MM)
            if sample is not None:
                seen = sample[0] if rng.random() < 0.5 else sample[0].flip(0)
                yield coarse(seen), int(scene.levels[number])


def _shown(slices: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Slices as a smaller field of view would show them, now and then: 0 beyond it."""
    if rng.random() < _WHOLE:
        return slices
    keep = torch.zeros_like(slices[0])
    spans = []
    for count, least in zip(slices.shape[1:], _LEAST_SHOWN_MM, strict=True):
        size = int(rng.integers(min(least, count), count + 1))
        start = int(rng.integers(0, count - size + 1))
        spans.append(slice(start, start + size))
    keep[spans[0], spans[1]] = 1
    return slices * keep
