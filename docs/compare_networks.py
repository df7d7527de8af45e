"""Trains networks of different kinds for the same time on the same samples, and writes docs/network_choice.md.

Each starts from fresh weights and gets the same minutes of one processor core, so that a network whose steps cost more
takes fewer; the 3D network has so many filters that reading an image costs about as much. People kept apart from
training judge (``spinemri.training.real.tuning_cases``), raw, before anything is cleaned or named, and synthetic
people. Runs are kept in the folder given by ``--out`` and go on where they were stopped. They are short: they say which
kind learns faster on this processor, not how good either becomes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from time_networks import timed
from try_weights import APART, CONTRASTS, labelled_dice, raw_mask

from spinemri.anatomy import StructureKind
from spinemri.evaluate.overlap import dice
from spinemri.evaluate.regions import KINDS, REGIONS, region_images
from spinemri.evaluate.tables import markdown
from spinemri.segment.device import half_precision, memory_layout
from spinemri.segment.model import load_model
from spinemri.segment.network import LesionUNet, StackUNet
from spinemri.segment.predictor import Predictor
from spinemri.training.clock import TrainingConfig
from spinemri.training.loop import train
from spinemri.training.real import RealSlices, load_case, read_pair, training_cases, tuning_cases
from spinemri.training.run import PRIORS, stack_loader
from spinemri.training.start import prepare_output
from spinemri.training.synthetic import NEIGHBOURS, SyntheticSlices

if TYPE_CHECKING:
    from typing import Any

    from spinemri.image import Image
    from spinemri.segmentation import Segmentation
    from spinemri.training.real import LabelledCase

HERE = Path(__file__).parent
SEED = 11
IMAGE = (15, 320, 192)  # slices, rows, columns that reading is timed with
ROUNDS = 5
AROUND = NEIGHBOURS // 2
FILTERS = {"stack": [16, 32, 64, 128, 160, 160], "volume": [12, 24, 48, 96, 128, 128]}
NAMES = {
    "stack": "2D, neighbours as channels, slices mixed at the coarse levels (what spinemri uses)",
    "volume": "3D, one channel, kernels across slices from a quarter of the resolution downwards",
}


class VolumeReader(torch.nn.Module):
    """A 3D network in the place of ``StackUNet``: it reads a stack and its neighbours as one volume of one channel.

    Parameters
    ----------
    classes : of the output
    filters : features per level
    """

    def __init__(self, classes: int, filters: list[int]) -> None:
        super().__init__()
        self.network = LesionUNet(1, classes, filters)

    def forward(self, stacks: torch.Tensor) -> torch.Tensor:
        """As ``StackUNet``: (slices, neighbours, rows, columns), or several stacks with an axis more in front."""
        if stacks.ndim == 4:
            return self._read(stacks[None])[0]
        return self._read(stacks)

    def _read(self, stacks: torch.Tensor) -> torch.Tensor:
        before, after = stacks[:, 0, :AROUND], stacks[:, -1, AROUND + 1 :]
        volume = torch.cat([before, stacks[:, :, AROUND], after], dim=1)[:, None]
        logits: torch.Tensor = self.network(volume)
        return logits[:, :, AROUND:-AROUND].movedim(1, 2)


def main() -> None:
    """Train, judge, and write the page once every network has been judged."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--painted", type=Path, required=True, help="painted subjects, as of `spinemri train --painted`"
    )
    parser.add_argument("--real", type=Path, default=HERE.parent.parent / "shared/data/labelled", help="labelled sets")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--minutes", type=float, default=30, help="of training, each")
    parser.add_argument("--people", type=int, default=4, help="synthetic people per region")
    parser.add_argument("--only", choices=NAMES, help="one of them: the page waits for the others' results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in [options.only] if options.only else NAMES:
        result = options.out / f"{name}.json"
        if not result.exists():
            result.parent.mkdir(parents=True, exist_ok=True)
            result.write_text(json.dumps(_judged(name, options)), encoding="utf-8")
    results = {name: options.out / f"{name}.json" for name in NAMES}
    if all(path.exists() for path in results.values()):
        found = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in results.items()}
        (HERE / "network_choice.md").write_text(_page(found, options), encoding="utf-8")


def _network(name: str, classes: int) -> torch.nn.Module:
    filters = FILTERS[name]
    torch.manual_seed(SEED)
    network = StackUNet(NEIGHBOURS, classes, filters) if name == "stack" else VolumeReader(classes, filters)
    prepare_output(network, PRIORS)
    return network


def _judged(name: str, options: argparse.Namespace) -> dict[str, object]:
    """What one network reaches: seconds, steps and Dice."""
    model = load_model()
    network = _network(name, len(model.classes))
    volumes = [load_case(case, options.real, model, None) for case in training_cases()]
    config = TrainingConfig(
        options.out / name, options.minutes, stacks=2, real_stacks=2, average=0.99, seed=SEED, log_steps=20
    )
    synthetic, real = (stack_loader(s, 1) for s in (SyntheticSlices(options.painted, SEED), RealSlices(volumes, SEED)))
    state = torch.load(train(config, network, model.class_weights, synthetic, real), weights_only=True)
    network.load_state_dict(state["ema"])
    predictor = Predictor(model, "cpu")
    predictor.network = network.eval()
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "seconds": _seconds(network),
        "steps": int(state["step"]),
        "real": {f"{case.set} {case.case}": _real(case, predictor, options.real) for case in tuning_cases()},
        "synthetic": _synthetic(predictor, options.people),
    }


def _seconds(network: torch.nn.Module) -> float:
    half, able = half_precision(torch.device("cpu"))
    stack = torch.randn(IMAGE[0], NEIGHBOURS, *IMAGE[1:], generator=torch.Generator().manual_seed(SEED))
    stack = stack.contiguous(memory_format=memory_layout(stack.device))
    with torch.inference_mode(), torch.autocast("cpu", half, enabled=able):
        return min(timed(lambda: network(stack), ROUNDS))


def _real(case: LabelledCase, predictor: Predictor, root: Path) -> float:
    image, labels = read_pair(case, root)
    return labelled_dice(raw_mask(predictor.classify(image), StructureKind(case.structure), predictor), labels)


def _synthetic(predictor: Predictor, people: int) -> dict[str, float]:
    """Mean Dice of each structure over regions, people and contrasts."""
    every: dict[str, list[float]] = {}
    for region in REGIONS:
        for number in range(people):
            images, truth = region_images(region, APART + number, CONTRASTS[number % len(CONTRASTS) :][:1])
            _add(every, images[0], truth, predictor)
    return {kind: float(np.mean(values)) for kind, values in every.items()}


def _add(every: dict[str, list[float]], image: Image, truth: Segmentation, predictor: Predictor) -> None:
    found = predictor.classify(image)
    for kind in KINDS:
        mask = truth.mask_of_kind(kind)
        if mask.any():
            every.setdefault(kind.value, []).append(dice(raw_mask(found, kind, predictor), mask))


def _page(results: dict[str, dict[str, Any]], options: argparse.Namespace) -> str:
    rows = []
    for name, found in results.items():
        real, kinds = found["real"].values(), found["synthetic"]
        every = (*real, sum(real) / len(real), *kinds.values())
        size, seconds = f"{found['parameters'] / 1e6:.1f}", f"{found['seconds']:.2f}"
        rows.append((NAMES[name], size, seconds, found["steps"], *(f"{d:.3f}" for d in every)))
    first = next(iter(results.values()))
    cases = [f"body {case}" for case in first["real"]]
    kinds = [f"synthetic {kind.replace('_', ' ')}" for kind in first["synthetic"]]
    heads = ("network", "million parameters", "seconds to read", "steps", *cases, "mean", *kinds)
    painted = len(list(options.painted.glob("*.npz")))
    said = (
        f"Fresh weights, {options.minutes:g} minutes each on one core of this {platform.machine()} processor (the "
        f"machine has {os.cpu_count()}), rendering beside it; {painted} painted subjects (`spinemri train "
        "--paint`), two stacks of theirs and two real ones a step. Dice is raw, "
        "before anything is cleaned, named or drawn once more: of real people whom decisions are made by, and of "
        f"{options.people} synthetic people per region, one contrast each. Reading is timed with {IMAGE[0]} slices of "
        f"{IMAGE[1]} x {IMAGE[2]} pixels on that core, the best of {ROUNDS}, in the precision that spinemri reads in. "
        "Both see the same slices, the 2D network as channels, the 3D network as a volume that is computed slice by "
        "slice (`spinemri/segment/sliced.py`), and learn in the same precision."
    )
    made = "Made by `docs/compare_networks.py`; every figure is of a short run, none of the shipped weights."
    parts = ("# Choice of the anatomy network", made, said, markdown(heads, rows), _verdict(results))
    return "\n\n".join(parts) + "\n"


def _verdict(results: dict[str, dict[str, Any]]) -> str:
    """Which kind is ahead, and what that does not say."""
    means = {name: sum(found["real"].values()) / len(found["real"]) for name, found in results.items()}
    ahead = max(means, key=lambda name: means[name])
    cost = results[ahead]["seconds"] / min(found["seconds"] for found in results.values())
    return (
        f'After so short a time the network named "{NAMES[ahead]}" is ahead on real bodies, at {cost:.1f} times the '
        "cheapest reading. The shipped weights are of the first kind, with many hours of training in them "
        "(`models/spine_anatomy/docs/README.md`); whether the other kind ends higher is not known: it was not trained "
        "for as long."
    )


if __name__ == "__main__":
    main()
