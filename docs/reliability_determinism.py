"""How far analyses of the sample study lie apart: run again, after others, with other threads, on another device.

``section()`` measures and returns the section of docs/reliability.md; run as a program it prints it. The tolerances of
``tests/test_determinism.py`` and ``tests/gpu`` rest on it.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from spinemri.evaluate.repeat import Apart, apart
from spinemri.networks import Networks, load_networks
from spinemri.pipeline import Options, analyze
from spinemri.synthesis.phantom import make_phantom

if TYPE_CHECKING:
    from spinemri.case import Case

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = Options(token_key=b"determinism-of-this")
_NAMED = 3  # places that a row names


def analysed(networks: Networks, threads: int = 1) -> Case:
    """The sample study, read and analysed anew."""
    torch.set_num_threads(threads)
    return analyze(ROOT / "sample_data", networks, OPTIONS)


def used() -> Networks:
    """Networks that have read another person before."""
    networks = load_networks("cpu", 1)
    if networks.anatomy is not None:
        networks.anatomy.predict(make_phantom(11).images[0])
    return networks


def row(what: str, found: Apart) -> str:
    """A row of the table."""
    places = ", ".join(f"`{place}`" for place in found.words[:_NAMED])
    words = f"{len(found.words)} differ ({places})" if found.words else "the same"
    number = "equal" if not found.relative else f"{100 * found.relative:.2g} % (`{found.where}`)"
    return f"| {what} | {words} | {number} | {100 * found.voxels:.3g} % |"


def section() -> str:
    """The section as Markdown."""
    fresh = load_networks("cpu", 1)
    first = analysed(fresh)
    rows = [
        row("the same again, 1 thread", apart(first, analysed(fresh))),
        row("networks that have read another person before, as in a batch", apart(first, analysed(used()))),
        row("2 threads", apart(first, analysed(fresh, threads=2))),
    ]
    if torch.cuda.is_available():
        rows.append(
            row(f"{torch.cuda.get_device_name(0)} instead of the CPU", apart(first, analysed(load_networks("cuda"))))
        )
    else:
        rows.append("| a GPU instead of the CPU | not measured here: `docs/benchmarks_gpu.md` says what was seen | | |")
    return "\n".join(
        [
            "## Determinism",
            "",
            f"The sample study (three series, bundled networks, {platform.machine()}), each time against a run with",
            "one thread on the CPU. Left out are only times and dates. Numbers: the largest difference of two numbers",
            "at one place of `report.json`. Voxels: of those that either run labels, how many have another label.",
            "",
            "| what is different | names, grades, statements | largest difference of a number | voxels |",
            "|---|---|---|---|",
            *rows,
            "",
            "Tolerances, and the tests that hold them:",
            "",
            "| over | names and grades | numbers | voxels | test |",
            "|---|---|---|---|---|",
            "| runs on one machine, same threads | equal | equal | equal | `tests/test_determinism.py` |",
            "| a batch of many, or one study alone | equal | equal | equal | `tests/test_determinism.py` |",
            "| threads (5 slices) | equal, rounded | 10 % or 1/10 of interval | 0.5 % | `tests/test_determinism.py` |",
            "| devices | 98 % of findings | heights 0.2 mm | Dice of a class 0.98 | `tests/gpu`, on a GPU |",
            "",
            "Networks compute in half precision where a processor has it, which rounds otherwise with other threads:",
            "borders move by a voxel here and there. In a whole study a number near 0, such as how far a patient",
            "turned between two series, or the share of a kind that is hardly there, may differ by more than the",
            "tolerance, and what is close to being measurable, such as a neural foramen, be measured or not: seen in a",
            "real patient. Who needs equal results sets the threads (`--threads`).",
            "",
            "How many slices go through the network together is no option: a stack of up to 24 slices is read whole,",
            "since its coarse levels see the neighbours; more slices, as of a 3D volume, in overlapping blocks of 24.",
            "A study of a batch goes through the network by itself, never together with another.",
            "",
        ]
    )


if __name__ == "__main__":
    print(section())
