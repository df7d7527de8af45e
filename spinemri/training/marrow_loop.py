"""What the lesion network is trained for: the kind of every voxel, and the overlap of what is a lesion at all."""

from __future__ import annotations

import math
import time
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
_NEAR, _MUCH, _SMALL = (1, 8, 8), 0.35, 2.0  # voxels around; share of change that is much; most a voxel weighs
COLUMNS = ("waited_s", "loss", "dice_any", "right_kind")


def train_lesions(
    config: TrainingConfig, network: torch.nn.Module, weight: float, samples: Iterable[Sequence[torch.Tensor]]
) -> Path:
    """Train a lesion network where its weights are; returns the last checkpoint.

    Parameters
    ----------
    config : how long and how fast
    network : starts from the weights it has, unless ``config.out`` holds an unfinished run
    weight : of a changed voxel in the cross-entropy, which the predictor takes back
    samples : endless batches, see ``MarrowSamples``

    Raises
    ------
    ModelError
        If the checkpoint in ``config.out`` does not fit the network.
    """
    return run_by_the_clock(config, network, _Lesions(weight, samples))


def lesion_loss(
    logits: torch.Tensor, kinds: torch.Tensor, weight: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Loss, soft Dice of any change, mean probability of the right kind within changes (not numbers if there are none).

    Whether a voxel is changed and what the change is are learnt apart: an overlap per kind would teach a network that
    does not know kinds yet to avoid the commonest. Every kind in a sample counts once, however large; a voxel of a
    small change counts more than one of a large change.

    Parameters
    ----------
    logits : (batch, channels, slices, rows, columns)
    kinds : (batch, slices, rows, columns) int64; UNKNOWN voxels do not count
    weight : of a voxel of a large change
    """
    known = (kinds != UNKNOWN).float()
    target = torch.where(kinds == UNKNOWN, 0, kinds)
    changed = (target > 0).float()
    odds = logits[:, 1:].logsumexp(1) - logits[:, 0]
    importance = known * torch.where(target > 0, weight * _emphasis(changed), 1.0)
    entropy = nnf.binary_cross_entropy_with_logits(odds, changed, reduction="none")
    found = (odds - math.log(weight)).sigmoid()
    overlap = _dice(found * known, changed)
    value = 2 * (entropy * importance).sum() / importance.sum().clamp(min=1) + 1 - overlap.mean()
    said, shown = _right_kind(logits, target)
    value = value - _KIND_WEIGHT * (said * shown).sum() / shown.sum().clamp(min=1)
    right = (said.detach().exp() * shown).sum() / shown.sum()
    some = changed.flatten(1).any(1)
    return value, (overlap.detach() * some).sum() / some.sum(), right


def _emphasis(changed: torch.Tensor) -> torch.Tensor:
    """1 for voxels amid much change, up to ``_SMALL`` for those of small changes."""
    near = changed[:, None]
    for axis, (most, size) in enumerate(zip(_NEAR, changed.shape[1:], strict=True)):
        reach = [min(most, (size - 1) // 2) if a == axis else 0 for a in range(3)]
        near = nnf.avg_pool3d(near, [2 * n + 1 for n in reach], 1, reach, count_include_pad=False)
    return (_MUCH / near[:, 0].clamp(min=1e-6)).sqrt().clamp(1, _SMALL)


def _right_kind(logits: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean log-probability of the right kind, per sample and kind, and whether the kind is there (1 or 0)."""
    batch, count = logits.shape[0], logits.shape[1] - 1
    said = logits[:, 1:].log_softmax(1).gather(1, (target - 1).clamp(min=0)[:, None])[:, 0]
    place = (torch.arange(batch, device=target.device).view(-1, 1, 1, 1) * (count + 1) + target).flatten()
    empty = said.new_zeros(batch * (count + 1))
    sums = empty.index_add(0, place, said.flatten()).view(batch, -1)[:, 1:]
    sizes = empty.index_add(0, place, torch.ones_like(said).flatten()).view(batch, -1)[:, 1:]
    return sums / sizes.clamp(min=1), (sizes > 0).float()


def _dice(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Soft Dice of each sample."""
    both, one, other = (values.flatten(1).sum(1) for values in (found * truth, found, truth))
    return (2 * both + _SMOOTH_VOXELS) / (one + other + _SMOOTH_VOXELS)


class _Lesions:
    """A batch per step; its statistics stay on the device until they are logged."""

    columns = COLUMNS

    def __init__(self, weight: float, samples: Iterable[Sequence[torch.Tensor]]) -> None:
        self.weight, self.samples = weight, iter(samples)
        self.waited, self.said = 0.0, list[torch.Tensor]()

    def backward(self, network: torch.nn.Module) -> None:
        device = next(network.parameters()).device
        began = time.monotonic()
        image, kinds = next(self.samples)
        self.waited += time.monotonic() - began
        image, kinds = image.to(device), kinds.to(device)
        value, overlap, right = lesion_loss(logits_of(network, image), kinds, self.weight)
        value.backward()  # type: ignore[no-untyped-call]
        self.said.append(torch.stack([value.detach(), overlap, right]))

    def row(self) -> Sequence[str]:
        means = torch.stack(self.said).cpu().nanmean(dim=0).tolist()
        waited, self.waited, self.said = self.waited, 0.0, []
        return tuple(f"{value:.4f}" for value in (waited, *means))
