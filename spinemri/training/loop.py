"""Training by the clock: a run has so many minutes, and whoever interrupts it loses at most two of them.

Every step sees synthetic slices, in which every class is labelled, and real slices, in which one is. The weights that
count are the running average; they are in every checkpoint.
"""

from __future__ import annotations

import copy
import csv
import math
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from spinemri.errors import ModelError
from spinemri.segment.device import half_precision, memory_layout
from spinemri.training.loss import full_loss, kept_loss, partial_loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from spinemri.training.loss import Loss

CHECKPOINT = "checkpoint.pt"
LOG = "log.csv"
_FINAL_RATE = 0.01
_OUTPUT_SCALE = 0.1


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how fast to train.

    Parameters
    ----------
    out : folder of the checkpoint and the log; an unfinished run in it is taken up again
    minutes : of training, over all sessions of this run
    learning_rate, weight_decay : of AdamW; the rate warms up, then falls along a cosine to 1 %
    warm_up : share of the run
    clip : largest norm of the gradient
    average : memory of the running average of the weights
    real_weight : weight of the real slices' loss beside the synthetic ones'
    checkpoint_s, log_steps : how often to write
    stacks, real_stacks : synthetic and real ones per step
    max_steps : end earlier than the clock; then the rate follows the steps
    seed : of the weights' start
    """

    out: Path
    minutes: float
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    warm_up: float = 0.03
    clip: float = 5.0
    average: float = 0.998
    real_weight: float = 1.0
    checkpoint_s: float = 120.0
    log_steps: int = 50
    stacks: int = 1
    real_stacks: int = 1
    max_steps: int | None = None
    seed: int = 1


@dataclass(eq=False)
class _Run:
    """What changes while training: network, average, optimiser and how far they have come."""

    network: torch.nn.Module
    average: torch.nn.Module
    optimizer: torch.optim.AdamW
    step: int = 0
    before_s: float = 0.0
    started: float = 0.0

    @property
    def elapsed_s(self) -> float:
        return self.before_s + time.monotonic() - self.started


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
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    device = next(network.parameters()).device
    run = _start(config, network)
    class_weights = torch.tensor(list(weights), device=device)
    synthetic, real = iter(synthetic), iter(real if real is not None else ())
    totals, waited, saved = _Totals(len(class_weights)), 0.0, time.monotonic()
    while (share := _share(config, run)) < 1:
        began = time.monotonic()
        samples, real_samples = (
            [[part.to(device) for part in sample] for sample in islice(stacks, count)]
            for stacks, count in ((synthetic, config.stacks), (real, config.real_stacks))
        )
        waited += time.monotonic() - began
        _set_rate(config, run, share)
        totals.add(*_step(config, run, class_weights, samples, real_samples))
        if run.step % config.log_steps == 0:
            _log(config.out / LOG, run, totals, waited)
            totals, waited = _Totals(len(class_weights)), 0.0
        if time.monotonic() - saved > config.checkpoint_s:
            _save(config.out / CHECKPOINT, run)
            saved = time.monotonic()
    _save(config.out / CHECKPOINT, run)
    return config.out / CHECKPOINT


def prepare_output(network: torch.nn.Module, priors: Sequence[float]) -> None:
    """Let a new network start from how common the classes are, instead of spending its first steps on it.

    Raises
    ------
    ModelError
        If the network has no output convolution of that many classes.
    """
    sized = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.out_channels == len(priors)]
    if not sized or sized[-1].bias is None:
        raise ModelError(f"the network has no output convolution of {len(priors)} classes with a bias")
    with torch.no_grad():
        sized[-1].weight.mul_(_OUTPUT_SCALE)
        sized[-1].bias.copy_(torch.tensor(list(priors)).log())


def _start(config: TrainingConfig, network: torch.nn.Module) -> _Run:
    layout = memory_layout(next(network.parameters()).device)
    network = network.to(memory_format=layout).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    run = _Run(network, copy.deepcopy(network), optimizer, started=time.monotonic())
    path = config.out / CHECKPOINT
    if path.exists():
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            run.network.load_state_dict(state["m"])
            run.average.load_state_dict(state["ema"])
            run.optimizer.load_state_dict(state["optimizer"])
            run.step, run.before_s = int(state["step"]), float(state["elapsed_s"])
        except Exception as problem:  # torch.load raises a different type for every way a file can be broken
            raise ModelError(f"{path.name}: cannot be taken up by this network") from problem
    return run


def _share(config: TrainingConfig, run: _Run) -> float:
    """How much of the run is done, 0 to 1."""
    by_clock = run.elapsed_s / (config.minutes * 60)
    return by_clock if config.max_steps is None else max(run.step / config.max_steps, math.floor(by_clock))


def _set_rate(config: TrainingConfig, run: _Run, share: float) -> None:
    cosine = 0.5 * (1 + math.cos(math.pi * share)) * (1 - _FINAL_RATE) + _FINAL_RATE
    warm = min(1.0, 0.05 + share / config.warm_up) if config.warm_up > 0 else 1.0
    for group in run.optimizer.param_groups:
        group["lr"] = config.learning_rate * warm * cosine


def _step(
    config: TrainingConfig,
    run: _Run,
    weights: torch.Tensor,
    synthetic: list[list[torch.Tensor]],
    real: list[list[torch.Tensor]],
) -> tuple[list[Loss], list[Loss]]:
    """One descent on synthetic and real stacks together, one stack in memory at a time."""
    run.optimizer.zero_grad()
    full, partial = [], []
    for image, classes in synthetic:
        full.append(full_loss(_logits(run.network, image), classes, weights))
        (full[-1].value / len(synthetic)).backward()  # type: ignore[no-untyped-call]
    for image, labelled, extent, target, seen in real:
        logits = _logits(run.network, image)
        partial.append(partial_loss(logits, labelled, extent, target, weights))
        cost = partial[-1].value + kept_loss(logits, seen, weights)
        (cost * config.real_weight / len(real)).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), config.clip)
    run.optimizer.step()
    run.step += 1
    memory = min(config.average, run.step / (run.step + 9))
    with torch.no_grad():
        for mean, now in zip(run.average.parameters(), run.network.parameters(), strict=True):
            mean.lerp_(now, 1 - memory)
    return full, partial


def _logits(network: torch.nn.Module, stack: torch.Tensor) -> torch.Tensor:
    """Logits (slices, classes, rows, columns), float32, of one stack (slices, neighbours, rows, columns)."""
    _, able = half_precision(stack.device)
    with torch.autocast(stack.device.type, torch.bfloat16, enabled=able):
        found: torch.Tensor = network(stack.contiguous(memory_format=memory_layout(stack.device)))
    return found.float()


class _Totals:
    """Means of what a stretch of steps showed, for the log."""

    def __init__(self, classes: int) -> None:
        self.loss = np.zeros(2)
        self.dice, self.seen = np.zeros(classes), np.zeros(classes)  # foreground classes, then the real slices
        self.steps = 0

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
        yield from (f"{v / max(1, self.steps):.4f}" for v in self.loss)
        yield from (f"{d / n:.3f}" if n else "" for d, n in zip(self.dice, self.seen, strict=True))


def _log(path: Path, run: _Run, totals: _Totals, waited_s: float) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if new:
            dice = [f"dice_{c}" for c in range(1, len(totals.dice))]
            writer.writerow(["step", "elapsed_s", "rate", "waited_s", "loss", "real_loss", *dice, "dice_real"])
        rate = run.optimizer.param_groups[0]["lr"]
        writer.writerow([run.step, f"{run.elapsed_s:.0f}", f"{rate:.2e}", f"{waited_s:.1f}", *totals.row()])


def _save(path: Path, run: _Run) -> None:
    partial = path.with_suffix(".part")
    state = {
        "ema": run.average.state_dict(),
        "m": run.network.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "step": run.step,
        "elapsed_s": run.elapsed_s,
    }
    torch.save(state, partial)
    partial.replace(path)
