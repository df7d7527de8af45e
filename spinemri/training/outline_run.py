"""Train the outliner of a bundle on painted people and on real images with labelled bodies.

As ``run``: interrupt it when you like; started again with the same output folder it goes on from the last checkpoint.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as nnf
from torch.utils.data import DataLoader

from spinemri.anatomy import StructureKind
from spinemri.segment.outline_view import CHANNELS, first_guess
from spinemri.training.clock import SetMeans, logits_of, run_by_the_clock
from spinemri.training.outline_samples import OutlineSamples, painted_scene, real_scene
from spinemri.training.real import read_pair, training_cases
from spinemri.training.start import starting_network
from spinemri.training.volumes import VolumeShelf, write_volumes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from spinemri.image import Image
    from spinemri.segment.outline_model import OutlineModel
    from spinemri.segment.predictor import Predictor
    from spinemri.training.clock import TrainingConfig
    from spinemri.training.outline_samples import Maker, OutlineScene
    from spinemri.training.run import TrainingData

    Labelled = Sequence[tuple[Image, np.ndarray]]

_FIRST_SUBJECT = 3000  # those of the anatomy network
_PER_STACK = 3  # bodies that count as one stack of the other networks
_SHELF, _FRESH = 6, 0.25
_PREFETCH = 4
_FAR = 0.3  # weight of what lies more than three pixels from the true body


def train_outline_bundle(
    model: OutlineModel, anatomy: Predictor, data: TrainingData, config: TrainingConfig, start: Path | str | None = None
) -> Path:
    """Train the outliner of a bundle; returns the last checkpoint. The bundle itself is not changed.

    Parameters
    ----------
    model : from ``load_outline_model``
    anatomy : reads the images; an outliner of its own is not used
    data : what to train on; images without labels teach nothing here
    config : how long and how fast; a stack is 3 bodies
    start : checkpoint or weights to start from; 'new' for fresh weights, None for the bundle's own

    Raises
    ------
    InputError
        If there is nothing to train on.
    ModelError
        If the weights to start from do not fit.
    """
    torch.set_num_threads(data.threads)
    write_volumes(data.painted, range(_FIRST_SUBJECT, _FIRST_SUBJECT + data.paint), data.shapes)
    shelf = VolumeShelf(data.painted, _SHELF, _FRESH)
    sets = [_loader(partial(painted_scene, shelf, anatomy), config.stacks, config.seed, data.workers)]
    labelled = _labelled(data.real) if data.real is not None else []
    if labelled:
        sets.append(_loader(partial(_any_of, labelled, anatomy), config.real_stacks, config.seed, 1))
    return run_by_the_clock(config, starting_network(model, start, None), _Outlines(sets))


def _labelled(root: Path) -> Labelled:
    """Real images with labelled bodies, and their numbers (k, j, i)."""
    cases = [case for case in training_cases() if case.structure == StructureKind.VERTEBRAL_BODY.value]
    pairs = (read_pair(case, root) for case in cases)
    return [(image, np.asarray(labels.voxels).astype(np.uint8)) for image, labels in pairs]


def _any_of(labelled: Labelled, anatomy: Predictor, rng: np.random.Generator) -> OutlineScene | None:
    image, labels = labelled[int(rng.integers(len(labelled)))]
    return real_scene(image, labels, anatomy, rng)


def _loader(maker: Maker, stacks: int, seed: int, workers: int) -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
    samples = OutlineSamples(maker, stacks * _PER_STACK, seed)
    return DataLoader(samples, batch_size=None, num_workers=workers, prefetch_factor=_PREFETCH)


class _Outlines:
    """Cross-entropy of every voxel and overlap of every body, painted and real ones alike."""

    columns = ("loss_painted", "dice_painted", "loss_real", "dice_real")

    def __init__(self, sets: Sequence[Iterable[Sequence[torch.Tensor]]]) -> None:
        self.sets = [iter(samples) for samples in sets]
        self.means = SetMeans(len(self.sets))

    def backward(self, network: torch.nn.Module) -> None:
        device = next(network.parameters()).device
        for number, samples in enumerate(self.sets):
            views, truth = (values.to(device) for values in next(samples))
            logits = logits_of(network, views)[:, 0] + first_guess(views)
            loss, overlap = outline_loss(logits, truth, views[:, CHANNELS - 1])
            (loss / len(self.sets)).backward()  # type: ignore[no-untyped-call]
            self.means.add(number, loss, overlap)

    def row(self) -> Sequence[str]:
        return self.means.row()


def outline_loss(logits: torch.Tensor, truth: torch.Tensor, there: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and mean soft Dice of bodies (n, slices, rows, columns); slices that are not ``there`` count nothing."""
    near = nnf.max_pool3d(truth[:, None], (3, 7, 7), 1, (1, 3, 3))[:, 0]
    weight = there * (_FAR + (1 - _FAR) * near)
    entropy = nnf.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    found = logits.sigmoid() * there
    both = (found * truth).sum((1, 2, 3))
    overlap = ((2 * both + 1) / (found.sum((1, 2, 3)) + truth.sum((1, 2, 3)) + 1)).mean()
    return (entropy * weight).sum() / weight.sum() + 1 - overlap, overlap
