"""What the anatomy network is trained for: synthetic slices, in which every class is labelled, beside real ones.

In a real slice one class is labelled; what earlier weights saw of the others is kept.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from spinemri.training.clock import logits_of, run_by_the_clock
from spinemri.training.loss import full_loss, kept_loss, partial_loss
from spinemri.training.replay import changed_step, replayed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from spinemri.training.clock import TrainingConfig
    from spinemri.training.loss import Loss
    from spinemri.training.replay import Groups


def train(
    config: TrainingConfig,
    network: torch.nn.Module,
    weights: Sequence[float],
    synthetic: Iterable[Sequence[torch.Tensor]],
    real: Iterable[Sequence[torch.Tensor]] | None = None,
) -> Path:
    """Train a network where its weights are; returns the last checkpoint, whose ``ema`` holds the averaged weights.

    Parameters
    ----------
    config : how long and how fast
    network : starts from the weights it has, unless ``config.out`` holds an unfinished run
    weights : one per class, for the cross-entropy
    synthetic : endless stacks, see ``SyntheticSlices``
    real : endless stacks, see ``RealSlices``; None to train on synthetic slices only

    Raises
    ------
    ModelError
        If the checkpoint in ``config.out`` does not fit the network.
    """
    device = next(network.parameters()).device
    objective = _Anatomy(config, torch.tensor(list(weights), device=device), synthetic, real)
    return run_by_the_clock(config, network, objective)


def together(samples: Iterable[Sequence[torch.Tensor]], device: torch.device) -> Groups:
    """Samples on a device, those of one size as one: each part with an axis more in front, stacks of slices."""
    sizes: dict[tuple[int, ...], list[Sequence[torch.Tensor]]] = {}
    for sample in samples:
        sizes.setdefault(tuple(sample[0].shape), []).append(sample)
    return [[torch.stack(parts).to(device) for parts in zip(*group, strict=True)] for group in sizes.values()]


class _Anatomy:
    """Full labels of synthetic stacks and partial labels of real ones, stacks of one size read at once."""

    def __init__(
        self,
        config: TrainingConfig,
        weights: torch.Tensor,
        synthetic: Iterable[Sequence[torch.Tensor]],
        real: Iterable[Sequence[torch.Tensor]] | None,
    ) -> None:
        self.config, self.weights = config, weights
        sources = iter(synthetic), iter(real if real is not None else ())
        self.steps = replayed(self._drawn(*sources), config.replays, changed_step, config.seed)
        self.totals = _Totals(len(weights))
        dice = [f"dice_{c}" for c in range(1, len(weights))]
        self.columns = ("waited_s", "loss", "real_loss", *dice, "dice_real")

    def backward(self, network: torch.nn.Module) -> None:
        began = time.monotonic()
        synthetic, real = next(self.steps)
        self.totals.waited_s += time.monotonic() - began
        full, partial = [], []
        for image, *parts in synthetic:
            (classes,) = (part.flatten(0, 1) for part in parts)
            full.append(full_loss(_logits(network, image), classes, self.weights))
            (full[-1].value * _share(image, synthetic)).backward()  # type: ignore[no-untyped-call]
        for image, *parts in real:
            labelled, extent, target, seen = (part.flatten(0, 1) for part in parts)
            logits = _logits(network, image)
            partial.append(partial_loss(logits, labelled, extent, target, self.weights))
            cost = partial[-1].value + kept_loss(logits, seen, self.weights)
            (cost * self.config.real_weight * _share(image, real)).backward()  # type: ignore[no-untyped-call]
        self.totals.add(full, partial)

    def _drawn(self, *sources: Iterator[Sequence[torch.Tensor]]) -> Iterator[tuple[Groups, ...]]:
        """Synthetic and real stacks of new steps, for ever."""
        counts = self.config.stacks, self.config.real_stacks
        while True:
            yield tuple(
                together(islice(source, count), self.weights.device)
                for source, count in zip(sources, counts, strict=True)
            )

    def row(self) -> Sequence[str]:
        totals, self.totals = self.totals, _Totals(len(self.weights))
        return tuple(totals.row())


def _logits(network: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    """Logits (all slices, classes, rows, columns) of (stacks, slices, neighbours, rows, columns)."""
    return logits_of(network, image[0]) if len(image) == 1 else logits_of(network, image).flatten(0, 1)


def _share(image: torch.Tensor, groups: Groups) -> float:
    return len(image) / sum(len(others) for others, *_ in groups)


class _Totals:
    """Means of what a stretch of steps showed, for the log."""

    def __init__(self, classes: int) -> None:
        self.loss = np.zeros(2)
        self.dice, self.seen = np.zeros(classes), np.zeros(classes)  # foreground classes, then the real slices
        self.steps = 0
        self.waited_s = 0.0

    def add(self, full: list[Loss], partial: list[Loss]) -> None:
        self.steps += 1
        for number, parts in enumerate((full, partial)):
            where = slice(0, -1) if number == 0 else slice(-1, None)
            for part in parts:
                self.loss[number] += float(part.value.detach()) / len(parts)
                present = part.present.cpu().numpy()
                self.dice[where] += part.dice.cpu().numpy() * present
                self.seen[where] += present

    def row(self) -> Iterator[str]:
        yield f"{self.waited_s:.1f}"
        yield from (f"{v / max(1, self.steps):.4f}" for v in self.loss)
        yield from (f"{d / n:.3f}" if n else "" for d, n in zip(self.dice, self.seen, strict=True))
