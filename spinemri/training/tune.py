"""Train a bundle's network further on pairs of one's own, beside painted subjects or alone.

As ``run``: interrupt it when you like; started again with the same output folder it goes on from the last checkpoint,
as long as the pairs and the weights that it started from are the same (``pairs.json`` in that folder). Every image is
segmented once with the weights that training starts from; what these were sure of where a mask says nothing is kept.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch

from spinemri.errors import InputError
from spinemri.segment.bundle import file_sha256
from spinemri.series import Plane
from spinemri.training.clock import CHECKPOINT
from spinemri.training.loop import train
from spinemri.training.own_volumes import own_volumes
from spinemri.training.real import RealSlices
from spinemri.training.run import PRIORS, earlier_view, stack_loader
from spinemri.training.start import FRESH, starting_network
from spinemri.training.synthetic import SyntheticSlices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from spinemri.segment.model import Model
    from spinemri.training.clock import TrainingConfig
    from spinemri.training.pairs import Pair

T = TypeVar("T")
R = TypeVar("R")

RECORD = "pairs.json"


@dataclass(frozen=True)
class OwnData:
    """What to train on.

    Parameters
    ----------
    pairs : images and masks
    painted : folder of painted subjects to train on beside them; None for none
    workers : processes that make samples
    threads : CPU threads of the network, for the whole process
    """

    pairs: tuple[Pair, ...]
    painted: Path | None = None
    workers: int = 1
    threads: int = 2


@dataclass(frozen=True)
class Tuned:
    """A run: its last checkpoint, and how many images taught each class."""

    checkpoint: Path
    taught: Mapping[str, int]


def tune_bundle(
    model: Model,
    data: OwnData,
    config: TrainingConfig,
    start: Path | str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Tuned:
    """Train the network of a bundle on pairs; the bundle itself is not changed.

    Parameters
    ----------
    model : from ``load_model``, of sagittal slices
    data : what to train on
    config : how long and how fast; ``real_stacks`` are of the pairs, ``stacks`` painted ones
    start : checkpoint or weights to start from; 'new' for fresh weights, None for the bundle's own
    progress : called with (stage, done, total) while images are read

    Raises
    ------
    InputError
        There is no pair, the network is not one of sagittal slices, a pair cannot be used, or the output folder holds a
        run on other pairs or from other weights.
    ModelError
        If the weights to start from do not fit.
    """
    if model.plane is not Plane.SAGITTAL:
        raise InputError(f"{model.name}: own images train networks of sagittal slices only, found {model.plane.value}")
    if not data.pairs:
        raise InputError("no pair of image and mask to train on")
    record = _record(model, data, start)
    check_run(config.out, record)
    torch.set_num_threads(data.threads)
    network = starting_network(model, start, PRIORS)
    earlier = None if start == FRESH else earlier_view(model, network)
    volumes = list(each_read(data.pairs, lambda pair: own_volumes(pair, model, earlier), "reading pairs", progress))
    keep_record(config.out, record)
    real = stack_loader(RealSlices(volumes, config.seed), data.workers)
    painted = stack_loader(SyntheticSlices(data.painted, config.seed), data.workers) if data.painted else ()
    shares = config if data.painted else replace(config, stacks=0)
    checkpoint = train(shares, network, model.class_weights, painted, real)
    return Tuned(checkpoint, Counter(volume.case.structure for volume in volumes))


def _record(model: Model, data: OwnData, start: Path | str | None) -> str:
    """What a run is on, as text that is the same when that is: masks by their content, images by their names."""
    pairs = [
        {
            "image": pair.image.name,
            "label": pair.label.name,
            "label_sha256": file_sha256(pair.label),
            "scheme": pair.scheme,
            "labelled": sorted(pair.labelled) if pair.labelled is not None else None,
        }
        for pair in data.pairs
    ]
    began = str(start) if start in (None, FRESH) else file_sha256(Path(str(start)))
    content = {"network": model.label, "weights": model.sha256, "start": began, "painted": data.painted is not None}
    return json.dumps({**content, "pairs": pairs}, indent=1) + "\n"


def each_read(
    items: Sequence[T], read: Callable[[T], Iterable[R]], stage: str, progress: Callable[[str, int, int], None] | None
) -> Iterator[R]:
    """What is read of every item, in their order; ``progress`` is told the stage, how many are done, of how many."""
    for done, item in enumerate(items, start=1):
        yield from read(item)
        if progress is not None:
            progress(stage, done, len(items))


def keep_record(out: Path, record: str) -> None:
    """Write what a run is on into its folder, which is made."""
    out.mkdir(parents=True, exist_ok=True)
    (out / RECORD).write_text(record, encoding="utf-8")


def check_run(out: Path, record: str) -> None:
    """Raise InputError when a folder holds a run on something else: its weights would pass for those of this one."""
    try:
        earlier = (out / RECORD).read_text(encoding="utf-8")
    except OSError:
        earlier = ""
    if (out / CHECKPOINT).exists() and earlier != record:
        raise InputError(f"{out.name}: holds a run on other pairs or from other weights; name another folder (-o)")
