"""Fit what tells kinds of marrow change apart: candidates of simulated scenes, and the kind that each really is.

The lesion network is not trained here: its candidates in scenes that it has not seen are described by
``segment.lesion_kinds.features_of``, and a small network of one hidden layer learns their kinds. It starts from the
network's own evidence, and rare kinds weigh more than their number.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from spinemri.errors import InputError
from spinemri.lesion import MarrowChange
from spinemri.segment.candidates import find_candidates
from spinemri.segment.lesion_kinds import FEATURES, KindModel, features_of
from spinemri.segment.lesion_model import KINDS_FILE
from spinemri.synthesis.marrow_changes import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.segment.lesion_model import LesionModel
    from spinemri.segment.lesion_predictor import LesionPredictor

    Examples = tuple[NDArray[np.floating], NDArray[np.integer]]

_COUNT = len(MarrowChange)
_LEAST_MM3, _VOXEL_MM3 = 30.0, 4.0  # scenes do not say how far apart their slices are: about so far
_TRUE = 0.3  # of a candidate's voxels must be known to be changed
_UNITS, _ROUNDS, _BATCH = 256, 40, 64
_RATE, _DECAY, _DROPPED, _NOISE = 3e-3, 1e-2, 0.2, 0.1
_UNSURE = 0.1  # share of every example that counts for all kinds alike: no simulation is as sure as it seems
_BALANCE = 0.4  # power of a kind's rarity that becomes its weight
_START = 0.05


def kind_examples(
    samples: Iterable[tuple[torch.Tensor, torch.Tensor]], predictor: LesionPredictor, count: int
) -> Examples:
    """Features (examples, features) and true kinds (examples,), numbered from 0 as in ``MarrowChange``.

    Parameters
    ----------
    samples : batches of ``MarrowSamples``, of scenes that the network was not trained on
    predictor : the network whose candidates are described
    count : of examples, at least
    """
    features: list[NDArray[np.floating]] = []
    kinds: list[int] = []
    for images, truths in samples:
        for image, truth in zip(images, truths, strict=True):
            for found, kind in _examples(image, truth.numpy(), predictor):
                features.append(found)
                kinds.append(kind)
        if len(kinds) >= count:
            break
    return np.stack(features), np.array(kinds)


def _examples(
    image: torch.Tensor, truth: NDArray[np.integer], predictor: LesionPredictor
) -> Iterator[tuple[NDArray[np.floating], int]]:
    model = replace(predictor.model, least_volume_mm3=_LEAST_MM3)
    candidates = find_candidates(predictor.probabilities(image), _VOXEL_MM3, model)
    if not candidates:
        return
    changed = np.any([candidate.mask for candidate in candidates], axis=0)
    for candidate in candidates:
        here = truth[candidate.mask]
        counts = np.bincount(here[(here > 0) & (here != UNKNOWN)], minlength=_COUNT + 1)[1:]
        if counts.sum() >= _TRUE * here.size:
            yield features_of(image.numpy(), changed, candidate.mask, candidate.shares), int(counts.argmax())


def fit_kinds(examples: Examples, seed: int = 0) -> KindModel:
    """The small network that tells the examples' kinds apart best.

    Raises
    ------
    InputError
        If there is no example.
    """
    features, kinds = examples
    if not len(kinds):
        raise InputError("no example of a marrow change to learn kinds from")
    torch.manual_seed(seed)
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-2)
    given = torch.from_numpy(np.clip((features - mean) / scale, -4, 4)).float()
    target = torch.from_numpy(np.asarray(kinds, dtype=np.int64))
    hidden, out = nn.Linear(len(FEATURES), _UNITS), nn.Linear(_UNITS + len(FEATURES), _COUNT)
    _start_from_evidence(out, mean, scale)
    _learn((hidden, out), given, target)
    weights = (t.detach().double().numpy() for t in (hidden.weight, hidden.bias, out.weight, out.bias))
    return KindModel(mean, scale, *weights)


def _start_from_evidence(out: nn.Linear, mean: NDArray[np.floating], scale: NDArray[np.floating]) -> None:
    """Before it learns, the small network says what the large one says: its logarithms come first among features."""
    with torch.no_grad():
        out.weight.mul_(_START)
        for n in range(_COUNT):
            out.weight[n, _UNITS + n] = float(scale[n])
        out.bias.copy_(torch.from_numpy(mean[:_COUNT] - mean[:_COUNT].mean()))


def _learn(layers: tuple[nn.Linear, nn.Linear], given: torch.Tensor, target: torch.Tensor) -> None:
    hidden, out = layers
    counts = torch.bincount(target, minlength=_COUNT).clamp(min=1)
    weight = (len(target) / _COUNT / counts) ** _BALANCE
    optimizer = torch.optim.AdamW([*hidden.parameters(), *out.parameters()], _RATE, weight_decay=_DECAY)
    for turn in range(_ROUNDS):
        optimizer.param_groups[0]["lr"] = _RATE * (1 - turn / _ROUNDS)
        for chosen in torch.split(torch.randperm(len(target)), _BATCH):
            seen = given[chosen] + _NOISE * torch.randn(len(chosen), given.shape[1])
            units = nn.functional.dropout(hidden(seen).relu(), _DROPPED)
            found = out(torch.cat([units, seen], 1))
            loss = nn.functional.cross_entropy(found, target[chosen], weight=weight, label_smoothing=_UNSURE)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def write_kinds(model: LesionModel, kinds: KindModel) -> Path:
    """Write the small network into the bundle whose weights it was fitted to; returns the file."""
    path = model.path / KINDS_FILE
    parts = {name: np.round(getattr(kinds, name), 4).tolist() for name in KindModel.__dataclass_fields__}
    content = {"weights_sha256": model.sha256, "features": list(FEATURES), **parts}
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(content) + "\n", encoding="utf-8")
    partial.replace(path)
    return path
