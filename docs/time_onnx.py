"""Times the anatomy network on one stack of slices: torch as the program runs it, torch in float32, and ONNX.

Run it where nothing else runs: ``python docs/time_onnx.py``. Needs the extra ``onnx``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import onnxruntime
import torch

from spinemri.segment.device import half_precision, memory_layout
from spinemri.segment.model import load_model
from spinemri.segment.onnx_file import export_onnx
from spinemri.segment.weights import network_on

if TYPE_CHECKING:
    from collections.abc import Callable

STACK = (15, 5, 160, 320)  # slices, neighbours, rows, columns: a lumbar series of 15 slices at 1 mm
RUNS = 9


def main() -> None:
    """Measure and print."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    torch.set_num_threads(threads)
    device = torch.device("cpu")
    half, able = half_precision(device)
    layout = memory_layout(device)
    image = torch.randn(STACK, generator=torch.Generator().manual_seed(1))
    network = network_on(load_model(), device)
    with tempfile.TemporaryDirectory() as folder:
        path = export_onnx("spine_anatomy", Path(folder) / "net.onnx").path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def torch_says(*, fast: bool) -> None:
        with torch.inference_mode(), torch.autocast("cpu", half, enabled=fast):
            network(image.contiguous(memory_format=layout))

    works: dict[str, Callable[[], object]] = {
        f"torch, {str(half).removeprefix('torch.')}{'' if able else ' (emulated)'}": lambda: torch_says(fast=True),
        "torch, float32": lambda: torch_says(fast=False),
        "ONNX, float32": lambda: session.run(None, {"image": image.numpy()}),
    }
    found = _quickest(works)
    first = next(iter(found.values()))
    print(f"{' x '.join(map(str, STACK))}, {threads} thread(s) of {os.cpu_count()}, best of {RUNS} in turn")
    for name, seconds in found.items():
        print(f"{name:18} {seconds:6.2f} s  {seconds / first:5.2f}")


def _quickest(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Least seconds of each, taken in turn so that whatever else runs meanwhile disturbs all alike."""
    best = dict.fromkeys(works, float("inf"))
    for turn in range(RUNS + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn:  # the first warms up
                best[name] = min(best[name], time.perf_counter() - start)
    return best


if __name__ == "__main__":
    main()
