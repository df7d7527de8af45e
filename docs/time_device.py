"""Writes docs/benchmarks_gpu.md: our networks and whole studies on a GPU against this machine's CPU, in one run.

``time_device.py --device cuda`` (``make bench-gpu``). Any device that torch knows is measured the same way; without it
the script ends with one line. The studies are those of ``time_study.py``, the networks those of ``time_networks.py``.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from peer_networks import TOTALSPINESEG, VERTEBRAE_MR
from time_networks import SAMPLE, SERIES, SHAPE, SPACING, enlarged, peer_times, read_networks, settled, timed
from time_study import OPTIONS, write_studies

import spinemri
from spinemri.batch.line import Job
from spinemri.batch.run import run
from spinemri.errors import ModelError
from spinemri.networks import default_predictor, load_networks
from spinemri.segment.device import device_named
from spinemri.segment.model import load_model
from spinemri.segment.weights import network_on
from spinemri.series import Contrast
from spinemri.training.clock import logits_of

if TYPE_CHECKING:
    from spinemri.batch.sources import Source

PAGE = Path(__file__).parent / "benchmarks_gpu.md"
STUDIES = 24
STACKS, SLICES, WINDOW = 20, 4, (160, 192)
LEAST = {"TotalSpineSeg": 40.0, "TotalSegmentator vertebrae_mr": 4.0}


def main() -> None:
    """Measure and write."""
    options = _options()
    try:
        device = device_named(options.device)
    except ModelError as problem:
        sys.exit(str(problem))
    torch.set_num_threads(options.threads)
    lines = [*_head(device)]
    sections = partial(_networks, device), partial(_training, device), partial(_batches, device, options.studies)
    for section in sections:
        lines += section()
        options.page.write_text("\n".join([*lines, ""]), encoding="utf-8")  # what is measured stays when time runs out
    print(options.page.read_text(encoding="utf-8"))


def _head(device: torch.device) -> list[str]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "this processor"
    made_by = (
        f"Made by `docs/{Path(sys.argv[0]).name} --device {device.type}`, spinemri {spinemri.__version__}, {name}, "
        f"{torch.get_num_threads()} threads of {platform.machine()}, torch {torch.__version__}."
    )
    return [f"# Benchmarks on {'a GPU' if device.type == 'cuda' else device.type}", "", made_by, ""]


def _networks(device: torch.device) -> list[str]:
    """Our networks and the shapes of others, and how far both devices agree."""
    stored = spinemri.scan(SAMPLE).studies[0].series
    image = enlarged(spinemri.load(next(one for one in stored if one.contrast is Contrast.T2W)), SHAPE, SPACING)
    here, there = (default_predictor("spine_anatomy", name) for name in ("cpu", str(device)))
    cpu, ours = (min(timed(lambda on=on: read_networks(on, [image] * SERIES))) for on in (here, there))  # type: ignore[misc]
    rows = [f"| ours, anatomy, levels and outlines | {ours:.2f} | {cpu / ours:.1f} times this CPU |"]
    for peer in (TOTALSPINESEG, VERTEBRAE_MR):
        took = peer_times(peer, str(device))["study_s"]
        kept = "kept" if took / ours >= LEAST[peer.name] else "**missed**"
        rows.append(
            f"| {peer.name}, shape | {took:.1f} | {took / ours:.0f} times ours, ≥ {LEAST[peer.name]:g}: {kept} |"
        )
    same = np.mean(here.predict(image).classes == there.predict(image).classes)
    memory = (
        f" Peak memory there: {torch.cuda.max_memory_allocated(device) / 1e9:.2f} GB." if device.type == "cuda" else ""
    )
    what = f"{SERIES} x {' x '.join(map(str, SHAPE))} of {' x '.join(map(str, SPACING))} mm"
    return [
        f"| networks alone, {what} | seconds | |",
        "|---|---|---|",
        *rows,
        "",
        f"{100 * same:.3f} % of voxels have the same class on both devices.{memory}",
        "",
    ]


def _training(device: torch.device) -> list[str]:
    """Forwards and backwards through the anatomy network, stacks of one size at once."""
    model = load_model()
    network = network_on(model, device).requires_grad_().train()
    image = torch.randn(STACKS, SLICES, model.slices, *WINDOW, device=device)

    def step() -> torch.Tensor:
        network.zero_grad()
        cost = logits_of(network, image).square().mean()
        cost.backward()  # type: ignore[no-untyped-call]
        return settled(cost)

    seconds = min(timed(step))
    size = f"{STACKS} stacks of {SLICES} slices of {' x '.join(map(str, WINDOW))}"
    return [
        "| training the anatomy network | seconds |",
        "|---|---|",
        f"| forwards and backwards, {size} | {seconds:.3f} |",
        "",
    ]


def _batches(device: torch.device, number: int) -> list[str]:
    """Whole studies of three series, overlapped, on the device and without it."""
    with tempfile.TemporaryDirectory() as name:
        sources = write_studies(Path(name) / "studies", number)
        alone, with_it = (_seconds(sources, on, Path(name) / f"out-{n}") for n, on in enumerate(("cpu", str(device))))
    return [
        f"| {number} whole studies of three series, one process, default formats | seconds a study |",
        "|---|---|",
        f"| on the CPU | {alone:.2f} |",
        f"| networks on {device} | {with_it:.2f} |",
    ]


def _seconds(sources: list[Source], device: str, out: Path) -> float:
    """Seconds a study, from the first result to the last."""
    outcomes = run(sources, Job(partial(load_networks, device), OPTIONS), out, 1)
    statuses = [next(outcomes).status]
    start = time.perf_counter()
    statuses += [outcome.status for outcome in outcomes]
    if set(statuses) != {"done"}:
        sys.exit(f"not all done: {statuses}")
    return (time.perf_counter() - start) / (len(sources) - 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 …; cpu compares the CPU with itself")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--studies", type=int, default=STUDIES, help=f"whole studies, 2 to {STUDIES}")
    parser.add_argument("--page", type=Path, default=PAGE, help="file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
