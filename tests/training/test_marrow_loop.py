"""The lesion network learns where a change is and what it is, and nothing from voxels that nobody knows."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING

import pytest
import torch

from spinemri.errors import ModelError
from spinemri.segment.network import LesionUNet
from spinemri.synthesis.marrow_changes import UNKNOWN
from spinemri.training.clock import CHECKPOINT, LOG, TrainingConfig, logits_of, run_by_the_clock
from spinemri.training.export import checkpoint_state
from spinemri.training.marrow_loop import COLUMNS, _emphasis, _Lesions, lesion_loss, train_lesions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SIZE = (4, 32, 48)
WEIGHT = 3.0
CHANNELS = 4  # background and three kinds


def network(seed: int = 0, flat: int = 2, filters: Sequence[int] = (16, 32, 32)) -> LesionUNet:
    """Multiples of 16 as in the shipped network: see ``test_loop``."""
    torch.manual_seed(seed)
    return LesionUNet(3, CHANNELS, filters, flat)


def sample() -> tuple[torch.Tensor, torch.Tensor]:
    """Noise with two kinds of blocks that differ on the second sequence only, and a strip that nobody knows."""
    torch.manual_seed(4)
    kinds = torch.zeros(1, *SIZE, dtype=torch.int64)
    kinds[0, 0:3, 6:18, 5:20] = 1
    kinds[0, 1:4, 14:26, 28:42] = 3
    image = 0.3 * torch.randn(1, 3, *SIZE)
    image[:, 0] -= 1.5 * (kinds > 0)
    image[:, 1] += 1.5 * (kinds == 1) - 1.5 * (kinds == 3)
    kinds[0, :, 28:, :] = UNKNOWN
    return image, kinds


def config(out: Path, steps: int) -> TrainingConfig:
    return TrainingConfig(out, minutes=30, learning_rate=3e-3, max_steps=steps, log_steps=5, average=0.9)


def log(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / LOG).read_text(encoding="utf-8").splitlines()))


def test_one_sample_is_learnt(tmp_path: Path) -> None:
    made = network()
    train_lesions(replace(config(tmp_path, 60), learning_rate=1e-2), made, WEIGHT, repeat(sample()))
    rows = log(tmp_path)
    losses = [float(row["loss"]) for row in rows]
    assert losses[-1] < 0.3 * losses[0]
    assert tuple(rows[0])[3:] == COLUMNS
    assert float(rows[-1]["right_kind"]) > 0.9
    made.load_state_dict(checkpoint_state(tmp_path / CHECKPOINT))
    image, kinds = sample()
    with torch.no_grad():
        found = (
            made.eval()(image) - torch.tensor([1.0, *[WEIGHT] * (CHANNELS - 1)]).log()[:, None, None, None]
        ).argmax(1)
    for kind in (1, 3):
        here = (found == kind) & (kinds != UNKNOWN)
        assert float(2 * (here & (kinds == kind)).sum() / (here.sum() + (kinds == kind).sum())) > 0.9


def test_samples_of_a_batch_are_averaged() -> None:
    """Twice the same sample in a batch is that sample once: its gradient, not twice that."""
    gradients = []
    for count in (1, 2):
        made = network()
        batch = tuple(torch.cat([part] * count) for part in sample())
        objective = _Lesions(WEIGHT, repeat(batch))
        objective.backward(made)
        gradients.append([p.grad for p in made.parameters()])
        row = dict(zip(objective.columns, objective.row(), strict=True))
        assert float(row["loss"]) > 1
    for once, twice in zip(*gradients, strict=True):
        assert torch.allclose(once, twice, atol=1e-5 + 1e-2 * float(once.abs().max()))
    assert max(float(g.abs().max()) for g in gradients[0]) > 0.01


def test_a_run_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    train_lesions(config(tmp_path, 5), network(), WEIGHT, repeat(sample()))
    before = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    train_lesions(config(tmp_path, 15), network(seed=9), WEIGHT, repeat(sample()))
    after = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert (before["step"], after["step"]) == (5, 15)
    assert after["elapsed_s"] > before["elapsed_s"]
    rows = log(tmp_path)
    assert [int(row["step"]) for row in rows] == [5, 10, 15]
    losses = [float(row["loss"]) for row in rows]
    assert losses[1] < losses[0], "the second session starts from what the first has learnt"
    name = next(n for n in before["ema"] if n.endswith("weight"))
    moved = (after["ema"][name] - before["ema"][name]).abs().mean()
    assert 0 < float(moved) < 0.5 * float((network(seed=9).state_dict()[name] - before["ema"][name]).abs().mean())
    assert not list(tmp_path.glob("*.part"))


class Bowl:
    """The simplest objective: bring every weight to 1."""

    columns = ("distance", "steps")

    def __init__(self) -> None:
        self.distances: list[float] = []
        self.fresh = True

    def backward(self, network: torch.nn.Module) -> None:
        self.fresh &= not any(p.grad is not None and p.grad.any() for p in network.parameters())
        away = sum(((p - 1) ** 2).sum() for p in network.parameters())
        away.backward()
        self.distances.append(float(away.detach()))

    def row(self) -> Sequence[str]:
        seen, self.distances = self.distances, []
        return f"{sum(seen) / len(seen):.6f}", str(len(seen))


def line() -> torch.nn.Module:
    torch.manual_seed(2)
    return torch.nn.Linear(3, 2)


def test_the_clock_runs_any_objective_resumes_it_and_lowers_the_rate(tmp_path: Path) -> None:
    slow = replace(config(tmp_path, 40), learning_rate=0.05, weight_decay=0.0, log_steps=10)
    bowl = Bowl()
    path = run_by_the_clock(slow, line(), bowl)
    assert path == tmp_path / CHECKPOINT
    assert bowl.fresh, "no gradient is left over from the step before"
    rows = log(tmp_path)
    assert list(rows[0]) == ["step", "elapsed_s", "rate", "distance", "steps"]
    assert {row["steps"] for row in rows} == {"10"}
    distances = [float(row["distance"]) for row in rows]
    assert distances == sorted(distances, reverse=True)
    assert float(rows[-1]["rate"]) < 0.1 * 0.05
    kept = checkpoint_state(path)
    run_by_the_clock(slow, line(), Bowl())
    assert all(torch.equal(kept[name], value) for name, value in checkpoint_state(path).items()), "it was finished"
    longer = replace(slow, max_steps=60)
    other = line()
    run_by_the_clock(longer, other, Bowl())
    assert [int(row["step"]) for row in log(tmp_path)] == [10, 20, 30, 40, 50, 60]
    assert float(log(tmp_path)[-1]["distance"]) < 0.8 * distances[-1]
    state = torch.load(path, weights_only=True)
    assert state["optimizer"]["state"][0]["step"] == 60, "the optimiser's memory too"
    assert all(torch.equal(state["m"][name], value) for name, value in other.state_dict().items())


def test_an_interrupted_run_ends_where_an_undisturbed_one_does(tmp_path: Path) -> None:
    class Interrupted(Bowl):
        def backward(self, network: torch.nn.Module) -> None:
            if len(self.distances) == 7:
                raise KeyboardInterrupt
            super().backward(network)

    states = []
    for name in ("whole", "parts"):
        plan = replace(config(tmp_path / name, 20), checkpoint_s=-1.0, log_steps=100)
        if name == "parts":
            with pytest.raises(KeyboardInterrupt):
                run_by_the_clock(plan, line(), Interrupted())
            assert torch.load(plan.out / CHECKPOINT, weights_only=True)["step"] == 7
        path = run_by_the_clock(plan, line(), Bowl())
        states.append(torch.load(path, weights_only=True))
    for kind in ("m", "ema"):
        for weight, value in states[0][kind].items():
            assert torch.allclose(value, states[1][kind][weight], atol=1e-6), (kind, weight)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    run_by_the_clock(config(tmp_path, 2), line(), Bowl())
    with pytest.raises(ModelError, match=CHECKPOINT):
        train_lesions(config(tmp_path, 5), network(), WEIGHT, repeat(sample()))


def logits(kinds: torch.Tensor, strength: float = 14.0) -> torch.Tensor:
    known = torch.where(kinds == UNKNOWN, 0, kinds)
    return strength * torch.nn.functional.one_hot(known, CHANNELS).movedim(-1, 1).float()


def test_truth_costs_almost_nothing() -> None:
    _, kinds = sample()
    value, overlap, right = lesion_loss(logits(kinds), kinds, WEIGHT)
    assert float(value) < 0.01
    assert float(overlap) > 0.99
    assert float(right) > 0.99


def test_unknown_voxels_do_not_count() -> None:
    _, kinds = sample()
    unknown = (kinds == UNKNOWN)[:, None].expand(-1, CHANNELS, -1, -1, -1)
    assert unknown.any()
    torch.manual_seed(1)
    said = torch.randn(1, CHANNELS, *SIZE)
    other = torch.where(unknown, 5 * torch.randn(1, CHANNELS, *SIZE), said)
    first, second = lesion_loss(said, kinds, WEIGHT), lesion_loss(other, kinds, WEIGHT)
    for one, two in zip(first, second, strict=True):
        assert float(one) == pytest.approx(float(two), rel=1e-5)
    said.requires_grad_()
    lesion_loss(said, kinds, WEIGHT)[0].backward()
    assert float(said.grad[unknown].abs().max()) == 0
    assert float(said.grad[~unknown].abs().min()) > 0


@pytest.mark.parametrize("empty", [0, UNKNOWN])
def test_the_loss_is_finite_without_any_lesion(empty: int) -> None:
    kinds = torch.full((1, *SIZE), empty, dtype=torch.int64)
    said = torch.zeros(1, CHANNELS, *SIZE, requires_grad=True)
    value, overlap, right = lesion_loss(said, kinds, WEIGHT)
    assert bool(torch.isfinite(value))
    assert bool(torch.isnan(overlap))
    assert bool(torch.isnan(right))
    value.backward()
    assert bool(torch.isfinite(said.grad).all())
    assert bool(said.grad.any()) is (empty == 0), "false alarms are unlearnt where marrow is known to be healthy"


def test_a_step_without_a_lesion_is_logged(tmp_path: Path) -> None:
    image, kinds = sample()
    train_lesions(config(tmp_path, 5), network(), WEIGHT, repeat((image, torch.zeros_like(kinds))))
    (row,) = log(tmp_path)
    assert row["right_kind"] == row["dice_any"] == "nan"
    assert 0 < float(row["loss"]) < 10


def test_loss_by_hand() -> None:
    """Four voxels: none, kind 1, kind 2, unknown. All channels say the same, so p(changed) is 3/4, each kind 1/3."""
    kinds = torch.tensor([0, 1, 2, UNKNOWN]).view(1, 1, 2, 2)
    value, overlap, right = lesion_loss(torch.zeros(1, CHANNELS, 1, 2, 2), kinds, WEIGHT)
    entropy = (1 * torch.log(torch.tensor(4.0)) + 2 * 3 * torch.log(torch.tensor(4 / 3))) / 7
    dice = (2 * 2 * 0.5 + 60) / (3 * 0.5 + 2 + 60)  # freed of the weight of 3, 'changed' has even odds
    assert float(overlap) == pytest.approx(dice, rel=1e-5)
    assert float(right) == pytest.approx(1 / 3, rel=1e-5)
    expected = 2 * float(entropy) + 1 - dice + 0.5 * float(torch.log(torch.tensor(3.0)))
    assert float(value) == pytest.approx(expected, rel=1e-5)


def test_a_small_kind_counts_as_much_as_a_large_one() -> None:
    """Calling a few voxels by a wrong kind costs what calling a hundred times as many does."""
    kinds = torch.zeros(1, *SIZE, dtype=torch.int64)
    kinds[0, :, 2:22, 2:22] = 1
    kinds[0, 1, 25:29, 30:34] = 2
    costs = []
    for kind in (1, 2):
        wrong = torch.where(kinds == kind, 3, kinds)
        costs.append(float(lesion_loss(logits(wrong), kinds, WEIGHT)[0]))
    assert costs[0] == pytest.approx(costs[1], rel=1e-3)
    assert costs[0] > 2


def test_a_voxel_of_a_small_change_weighs_up_to_twice_as_much() -> None:
    changed = torch.zeros(2, 7, 64, 64)
    changed[0, 3, 20:23, 20:23] = 1
    changed[0, 3, 50, 50] = 1
    changed[1] = 1
    weights = _emphasis(changed)
    assert weights.shape == changed.shape
    assert float(weights[0, 3, 50, 50]) == float(weights[0, 3, 21, 21]) == 2
    assert float(weights[1].max()) == float(weights[1].min()) == 1
    changed[0, 2:5, 17:24, 17:26] = 1
    assert 1 < float(_emphasis(changed)[0, 3, 21, 21]) < 2


def test_a_changed_voxel_weighs_as_much_as_is_said_and_the_rest_one() -> None:
    """A missed voxel costs 10 and a right one nearly nothing: the mean follows from the weights."""
    kinds = torch.zeros(1, 1, 1, 2, dtype=torch.int64)
    kinds[..., 0] = 1
    said = torch.full((1, CHANNELS, 1, 1, 2), -10.0)
    said[:, 0] = 0
    light, heavy = (float(lesion_loss(said, kinds, weight)[0]) for weight in (1.0, 3.0))
    odds = 10 - math.log(CHANNELS - 1)
    assert heavy - light == pytest.approx(2 * odds * (3 / 4 - 1 / 2), rel=1e-3)


def test_fine_levels_look_within_a_slice_and_coarse_ones_across() -> None:
    image = torch.randn(1, 3, 7, 32, 48, generator=torch.Generator().manual_seed(1))
    changed = image.clone()
    changed[:, :, 0] += 1

    def moved(flat: int) -> torch.Tensor:
        made = network(flat=flat)
        for parent in list(made.modules()):  # statistics of a norm span the stack: what is left is what is convolved
            for name, child in list(parent.named_children()):
                if isinstance(child, torch.nn.InstanceNorm3d):
                    setattr(parent, name, torch.nn.Identity())
        with torch.no_grad():
            found, before = made(changed), made(image)
        assert found.shape == (1, CHANNELS, 7, 32, 48)
        return (found - before).abs().amax((0, 1, 3, 4))

    alone, together = moved(3), moved(2)
    assert float(alone[0]) > 0
    assert not alone[1:].any()
    assert (together[:3] > 0).all()


def test_every_weight_of_the_lesion_network_is_used_and_stored_once() -> None:
    made = network(filters=(16, 32, 48, 48))
    image, kinds = sample()
    lesion_loss(made(image), kinds, WEIGHT)[0].backward()
    unused = [name for name, value in made.named_parameters() if value.grad is None]
    assert not unused
    assert len(list(made.state_dict())) == len(list(made.parameters()))


@pytest.mark.parametrize(
    ("features", "volumes"),
    [(("avx512_bf16",), True), (("amx_bf16",), False), (("avx512_bf16", "amx_bf16"), False), ((), False)],
)
def test_torchs_own_convolutions_of_volumes_learn_in_full_precision_where_half_ends_the_process(
    features, volumes, monkeypatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(features, True))
    seen = []

    class Spy(torch.nn.Module):
        def __init__(self, inside: torch.nn.Module) -> None:
            super().__init__()
            self.inside = inside

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            seen.append(torch.is_autocast_enabled("cpu"))
            return image

    for inside in (torch.nn.Conv3d(1, 1, 3), torch.nn.Conv2d(1, 1, 3), network()):
        logits_of(Spy(inside), torch.zeros(1, 3, *SIZE))
    assert seen == [volumes, bool(features), bool(features)]


def test_a_stack_as_large_as_those_of_a_run_is_learnt_from_without_an_end_of_the_process():
    step = (
        "import torch; from spinemri.segment.network import LesionUNet; from spinemri.training.clock import logits_of\n"
        "network = LesionUNet(11, 18, (16, 32, 64), 2)\n"
        "for size in ((5, 112, 160), (8, 80, 128)): logits_of(network, torch.randn(1, 11, *size)).mean().backward()"
    )
    subprocess.run([sys.executable, "-c", step], check=True, timeout=300)
