"""Train a bundle's network on painted subjects and labelled real images, and write the weights back into it.

Interrupt it when you like: started again with the same output folder, it goes on from the last checkpoint until its
minutes are spent.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader

from spinemri.errors import InputError
from spinemri.segment.predictor import Predictor
from spinemri.series import Plane
from spinemri.training.axial import AxialSlices, write_axial
from spinemri.training.loop import train
from spinemri.training.real import RealSlices, load_case, load_unlabelled, training_cases
from spinemri.training.start import FRESH, starting_network
from spinemri.training.synthetic import SyntheticSlices
from spinemri.training.volumes import write_volumes

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.segment.model import Model
    from spinemri.training.clock import TrainingConfig
    from spinemri.training.real import LabelledVolume

PRIORS = (0.75, 0.07, 0.05, 0.04, 0.04, 0.03, 0.02)
"""Share of pixels near the spine, per class."""
_PREFETCH = 8
_COURTESY = 15  # of the loaders' priority
_FIRST_SUBJECT = 3000  # far from the seeds that phantoms are tested with


@dataclass(frozen=True)
class TrainingData:
    """What to train on.

    Parameters
    ----------
    painted : folder of painted subjects
    paint : so many subjects are painted into it first, unless they are there
    shapes : folder of vertebra meshes for their posterior elements; None draws them as solids
    real : folder of labelled sets, of which the people of the fixed split are read; None for none
    unlabelled : sagittal or 3D images without labels, that teach what the weights to start from are sure to see
    workers : processes that render synthetic slices
    threads : CPU threads of the network, for the whole process
    """

    painted: Path
    paint: int = 0
    shapes: Path | None = None
    real: Path | None = None
    unlabelled: tuple[Path, ...] = ()
    workers: int = 1
    threads: int = 2


def train_bundle(model: Model, data: TrainingData, config: TrainingConfig, start: Path | str | None = None) -> Path:
    """Train the network of a bundle; returns the last checkpoint. The bundle itself is not changed.

    Parameters
    ----------
    model : from ``load_model``; unless training starts from fresh weights, all real images are segmented first with the
        weights that it starts from
    data : what to train on
    config : how long and how fast
    start : checkpoint or weights to start from; 'new' for fresh weights, None for the bundle's own

    Raises
    ------
    InputError
        If there is nothing to train on, or images without labels are to be learnt from with fresh weights.
    ModelError
        If the weights to start from do not fit.
    """
    if data.workers < 1:
        raise InputError(f"{data.workers} workers: expected at least 1")
    torch.set_num_threads(data.threads)
    network = starting_network(model, start, PRIORS)
    synthetic = stack_loader(_synthetic(model, data, config.seed), data.workers)
    volumes = _real_volumes(model, data, None if start == FRESH else earlier_view(model, network))
    real = stack_loader(RealSlices(volumes, config.seed), max(1, data.workers // 3)) if volumes else None
    return train(config, network, model.class_weights, synthetic, real)


def _synthetic(model: Model, data: TrainingData, seed: int) -> SyntheticSlices | AxialSlices:
    """Slices of painted subjects in the model's plane; subjects that are asked for and not there yet are painted."""
    subjects = range(_FIRST_SUBJECT, _FIRST_SUBJECT + data.paint)
    if model.plane is Plane.SAGITTAL:
        write_volumes(data.painted, subjects, data.shapes)
        return SyntheticSlices(data.painted, seed)
    if data.real is not None or data.unlabelled:
        raise InputError(f"{model.name}: real images are sagittal or 3D, expected none for a network of axial slices")
    write_axial(data.painted, subjects, data.shapes)
    return AxialSlices(data.painted, model.spacing_mm, seed)


def _real_volumes(model: Model, data: TrainingData, earlier: Predictor | None) -> list[LabelledVolume]:
    if data.unlabelled and earlier is None:
        raise InputError(
            "images without labels teach only what earlier weights see in them: expected weights to start from"
        )
    cases = training_cases() if data.real is not None else ()
    volumes = [load_case(case, data.real, model, earlier) for case in cases if data.real is not None]
    return volumes + [load_unlabelled(path, model, earlier) for path in data.unlabelled if earlier is not None]


def earlier_view(model: Model, network: torch.nn.Module) -> Predictor:
    """A predictor with the weights that training starts from."""
    predictor = Predictor(model, str(next(network.parameters()).device), quality=True)
    predictor.network.load_state_dict(network.state_dict())
    return predictor


def stack_loader(
    slices: SyntheticSlices | AxialSlices | RealSlices, workers: int
) -> DataLoader[tuple[torch.Tensor, ...]]:
    """Stacks one by one: they differ in size. Whoever prepares them steps back behind the network's own threads."""
    return DataLoader(
        slices, batch_size=None, num_workers=workers, prefetch_factor=_PREFETCH, worker_init_fn=_step_back
    )


def _step_back(_: int) -> None:
    os.nice(_COURTESY)
