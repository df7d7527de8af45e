"""Samples of the lesion network: scenes of painted subjects, and real images with implanted changes.

A sample is (image (channels, slices, rows, columns) float32, kinds (slices, rows, columns) int64): the sequences of
``segment.lesion_input.CHANNELS``, normalised as the predictor does, zero where a study lacks one, then the anatomy.
Masks that a network draws are not perfect, least of all where a lesion is; so are those of the samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from spinemri.segment.lesion_input import ANATOMY, CHANNELS, relative_to_marrow
from spinemri.synthesis.marrow_changes import UNKNOWN
from spinemri.synthesis.texture import smooth_noise
from spinemri.synthesis.tissue import BODY, CLASS_OF, COUNT, Tissue, class_of_tissue
from spinemri.synthesis.vertebra_grid import find_vertebrae
from spinemri.training.implant import implanted
from spinemri.training.marrow_scenes import (
    Scene,
    random_changes,
    random_channels,
    random_marrow,
    random_scene_size,
    render_channels,
)
from spinemri.training.marrow_textures import textures_of, woven
from spinemri.training.synthetic import cut_patch
from spinemri.training.volumes import VolumeShelf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.training.implant import RealScene

_CHANNEL_OF_CLASS = {CLASS_OF[kind]: n for n, kinds in enumerate(ANATOMY) for kind in kinds}
_CLASSES = np.append(class_of_tissue(), 0).astype(np.uint8)
_LAYERS = 2  # thin layers per slice
_WANDER = 25.0, 14.0  # mm from the spine to the middle of a scene
_SHELF, _FRESH = 16, 0.3  # volumes in memory; share of the samples before which one is exchanged
_REAL = 0.5  # share of samples with a real background
_FAT_OF_PATTERN = 0.4  # change of the fat fraction per unit of a pattern of T2-weighted signal: fat is bright
_LOST = 0.3  # of the changes are partly missing from the body's mask


def anatomy_channels(classes: NDArray[np.uint8]) -> torch.Tensor:
    """0 or 1 per anatomy channel, (channels, slices, rows, columns) float32, of classes (slices, rows, columns)."""
    found = np.zeros((len(ANATOMY), *classes.shape), dtype=np.float32)
    for value, channel in _CHANNEL_OF_CLASS.items():
        found[channel][classes == value] = 1
    return torch.from_numpy(found)


def sample_of(
    images: Mapping[str, torch.Tensor], classes: NDArray[np.uint8], kinds: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Network input and target of registered images (slices, rows, columns) per channel."""
    blank = torch.zeros(classes.shape)
    seen = _as_drawn(classes, kinds, rng)
    channels = [_view(images[name], seen == BODY, rng) if name in images else blank for name in CHANNELS]
    image = torch.cat([torch.stack(channels), anatomy_channels(seen)])
    target = torch.from_numpy(kinds.astype(np.int64))
    if rng.random() < 0.5:  # the order of slices does not tell left from right
        image, target = image.flip(1), target.flip(0)
    return image, target


def _view(slices: torch.Tensor, body: NDArray[np.bool_], rng: np.random.Generator) -> torch.Tensor:
    """One sequence relative to marrow, its level and gain a little off, moved by up to a pixel against the others."""
    normal = torch.from_numpy(relative_to_marrow(slices.numpy().astype(np.float32), body, 1.0))
    shifted = torch.roll(normal, [int(n) for n in rng.integers(-1, 2, 2)], (1, 2)) if rng.random() < 0.4 else normal
    present = (slices > 0).float()
    return (shifted * float(np.exp(rng.normal(0, 0.12))) + float(rng.normal(0, 0.08))) * present


def _as_drawn(classes: NDArray[np.uint8], kinds: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Classes as a network might draw them: borders a little off, parts of a change missing from the bone."""
    rows, columns = np.indices(classes.shape[1:])
    warp = [np.rint(smooth_noise(rng, classes.shape[1:], (10, 10)) * rng.uniform(0, 1.2)).astype(int) for _ in "rc"]
    rows, columns = np.clip(rows + warp[0], 0, None), np.clip(columns + warp[1], 0, None)
    drawn = classes[:, np.minimum(rows, classes.shape[1] - 1), np.minimum(columns, classes.shape[2] - 1)].copy()
    changed = (kinds > 0) & (kinds != UNKNOWN)
    if changed.any() and rng.random() < _LOST:
        lost = changed & (smooth_noise(rng, classes.shape, (3, 8, 8)) > rng.uniform(-0.3, 1))
        drawn[lost] = 0
    return drawn


def synthetic_sample(
    volume: dict[str, NDArray[np.uint8]],
    size: tuple[int, int, int],
    rng: np.random.Generator,
    channels: Sequence[str] | None = None,
    textures: Sequence[NDArray[np.float32]] = (),
) -> tuple[torch.Tensor, torch.Tensor]:
    """A scene of so many slices, rows and columns of a painted volume with arrays tissue and level (x, z, a).

    ``textures`` are patterns of real marrow to weave in, see ``training.marrow_textures``.
    """
    count, rows, columns = size
    patch = cut_patch(volume, rng, (rows, columns), count, _WANDER)
    tissue, level = patch.tissue.transpose(2, 0, 1), patch.level.transpose(2, 0, 1)
    tissue = np.where(tissue == int(Tissue.LESION), int(Tissue.MARROW), tissue).astype(np.uint8)
    classes = _CLASSES[np.minimum(tissue, COUNT)]
    names = tuple(channels or random_channels(rng))
    vertebrae = find_vertebrae(classes, level, (patch.layer_mm, 1.0, 1.0))
    changes = random_changes(vertebrae, classes.shape, rng)
    marrow = random_marrow(rng)
    patterns = _FAT_OF_PATTERN * woven(vertebrae, classes.shape, textures, rng)
    scene = Scene(tissue, level, changes, marrow, int(rng.integers(2**31)), _LAYERS, patterns)
    images, visible = render_channels(scene, names, rng)
    kinds = _of_slices(visible)
    inside = torch.from_numpy(patch.inside)
    images = {name: image * inside for name, image in images.items()}
    kinds = np.where(patch.inside[None], kinds, UNKNOWN).astype(np.uint8)
    return sample_of(images, patch.classes, kinds, rng)


def _of_slices(kinds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Kind of each slice's voxels from thin layers: what all of them say, else UNKNOWN."""
    layers = kinds.reshape(-1, _LAYERS, *kinds.shape[1:])
    same = (layers == layers[:, :1]).all(axis=1)
    return np.where(same, layers[:, 0], UNKNOWN).astype(np.uint8)


class MarrowSamples(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless batches of samples; those of one batch are of one size.

    Parameters
    ----------
    folder : painted volumes without lesions, see ``training.volumes``; new ones are noticed while it runs
    real : sets of real images with their anatomy, drawn from equally often; none for painted subjects only
    batch : samples in each
    seed : start of the random sequence

    Raises
    ------
    InputError
        If the folder holds no volume.
    """

    def __init__(self, folder: Path, real: Sequence[Sequence[RealScene]] = (), batch: int = 1, seed: int = 0) -> None:
        self.shelf, self.batch, self.seed = VolumeShelf(folder, _SHELF, _FRESH), batch, seed
        self.real = tuple(tuple(scenes) for scenes in real if scenes)
        self.textures = [pattern for scenes in self.real for scene in scenes for pattern in textures_of(scene)]

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches for ever, image (batch, channels, ...) and kinds (batch, ...); each loader worker draws its own."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            size = random_scene_size(rng)
            images, kinds = zip(*(self._sample(size, rng) for _ in range(self.batch)), strict=True)
            yield torch.stack(images), torch.stack(kinds)

    def _sample(self, size: tuple[int, int, int], rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.real or rng.random() >= _REAL:
            return synthetic_sample(self.shelf.draw(rng), size, rng, textures=self.textures)
        scenes = self.real[rng.integers(len(self.real))]
        return sample_of(*implanted(scenes[rng.integers(len(scenes))], size, rng, self.textures), rng)
