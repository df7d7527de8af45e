"""Writes docs/benchmarks.md: time and peak memory of whole processes, of the stages within one, and of the network.

Whole processes are started anew, imports included. Give folders of studies as arguments to time those; by default the
sample study, and the public studies that lie beside the repository. The network alone is timed warm, on a synthetic
series, by ``time_network.py``; all measurements of a painted whole spine on one core by ``time_measurements.py``.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import spinemri
from spinemri.analysis import Analysis

if TYPE_CHECKING:
    import resource
    from collections.abc import Mapping

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = HERE / "benchmarks.md"
RUNS = 3


def main() -> None:
    """Measure and write the page."""
    shared = ROOT.parent / "shared" / "data" / "dicom-studies"
    named = [Path(argument) for argument in sys.argv[1:]]
    public = (shared / name for name in ("AKa", "DzZ", "errsm20"))
    folders = named or [ROOT / "sample_data", *(folder for folder in public if folder.is_dir())]
    program = Path(sys.executable).parent / "spinemri"
    rows, stages = [], []
    help_s = median(_run([program, "--help"])[0] for _ in range(RUNS + 2))
    rows.append(f"| `spinemri --help` | {help_s:.2f} | |")
    for folder in folders:
        with tempfile.TemporaryDirectory() as name:
            out = Path(name) / "out"
            runs = []
            for _ in range(RUNS):
                shutil.rmtree(out, ignore_errors=True)
                runs.append(_run([program, "analyze", str(folder), "-o", str(out)]))
            analysis = Analysis.model_validate_json((out / "report.json").read_text(encoding="utf-8"))
        seconds = [s for s, _ in runs]
        rows.append(
            f"| `spinemri analyze` {folder.name} ({_what(analysis)}) | {median(seconds):.1f} "
            f"({min(seconds):.1f} to {max(seconds):.1f}) | {max(m for _, m in runs):.1f} |"
        )
        spent = analysis.provenance.seconds
        stages.append(f"| {folder.name} | " + " | ".join(f"{spent.get(s, 0):.1f}" for s in STAGES) + " |")
    text = [
        "# Benchmarks",
        "",
        (
            f"Made by `make bench`, spinemri {spinemri.__version__}, {os.cpu_count()} cores ({platform.machine()}), "
            f"no GPU unless the machine has one, Python {platform.python_version()}; median of {RUNS} runs, "
            "lowest and highest in brackets."
        ),
        "The machine is shared: compare figures of one page only.",
        "",
        "| whole process, imports included | seconds | peak memory GB |",
        "|---|---|---|",
        *rows,
        "",
        "| stage within the last run, seconds | " + " | ".join(STAGES) + " |",
        "|---|" + "---|" * len(STAGES),
        *stages,
        "",
        *_measurements(),
        *_network(),
        *_study(),
        *_peers(),
        *_batch(),
    ]
    PAGE.write_text("\n".join(text), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")


STAGES = ("read", "segment", "align", "lesions", "measure")


MOST_MEASURE_S = 3.0
_ONE_CORE = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


def _measurements() -> list[str]:
    """All measurements of a whole spine on one core, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        result = Path(name) / "measurements.json"
        _run([sys.executable, HERE / "time_measurements.py", result], _ONE_CORE)
        found = json.loads(result.read_text(encoding="utf-8"))
    seconds = found["seconds"]
    kept = "kept" if median(seconds) <= MOST_MEASURE_S else "**missed**"
    spent = f"{median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
    return [
        "| all measurements of a painted whole spine, T2w, 15 slices of 0.9 mm, warm, one core | seconds | bar |",
        "|---|---|---|",
        f"| {found['vertebrae']} vertebrae, {found['values']} values | {spent} | ≤ {MOST_MEASURE_S:g}: {kept} |",
        "",
    ]


def _network() -> list[str]:
    """The network alone, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        result = Path(name) / "network.json"
        _run([sys.executable, HERE / "time_network.py", result])
        found = json.loads(result.read_text(encoding="utf-8"))
    rows = [
        f"| {name} | {median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) |"
        for name, seconds in found["seconds"].items()
    ]
    return [
        f"| one sagittal series, {found['series']}, or as said, warm, {found['threads']} threads | seconds |",
        "|---|---|",
        *rows,
        "",
        f"Peak memory above the loaded libraries and weights: {found['memory_gb']:.2f} GB.",
        "",
    ]


MOST_OTHER_S, MOST_STUDY_S, MOST_DEFAULT_S, MOST_ALL_S = 4.0, 15.0, 3.0, 8.0


def _study() -> list[str]:
    """Whole studies within one process, loading, and 24 studies overlapped."""
    found = _told("time_study.py")
    stages, loading, overlap = found["stages"], found["loading"], found["overlap"]
    network = sum(stages[f"infer: {stage}"] for stage in ("segment", "lesions"))
    whole = sum(stages[stage] for stage in ("read", "infer", "finish", "write"))
    against = loading["ours"] / loading["SimpleITK"]
    rows = [
        ("the whole study, default formats", f"{whole:.1f} s", _kept(whole, MOST_STUDY_S)),
        ("of it reading and decoding", f"{stages['read']:.2f} s", ""),
        ("of it finding and naming anatomy", f"{stages['infer: segment']:.2f} s", ""),
        ("of it looking for lesions", f"{stages['infer: lesions']:.2f} s", ""),
        ("of it aligning series", f"{stages['infer: align']:.2f} s", ""),
        ("of it measuring and grading", f"{stages['finish']:.2f} s", ""),
        ("of it writing the default formats", f"{stages['write']:.2f} s", _kept(stages["write"], MOST_DEFAULT_S)),
        ("everything but anatomy and lesions", f"{whole - network:.2f} s", _kept(whole - network, MOST_OTHER_S)),
        ("writing all formats", f"{found['all_formats_s']:.2f} s", _kept(found["all_formats_s"], MOST_ALL_S)),
        ("peak memory that writing adds", f"{found['writing_gb']:.2f} GB", _kept(found["writing_gb"], 1.0)),
        ("loading to one grid against SimpleITK", f"{against:.2f}", _kept(against, 1.0)),
    ]
    if "dcm2niix" in loading:
        ratio = loading["ours, headers too"] / loading["dcm2niix"]
        rows.append(("reading the folder against dcm2niix to NIfTI", f"{ratio:.2f}", _kept(ratio, 1.5)))
    for workers, how in (("1", "in one process of two threads"), ("2", "in two of one thread, `--workers 2`")):
        gain = overlap["alone_s"] / overlap[workers]
        what = f"24 studies overlapped {how}, against their stages one by one"
        rows.append((what, f"{gain:.2f}", _kept(-gain, -1.3)))
    return [
        f"| one study, {', '.join(found['series'])}, warm, {found['threads']} threads | | bar |",
        "|---|---|---|",
        *(f"| {name} | {value} | {bar} |" for name, value, bar in rows),
        "",
        *_LOADING,
        "",
    ]


_LOADING = (
    "Loading to one grid begins with a series that `scan` has found: its headers and pixels are read and checked, and",
    "ITK's linear interpolation, most of either time, puts them on the grid. SimpleITK's time holds its own search",
    "for the files of a series, ours does not hold `scan`. Reading the folder is everything before the first network:",
    "headers of all files, choice of series, all checks, voxels in memory, in a process that runs already; nothing is",
    "resampled. The time of dcm2niix is that of its process, which starts, reads the same files and writes",
    "uncompressed NIfTI without JSON.",
)


def _peers() -> list[str]:
    """Our network against the shapes of others, and layer by layer against the processor."""
    found = _told("time_networks.py")
    bars = {"TotalSpineSeg": 40.0, "TotalSegmentator vertebrae_mr": 4.0}
    rows = [f"| ours, anatomy, levels and outlines | | | {found['ours_s']:.1f} | | |"]
    for name, peer in found["peers"].items():
        ratio = peer["study_s"] / found["ours_s"]
        rows.append(
            f"| {name}, shape with random weights | {peer['patch_s']:.1f} | {peer['patches']} | {peer['study_s']:.0f} "
            f"| {ratio:.0f} | {_kept(-ratio, -bars[name])} |"
        )
    peak, layers = found["peak_gflops"], found["layers"]
    total = sum(layer["seconds"] for layer in layers)
    done = sum(layer["gflops"] * layer["seconds"] for layer in layers)
    heavy = sorted(layers, key=lambda layer: -layer["seconds"])[:MOST_LAYERS]
    return [
        _sentence(
            f"Networks alone, {found['series']}, {found['threads']} threads, the same precision.",
            "Of the others one patch per network is timed and counted as often as its own steps tile the volume.",
        ),
        "",
        "| network | seconds a patch | patches | seconds a study | times ours | bar |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        _sentence(
            f"This processor multiplies {peak:.0f} GFLOP/s in half precision (4096 x 4096 matrices).",
            f"All convolutions of one pass over a series: {total:.2f} s at {done / total:.0f} GFLOP/s,",
            f"{100 * done / total / peak:.0f} % of it; the {len(heavy)} that take longest:",
        ),
        "",
        "| convolution | weights | seconds | of the peak |",
        "|---|---|---|---|",
        *(
            f"| {layer['name']} | {layer['weights']} | {layer['seconds']:.3f} | {100 * layer['gflops'] / peak:.0f} % |"
            for layer in heavy
        ),
        "",
    ]


def _sentence(*parts: str) -> str:
    return " ".join(parts)


def _told(script: str) -> dict[str, Any]:
    """What a script measures in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        result = Path(name) / "result.json"
        _run([sys.executable, HERE / script, result])
        told: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return told


def _kept(value: float, most: float) -> str:
    """Whether a figure is at most a bar; both negative where it shall be at least."""
    bar = f"≤ {most:g}" if most > 0 else f"≥ {-most:g}"
    return f"{bar}: {'kept' if value <= most else '**missed**'}"


MOST_LAYERS = 12
FEW, MANY, SHARED = 10, 200, 40
_BATCHES = (("one", FEW), ("one", MANY), ("one", SHARED), ("two", SHARED), ("ray", SHARED))


def _batch() -> list[str]:
    """Batches of small studies, each in a process of its own."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        result, root = Path(name) / "batch.json", Path(name) / "studies"
        for engine, number in _BATCHES:
            _run([sys.executable, HERE / "time_batch.py", result, root, engine, str(number)], _ONE_CORE)
            found[engine, number] = json.loads(result.read_text(encoding="utf-8"))
    few, many, one, two, ray = (found[batch] for batch in _BATCHES)
    figures = [
        ("peak memory, most by least", many["memory_gb"] / few["memory_gb"], "within 1.1", 0.9, 1.1),
        ("throughput, most by least", few["seconds"] / many["seconds"], "within 1.1", 0.9, 1.1),
        ("two processes by one", one["seconds"] / two["seconds"], "≥ 1.7", 1.7, 9),
        ("Ray by the local engine, two processes each", two["seconds"] / ray["seconds"], "≥ 0.8", 0.8, 9),
    ]
    return [
        "| studies of 8 x 96 x 96, one thread a process | seconds a study | processor seconds a study | peak GB |",
        "|---|---|---|---|",
        *(
            f"| {number}, {engine} | {f['seconds']:.2f} | {f['processor']:.2f} | {f['memory_gb']:.2f} |"
            for (engine, number), f in found.items()
        ),
        "",
        "Processor time and memory are those of the main process, which works itself only where there is one.",
        "",
        f"| ratio ({FEW} to {MANY} studies; {SHARED} studies) | | bar |",
        "|---|---|---|",
        *(
            f"| {name} | {ratio:.2f} | {bar}: {'kept' if low <= ratio <= high else '**missed**'} |"
            for name, ratio, bar, low, high in figures
        ),
        "",
    ]


def _run(command: list[str | Path], more: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Seconds and peak memory in GB of one process, started with ``more`` in its environment."""
    arguments = [str(part) for part in command]
    silent = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    start = time.perf_counter()
    process = os.posix_spawn(arguments[0], arguments, {**os.environ, **(more or {})}, file_actions=silent)
    _, status, usage = os.wait4(process, 0)
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"{Path(arguments[0]).name} {arguments[1]} failed with exit code {code}")
    return time.perf_counter() - start, _gigabytes(usage)


def _gigabytes(usage: resource.struct_rusage) -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit / 1e9


def _what(analysis: Analysis) -> str:
    return ", ".join(f"{s.contrast.value} {' x '.join(map(str, s.shape or ()))}" for s in analysis.used_series())


if __name__ == "__main__":
    main()
