"""Samples of studies with outlines of one's own: parts around a lesion or a body, as the lesion network reads them.

Few people must teach many: what a part shows is seen through other gains, levels and noise, in the other order of
slices, and at times with a sequence less, for a study may lack any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from spinemri.segment.lesion_input import CHANNELS
from spinemri.synthesis.marrow_changes import UNKNOWN
from spinemri.training.marrow_scenes import random_scene_size
from spinemri.training.replay import changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spinemri.training.own_scenes import OwnScene

    Batch = tuple[torch.Tensor, torch.Tensor]

_AT_LESION = 0.7  # of the parts lie around an outline, where there is one
_LESS = 0.3  # of the samples lack a sequence that the study has
_BODY = len(CHANNELS)  # channel of the vertebral bodies
_WANDER = 2, 24, 24  # voxels from the middle of a part to what it was chosen for


class OwnLesionSamples(IterableDataset["Batch"]):
    """Endless batches of one sample: image (1, channels, slices, rows, columns), kinds (1, slices, rows, columns).

    Parameters
    ----------
    scenes : from ``own_scenes``, drawn from equally often
    seed : start of the random sequence
    """

    def __init__(self, scenes: Sequence[OwnScene], seed: int = 0) -> None:
        self.scenes, self.seed = tuple(scenes), seed

    def __iter__(self) -> Iterator[Batch]:
        """Batches for ever; each loader worker draws its own."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        number = worker.id if worker else 0
        rng = np.random.default_rng([self.seed, number, 5])
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        while True:
            image, kinds = part_of(self.scenes[rng.integers(len(self.scenes))], rng)
            yield changed((image[None], kinds[None]), generator)


def part_of(scene: OwnScene, rng: np.random.Generator) -> Batch:
    """A part of a scene (channels, slices, rows, columns) and its kinds (slices, rows, columns) int64.

    What lies outside the scene shows nothing and is not taught.
    """
    size = random_scene_size(rng)
    marked = (scene.kinds > 0) & (scene.kinds != UNKNOWN)
    around = marked if marked.any() and rng.random() < _AT_LESION else scene.volume[_BODY].numpy() > 0
    places = np.argwhere(around if around.any() else np.ones_like(marked))
    middle = places[rng.integers(len(places))] + [int(rng.integers(-n, n + 1)) for n in _WANDER]
    image = torch.zeros((len(scene.volume), *size))
    kinds = torch.full(size, UNKNOWN, dtype=torch.int64)
    low = np.asarray(middle) - np.asarray(size) // 2
    inside = [slice(max(a, 0), min(a + n, whole)) for a, n, whole in zip(low, size, scene.kinds.shape, strict=True)]
    there = tuple(slice(s.start - a, s.stop - a) for s, a in zip(inside, low, strict=True))
    here = tuple(inside)
    image[(slice(None), *there)] = scene.volume[(slice(None), *here)]
    kinds[there] = torch.from_numpy(scene.kinds[here].astype(np.int64))
    if len(scene.shown) > 1 and rng.random() < _LESS:
        image[CHANNELS.index(scene.shown[rng.integers(len(scene.shown))])] = 0
    return image, kinds


def in_turn(own: Iterable[Batch], painted: Iterable[Batch] | None) -> Iterator[Batch]:
    """Batches of own studies, each followed by one of painted subjects where there are some."""
    others = iter(painted) if painted is not None else None
    for batch in own:
        yield batch
        if others is not None:
            yield next(others)
