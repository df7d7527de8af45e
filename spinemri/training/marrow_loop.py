"""What the lesion network is trained for: the kind of every voxel, and the overlap of what is a lesion at all."""

from __future__ import annotations

import math
import time
from itertools import islice
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as nnf

from spinemri.synthesis.marrow_changes import UNKNOWN
from spinemri.training.clock import logits_of, run_by_the_clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from spinemri.training.clock import TrainingConfig

_KIND_WEIGHT = 0.5
_SMOOTH_VOXELS = 60.0
COLUMNS = ("waited_s", "loss", "dice_any", "right_kind")


def train_lesions(
    config: TrainingConfig, network: torch.nn.Module, weight: float, samples: Iterable[Sequence[torch.Tensor]]
) -> Path:
    """Train a lesion network where its weights are; returns the last checkpoint.

    Parameters
    ----------
    config : how long and how fast; ``stacks`` samples per step
    network : starts from the weights it has, unless ``config.out`` holds an unfinished run
    weight : of a changed voxel in the cross-entropy, which the predictor takes back
    samples : endless, see ``MarrowSamples``

    Raises
    ------
    ModelError
        If the checkpoint in ``config.out`` does not fit the network.
    """
    return run_by_the_clock(config, network, _Lesions(config, weight, samples))


def lesion_loss(
    logits: torch.Tensor, kinds: torch.Tensor, weight: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Loss, soft Dice of any change, and mean probability of the right kind within changes (not a number if none).

    Whether a voxel is changed and what the change is are learnt apart: an overlap per kind would teach a network that
    does not know kinds yet to avoid the commonest. Every kind in a sample counts once, however large.

    Parameters
    ----------
    logits : (1, channels, slices, rows, columns)
    kinds : (1, slices, rows, columns) int64; UNKNOWN voxels do not count
    weight : of a changed voxel
    """
    known = (kinds != UNKNOWN).float()
    target = torch.where(kinds == UNKNOWN, 0, kinds)
    changed = (target > 0).float()
    odds = logits[:, 1:].logsumexp(1) - logits[:, 0]
    importance = known * (1 + (weight - 1) * changed)
    entropy = nnf.binary_cross_entropy_with_logits(odds, changed, reduction="none")
    found = (odds - math.log(weight)).sigmoid()
    overlap = _dice(found * known, changed)
    value = 2 * (entropy * importance).sum() / importance.sum().clamp(min=1) + 1 - overlap
    right = logits.new_tensor(float("nan"))
    if changed.any():
        said = logits[:, 1:].log_softmax(1).gather(1, (target - 1).clamp(min=0)[:, None])[:, 0]
        per_kind = [said[target == kind].mean() for kind in torch.unique(target[target > 0])]
        value = value - _KIND_WEIGHT * torch.stack(per_kind).mean()
        right = torch.stack(per_kind).detach().exp().mean()
    return value, overlap.detach(), right


def _dice(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return (2 * (found * truth).sum() + _SMOOTH_VOXELS) / (found.sum() + truth.sum() + _SMOOTH_VOXELS)


class _Lesions:
    """Samples one at a time in memory, so many per step."""

    columns = COLUMNS

    def __init__(self, config: TrainingConfig, weight: float, samples: Iterable[Sequence[torch.Tensor]]) -> None:
        self.config, self.weight, self.samples = config, weight, iter(samples)
        self.sums: dict[str, list[float]] = {name: [] for name in COLUMNS}

    def backward(self, network: torch.nn.Module) -> None:
        device = next(network.parameters()).device
        for _ in range(self.config.stacks):
            began = time.monotonic()
            ((image, kinds),) = list(islice(self.samples, 1))
            self.sums["waited_s"].append(time.monotonic() - began)
            image, kinds = image.to(device), kinds.to(device)
            value, overlap, right = lesion_loss(logits_of(network, image), kinds, self.weight)
            (value / self.config.stacks).backward()  # type: ignore[no-untyped-call]
            self.sums["loss"].append(float(value.detach()))
            if not torch.isnan(right):
                self.sums["dice_any"].append(float(overlap))
                self.sums["right_kind"].append(float(right))

    def row(self) -> Sequence[str]:
        sums, self.sums = self.sums, {name: [] for name in COLUMNS}
        means = {name: sum(v) / len(v) if v else float("nan") for name, v in sums.items()}
        means["waited_s"] = sum(sums["waited_s"])
        return tuple(f"{means[name]:.4f}" for name in COLUMNS)
