"""Training by the clock: a run has so many minutes, and whoever interrupts it loses at most two of them.

What is learnt, and from what, is the objective's; the clock keeps the rate, the averaged weights, the checkpoint and
the log. The weights that count are the running average; they are in every checkpoint.
"""

from __future__ import annotations

import copy
import csv
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from spinemri.errors import ModelError
from spinemri.segment.device import laid_out, learns_in_half

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHECKPOINT = "checkpoint.pt"
LOG = "log.csv"
_FINAL_RATE = 0.01


class Objective(Protocol):
    """What a network is trained for."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of what ``row`` returns."""

    def backward(self, network: torch.nn.Module) -> None:
        """Draw samples and add the gradients of their loss."""

    def row(self) -> Sequence[str]:
        """Means over the steps since the last call, for the log."""


class SetMeans:
    """Means over the steps since the last line of the log, of a few numbers of each of several sets.

    Parameters
    ----------
    sets : how many
    """

    def __init__(self, sets: int) -> None:
        self.seen: list[list[tuple[float, ...]]] = [[] for _ in range(sets)]

    def add(self, number: int, *values: torch.Tensor) -> None:
        """Numbers of a step, of one set."""
        self.seen[number].append(tuple(float(value.detach()) for value in values))

    def row(self) -> Sequence[str]:
        """What a log says, and a new beginning."""
        columns = [column for seen in self.seen if seen for column in zip(*seen, strict=True)]
        self.seen = [[] for _ in self.seen]
        return [f"{sum(column) / len(column):.3f}" for column in columns]


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
    replays : steps after each one that show earlier stacks again, a little changed, see ``training.replay``
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
    replays: int = 0
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


def run_by_the_clock(config: TrainingConfig, network: torch.nn.Module, objective: Objective) -> Path:
    """Train a network where its weights are; returns the last checkpoint, whose ``ema`` holds the averaged weights.

    Parameters
    ----------
    config : how long and how fast
    network : starts from the weights it has, unless ``config.out`` holds an unfinished run
    objective : what it learns

    Raises
    ------
    ModelError
        If the checkpoint in ``config.out`` does not fit the network.
    """
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    run = _start(config, network)
    saved = time.monotonic()
    while (share := _share(config, run)) < 1:
        _set_rate(config, run, share)
        run.optimizer.zero_grad()
        objective.backward(run.network)
        _descend(config, run)
        if run.step % config.log_steps == 0:
            _log(config.out / LOG, run, objective)
        if time.monotonic() - saved > config.checkpoint_s:
            _save(config.out / CHECKPOINT, run)
            saved = time.monotonic()
    _save(config.out / CHECKPOINT, run)
    return config.out / CHECKPOINT


def logits_of(network: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    """What a network says of an image, as float32; computed in half precision where its device can learn so."""
    with torch.autocast(image.device.type, torch.bfloat16, enabled=learns_in_half(image.device, network)):
        found: torch.Tensor = network(image)
    return found.float()


def _start(config: TrainingConfig, network: torch.nn.Module) -> _Run:
    network = laid_out(network).train()
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


def _descend(config: TrainingConfig, run: _Run) -> None:
    """Take one step along the gradients, and let the average follow."""
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), config.clip)
    run.optimizer.step()
    run.step += 1
    memory = min(config.average, run.step / (run.step + 9))
    with torch.no_grad():
        for mean, now in zip(run.average.parameters(), run.network.parameters(), strict=True):
            mean.lerp_(now, 1 - memory)


def _log(path: Path, run: _Run, objective: Objective) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if new:
            writer.writerow(["step", "elapsed_s", "rate", *objective.columns])
        rate = run.optimizer.param_groups[0]["lr"]
        writer.writerow([run.step, f"{run.elapsed_s:.0f}", f"{rate:.2e}", *objective.row()])


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
