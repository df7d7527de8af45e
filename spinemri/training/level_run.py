"""Train the level reader of a bundle on painted people and on real images whose levels are known.

As ``run``: interrupt it when you like; started again with the same output folder it goes on from the last checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as nnf
from torch.utils.data import DataLoader

from spinemri.anatomy import Level, StructureKind
from spinemri.errors import InputError
from spinemri.read import read_volume
from spinemri.segment.label import label_anatomy
from spinemri.segment.level_model import READ_LEVELS
from spinemri.segment.levels import count_from
from spinemri.segment.preprocess import working_map, working_slices
from spinemri.spine import LevelBasis
from spinemri.training.clock import SetMeans, logits_of, run_by_the_clock
from spinemri.training.level_samples import LevelScene, PaintedLevels, RealLevels
from spinemri.training.real import drawn_bodies, read_pair, training_cases
from spinemri.training.start import starting_network
from spinemri.training.teacher import seen_column
from spinemri.training.volumes import write_volumes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from spinemri.image import Image
    from spinemri.segment.level_model import LevelModel
    from spinemri.segment.predictor import Predictor
    from spinemri.training.clock import TrainingConfig
    from spinemri.training.real import LabelledCase
    from spinemri.training.run import TrainingData

    Known = Sequence[tuple[tuple[float, float, float], Level]]

_FIRST_SUBJECT = 3000  # those of the anatomy network
_PER_STACK = 24  # vertebrae that count as one stack of the other networks
_SMOOTHING = 0.05
_PREFETCH = 4
_LAST_LUMBAR = Level("L5")


def train_level_bundle(
    model: LevelModel, anatomy: Predictor, data: TrainingData, config: TrainingConfig, start: Path | str | None = None
) -> Path:
    """Train the level reader of a bundle; returns the last checkpoint. The bundle itself is not changed.

    Parameters
    ----------
    model : from ``load_level_model``
    anatomy : finds the vertebrae of real images
    data : what to train on; of images without labels those in which C2 is seen
    config : how long and how fast; a stack is 24 vertebrae
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
    painted = PaintedLevels(data.painted, config.seed)
    sets = [_loader(painted, config.stacks, data.workers)]
    scenes = known_scenes(data, anatomy)
    if scenes:
        sets.append(_loader(RealLevels(scenes, config.seed), config.real_stacks, 1))
    return run_by_the_clock(config, starting_network(model, start, None), _Levels(sets))


def known_scenes(data: TrainingData, anatomy: Predictor) -> list[LevelScene]:
    """Real images with vertebrae whose levels are known.

    Raises
    ------
    InputError
        If an image is missing, or one without labels shows no C2.
    """
    cases = training_cases() if data.real is not None else ()
    found = [_labelled(case, data.real, anatomy) for case in cases if data.real is not None]
    return [scene for scene in found if scene is not None] + [_neck(path, anatomy) for path in data.unlabelled]


def _labelled(case: LabelledCase, root: Path, anatomy: Predictor) -> LevelScene | None:
    """Vertebrae counted from the reader's lowest body; None when the case labels no bodies."""
    image, labels = read_pair(case, root)
    drawn = drawn_bodies(case, labels)
    if drawn is None:
        return None
    _, column = seen_column(image, anatomy, drawn)
    if column is None:
        return None
    last = min(column.bodies, key=lambda body: float(np.linalg.norm(np.array(body.centre) - drawn.last)))
    levels = [(body.centre, count_from(_LAST_LUMBAR, body.slot - last.slot)) for body in column.bodies]
    return level_scene(case.set, image, anatomy, [(at, level) for at, level in levels if level is not None])


def _neck(path: Path, anatomy: Predictor) -> LevelScene:
    """Vertebrae of an image without labels, counted from C2."""
    image = read_volume(path)
    found = anatomy.classify(image)
    named, names, _ = label_anatomy(found.classes, image.geometry, image.series.series_uid, found.made_by)
    if not names or any(name.basis is not LevelBasis.FROM_C2 for name in names):
        raise InputError(f"{path.name}: no C2 is seen in it: expected an image whose levels can be counted from there")
    bodies = named.of_kind(StructureKind.VERTEBRAL_BODY)
    known = [(image.geometry.to_patient(np.argwhere(named.mask(s))).mean(axis=0), s.level) for s in bodies]
    return level_scene("unlabelled", image, anatomy, [(at, level) for at, level in known if level is not None])


def level_scene(source: str, image: Image, anatomy: Predictor, known: Known) -> LevelScene:
    """An image on the working grid of the anatomy model with its known vertebrae, middles in LPS mm."""
    mapping = working_map(image, anatomy.model)
    slices = working_slices(image, mapping)
    read = [(at, READ_LEVELS.index(level)) for at, level in known if level in READ_LEVELS]
    places = mapping.places(image.geometry.to_index(np.array([at for at, _ in read])))
    return LevelScene(source, slices, mapping.slice_mm, places, np.array([level for _, level in read]))


def _loader(
    samples: PaintedLevels | RealLevels, stacks: int, workers: int
) -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
    return DataLoader(samples, batch_size=stacks * _PER_STACK, num_workers=workers, prefetch_factor=_PREFETCH)  # type: ignore[arg-type]


class _Levels:
    """Cross-entropy of the levels, painted and real vertebrae alike."""

    columns = ("loss_painted", "right_painted", "loss_real", "right_real")

    def __init__(self, sets: Sequence[Iterable[Sequence[torch.Tensor]]]) -> None:
        self.sets = [iter(samples) for samples in sets]
        self.means = SetMeans(len(self.sets))

    def backward(self, network: torch.nn.Module) -> None:
        device = next(network.parameters()).device
        for number, samples in enumerate(self.sets):
            views, levels = next(samples)
            logits, truth = logits_of(network, views.to(device)), levels.to(device)
            loss = nnf.cross_entropy(logits, truth, label_smoothing=_SMOOTHING)
            (loss / len(self.sets)).backward()  # type: ignore[no-untyped-call]
            right = (logits.argmax(1) == truth).float().mean()
            self.means.add(number, loss, right)

    def row(self) -> Sequence[str]:
        return self.means.row()
