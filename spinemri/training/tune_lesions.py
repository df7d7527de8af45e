"""Train a lesion bundle's network further on outlines of one's own, beside painted subjects or alone.

As ``tune``: interrupt it when you like; started again with the same output folder it goes on from the last checkpoint,
as long as outlines and weights that it started from are the same.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader

from spinemri.errors import InputError
from spinemri.lesion import MarrowChange
from spinemri.segment.bundle import file_sha256
from spinemri.training.marrow_loop import train_lesions
from spinemri.training.marrow_run import starting_priors
from spinemri.training.marrow_samples import MarrowSamples
from spinemri.training.own_lesion_samples import OwnLesionSamples, in_turn
from spinemri.training.own_scenes import own_scenes
from spinemri.training.start import FRESH, starting_network
from spinemri.training.tune import Tuned, check_run, each_read, keep_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from spinemri.segment.lesion_model import LesionModel
    from spinemri.segment.predictor import Predictor
    from spinemri.training.clock import TrainingConfig
    from spinemri.training.own_lesions import OwnStudy
    from spinemri.training.own_scenes import OwnScene

_PREFETCH = 8


@dataclass(frozen=True)
class OwnLesionData:
    """What to train on.

    Parameters
    ----------
    studies : images and outlines
    anatomy : draws the bones of studies that come without
    painted : folder of painted subjects to train on beside them; None for none
    workers : processes that make samples
    threads : CPU threads of the network, for the whole process
    """

    studies: tuple[OwnStudy, ...]
    anatomy: Predictor
    painted: Path | None = None
    workers: int = 1
    threads: int = 2


def tune_lesion_bundle(
    model: LesionModel,
    data: OwnLesionData,
    config: TrainingConfig,
    start: Path | str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Tuned:
    """Train the network of a lesion bundle on outlines; the bundle itself is not changed.

    Parameters
    ----------
    model : from ``load_lesion_model``
    data : what to train on
    config : how long and how fast; ``stacks`` are painted ones per step of theirs
    start : checkpoint or weights to start from; 'new' for fresh weights, None for the bundle's own
    progress : called with (stage, done, total) while studies are read

    Raises
    ------
    InputError
        There is no study, one cannot be used, or the output folder holds a run on other outlines or weights.
    ModelError
        If the weights to start from do not fit.
    """
    if not data.studies:
        raise InputError("no study with outlines to train on")
    record = _record(model, data, start)
    check_run(config.out, record)
    torch.set_num_threads(data.threads)
    network = starting_network(model, start, starting_priors())
    taught = Counter[str]()

    def read(study: OwnStudy) -> list[OwnScene]:
        found = own_scenes(study, model, data.anatomy)
        taught.update({kind.value for scene in found for kind in scene.outlined()})
        return found

    scenes = list(each_read(data.studies, read, "reading studies", progress))
    keep_record(config.out, record)
    own = _loader(OwnLesionSamples(scenes, config.seed), data.workers)
    painted = (
        _loader(MarrowSamples(data.painted, (), config.stacks, config.seed), data.workers) if data.painted else None
    )
    checkpoint = train_lesions(config, network, model.lesion_weight, in_turn(own, painted))
    return Tuned(checkpoint, {kind.value: taught[kind.value] for kind in MarrowChange if taught[kind.value]})


def _loader(samples: OwnLesionSamples | MarrowSamples, workers: int) -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
    return DataLoader(samples, batch_size=None, num_workers=workers, prefetch_factor=_PREFETCH)


def _record(model: LesionModel, data: OwnLesionData, start: Path | str | None) -> str:
    """What a run is on, as text that is the same when that is: outlines by their content, images by their names."""
    studies = [
        {
            "study": study.study.name,
            "lesions_sha256": file_sha256(study.lesions) if study.lesions else None,
            "kinds": sorted((value or 0, kind.value) for value, kind in study.kinds.items()),
            "levels": None if study.levels is None else sorted(map(str, study.levels)),
            "anatomy_sha256": file_sha256(study.anatomy) if study.anatomy else None,
        }
        for study in data.studies
    ]
    began = str(start) if start in (None, FRESH) else file_sha256(Path(str(start)))
    content = {"network": model.label, "weights": model.sha256, "start": began, "painted": data.painted is not None}
    return json.dumps({**content, "studies": studies}, indent=1) + "\n"
