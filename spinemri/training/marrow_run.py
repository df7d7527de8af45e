"""Train the lesion network of a bundle on painted subjects and on real backgrounds with implanted changes.

As ``run``: interrupt it when you like; started again with the same output folder it goes on from the last checkpoint.
Real images are segmented by the anatomy model once at the start, which takes some minutes for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader

from spinemri.lesion import MarrowChange
from spinemri.read import read_volume
from spinemri.training.marrow_loop import train_lesions
from spinemri.training.marrow_samples import MarrowSamples
from spinemri.training.real import background_cases
from spinemri.training.real_scenes import real_scene
from spinemri.training.replay import changed, packed, replayed
from spinemri.training.start import starting_network
from spinemri.training.volumes import write_volumes

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.segment.lesion_model import LesionModel
    from spinemri.segment.predictor import Predictor
    from spinemri.training.clock import TrainingConfig
    from spinemri.training.implant import RealScene
    from spinemri.training.replay import Batch

_FIRST_SUBJECT = 5000  # far from the seeds of the anatomy's training and of every test
_CHANGED = 0.1  # share of voxels near the spine that belong to a change
_PREFETCH = 8


@dataclass(frozen=True)
class MarrowData:
    """What to train on.

    Parameters
    ----------
    painted : folder of painted subjects without lesions
    paint : so many subjects are painted into it first, unless they are there
    shapes : folder of vertebra meshes for their posterior elements; None draws them as solids
    real : folder of labelled sets, of which the people of the fixed split are backgrounds; None for none
    unlabelled : further images of people without marrow lesions
    workers : processes that make samples
    threads : CPU threads of the network
    """

    painted: Path
    paint: int = 0
    shapes: Path | None = None
    real: Path | None = None
    unlabelled: tuple[Path, ...] = ()
    workers: int = 1
    threads: int = 1


def train_lesion_bundle(
    model: LesionModel, anatomy: Predictor, data: MarrowData, config: TrainingConfig, start: Path | str | None = None
) -> Path:
    """Train the network of a lesion bundle; returns the last checkpoint. The bundle itself is not changed.

    Parameters
    ----------
    model : from ``load_lesion_model``
    anatomy : segments the real images
    data : what to train on
    config : how long and how fast
    start : checkpoint or weights to start from; 'new' for fresh weights, None for the bundle's own

    Raises
    ------
    InputError
        If there is nothing to train on.
    ModelError
        If the weights to start from do not fit.
    """
    torch.set_num_threads(data.threads)
    write_volumes(data.painted, range(_FIRST_SUBJECT, _FIRST_SUBJECT + data.paint), data.shapes, plain=True)
    network = starting_network(model, start, starting_priors())
    samples = MarrowSamples(data.painted, backgrounds(data, anatomy), config.stacks, config.seed)
    loader: DataLoader[Batch] = DataLoader(
        samples, batch_size=None, num_workers=data.workers, prefetch_factor=_PREFETCH
    )
    batches = replayed(loader, config.replays, changed, config.seed, packed)
    return train_lesions(config, network, model.lesion_weight, batches)


def starting_priors() -> list[float]:
    """How common each output of a lesion network is: no change first, then every kind alike."""
    return [1 - _CHANGED, *[_CHANGED / len(MarrowChange)] * len(MarrowChange)]


def backgrounds(data: MarrowData, anatomy: Predictor) -> list[list[RealScene]]:
    """Real images by set; the contrast of the labelled sets is T2w or near enough to stand for it."""
    sets: dict[str, list[Path]] = {"": list(data.unlabelled)}
    if data.real is not None:
        for case in background_cases():
            sets.setdefault(case.set, []).append(case.files(data.real)[0])
    return [[real_scene(read_volume(path), anatomy, "T2w") for path in paths] for paths in sets.values()]
