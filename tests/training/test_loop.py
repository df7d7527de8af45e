"""The loop learns, stops, goes on where it stopped, and ends in a bundle that predicts."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import pytest
import torch
from monai.networks.nets.dynunet import DynUNet

from spinemri.errors import ModelError
from spinemri.segment.bundle import bundle_path
from spinemri.segment.model import load_model
from spinemri.segment.predictor import Predictor
from spinemri.segment.weights import build_network
from spinemri.training.clock import CHECKPOINT, LOG, TrainingConfig
from spinemri.training.export import checkpoint_state, export_weights
from spinemri.training.loop import train
from spinemri.training.loss import UNKNOWN
from spinemri.training.start import prepare_output

WEIGHTS = (0.5, 1.0, 1.5)


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    # multiples of 16 as in the shipped network: with 8, the bfloat16 backward pass of torch 2.13 on a CPU frees twice
    made = DynUNet(2, 5, 3, [3] * 3, [1, 2, 2], [2, 2], filters=[16, 32, 32], res_block=True)
    prepare_output(made, (0.8, 0.1, 0.1))
    return made


def sample() -> tuple[torch.Tensor, torch.Tensor]:
    """A stack of one slice and its neighbours: a noisy field with a darker rectangle (1) and a brighter strip (2)."""
    torch.manual_seed(4)
    classes = torch.zeros(1, 48, 64, dtype=torch.int64)
    classes[0, 8:26, 10:40] = 1
    classes[0, 32:42, 6:58] = 2
    level = torch.tensor([0.0, -1.5, 1.5])[classes]
    return level[:, None] + 0.3 * torch.randn(1, 5, 48, 64), classes


def real_sample() -> tuple[torch.Tensor, ...]:
    image, classes = sample()
    extent = torch.ones(1, 48, 64)
    extent[:, :, 50:] = 0
    seen = torch.where(classes == 2, 2, UNKNOWN)
    return 0.7 * image.flip(1), (classes == 1).float(), extent, torch.tensor([1]), seen


def config(out: Path, steps: int) -> TrainingConfig:
    return TrainingConfig(out, minutes=30, learning_rate=3e-3, max_steps=steps, log_steps=5, average=0.9)


def log(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / LOG).read_text(encoding="utf-8").splitlines()))


def test_one_sample_is_learnt(tmp_path):
    made = network()
    quick = replace(config(tmp_path, 250), learning_rate=1e-2)
    train(quick, made, WEIGHTS, repeat(sample()), repeat(real_sample()))
    last = log(tmp_path)[-1]
    assert min(float(last[name]) for name in ("dice_1", "dice_2", "dice_real")) > 0.9  # soft, so below the hard ones
    made.load_state_dict(checkpoint_state(tmp_path / CHECKPOINT))
    image, classes = sample()
    found = made.eval()(image).argmax(1)
    for value in (1, 2):
        overlap = ((found == value) & (classes == value)).sum() * 2
        assert float(overlap / ((found == value).sum() + (classes == value).sum())) > 0.95


def test_a_run_is_taken_up_where_it_stopped(tmp_path):
    train(config(tmp_path, 10), network(), WEIGHTS, repeat(sample()))
    before = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    train(config(tmp_path, 15), network(seed=9), WEIGHTS, repeat(sample()))
    after = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert (before["step"], after["step"]) == (10, 15)
    assert after["elapsed_s"] > before["elapsed_s"]
    assert [int(row["step"]) for row in log(tmp_path)] == [5, 10, 15]
    name = next(iter(before["ema"]))
    moved = (after["ema"][name] - before["ema"][name]).abs().mean()
    assert 0 < float(moved) < float((network(seed=9).state_dict()[name] - before["ema"][name]).abs().mean())
    assert not list(tmp_path.glob("*.part"))


def test_a_finished_run_is_left_alone(tmp_path):
    train(config(tmp_path, 5), network(), WEIGHTS, repeat(sample()))
    before = (tmp_path / CHECKPOINT).stat().st_size
    train(config(tmp_path, 5), network(), WEIGHTS, repeat(sample()))
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == 5
    assert (tmp_path / CHECKPOINT).stat().st_size == before


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    torch.save({"m": {}, "ema": {}}, tmp_path / CHECKPOINT)
    with pytest.raises(ModelError, match=CHECKPOINT):
        train(config(tmp_path, 5), network(), WEIGHTS, repeat(sample()))


def test_the_clock_ends_a_run(tmp_path):
    train(TrainingConfig(tmp_path, minutes=0.1, log_steps=1), network(), WEIGHTS, repeat(sample()))
    rates = [float(row["rate"]) for row in log(tmp_path)]
    assert len(rates) > 3, "a step takes a tenth of a second, and a second on a busy machine"
    assert rates[-1] < 0.2 * max(rates)
    assert float(log(tmp_path)[-1]["elapsed_s"]) <= 8


def test_priors_need_an_output_of_that_size():
    with pytest.raises(ModelError, match="no output convolution of 5 classes"):
        prepare_output(network(), (0.2,) * 5)


def test_exported_weights_predict_and_are_named_in_the_metadata(tmp_path):
    bundle = Path(shutil.copytree(bundle_path(), tmp_path / "fresh"))
    torch.manual_seed(7)
    made = build_network(load_model(bundle))
    export_weights(made.state_dict(), bundle, "9.1.0", "noise")
    model = load_model(bundle)
    assert model.version == "9.1.0"
    assert model.weights.stat().st_size < 20e6
    loaded = Predictor(model, device="cpu").network.state_dict()
    for name, value in made.state_dict().items():
        assert torch.allclose(loaded[name], value, atol=2e-3)


def test_a_broken_checkpoint_is_one_line(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"checkpoint x\.pt"):
        checkpoint_state(tmp_path / "x.pt")
