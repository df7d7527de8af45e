"""Times whole studies, warm: their stages, the formats that are written, loading, and many overlapped; JSON to RESULT.

The study is the sample study enlarged to clinical size: T1w, STIR and T2w, 15 slices of 384 x 384 pixels of 0.7 mm.
Loading is timed against SimpleITK's series reader with the same resampling, and against dcm2niix where it is installed,
its start and the writing of uncompressed NIfTI included.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import SimpleITK
import torch
from time_networks import enlarged

import spinemri
from spinemri.batch.line import Job
from spinemri.batch.run import run
from spinemri.batch.sources import find_sources
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.networks import load_networks
from spinemri.pipeline import Options, finish, infer, read_study
from spinemri.report.write import DEFAULT_FORMATS, WRITERS, write
from spinemri.resample import resample

if TYPE_CHECKING:
    from collections.abc import Callable

    from spinemri.batch.sources import Source
    from spinemri.series import Series

SAMPLE = Path(__file__).parent.parent / "sample_data"
OPTIONS = Options(token_key=b"benchmarks only!")
SIDE, PIXEL_MM = 384, 0.7
RUNS, STUDIES = 3, 24
TARGET_MM = (4.0, 1.0, 1.0)


def main() -> None:
    """Measure and write."""
    result = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = _study(Path(name) / "study")
        found = {
            "threads": torch.get_num_threads(),
            **_stages(folder, Path(name)),
            "loading": _loading(folder, Path(name)),
        }
        alone = sum(found["stages"][stage] for stage in ("read", "infer", "finish", "write"))
        sources = write_studies(Path(name) / "studies")
        found["overlap"] = {"alone_s": alone}
        for workers in (1, 2):
            found["overlap"][str(workers)] = _overlapped(sources, Path(name) / f"batch {workers}", workers)
    result.write_text(json.dumps(found), encoding="utf-8")


def _study(folder: Path, number: int = 0) -> Path:
    """The sample study as DICOM of clinical size; numbers tell studies apart."""
    for stored in spinemri.scan(SAMPLE).studies[0].series:
        image = spinemri.load(stored)
        slices, slice_mm = image.geometry.shape[0], image.geometry.spacing[0]
        large = enlarged(image, (slices, SIDE, SIDE), (slice_mm, PIXEL_MM, PIXEL_MM))
        uids = {"study_uid": f"2.25.8{number}", "series_uid": f"2.25.8{number}.{stored.number}"}
        again = replace(large, series=large.series.model_copy(update=uids))
        write_series(again, folder / str(stored.number), StudyHeader(f"P{number}"))
    return folder


def _stages(folder: Path, out: Path) -> dict[str, object]:
    """Least seconds of each stage, of the networks alone, and of writing."""
    networks = load_networks("cpu")
    runs = []
    for _ in range(RUNS + 1):  # the first one warms up
        spent = {}
        start = time.perf_counter()
        loaded = read_study(folder, OPTIONS)
        spent["read"] = time.perf_counter() - start
        start = time.perf_counter()
        reading = infer(loaded, networks, OPTIONS)
        spent["infer"] = time.perf_counter() - start
        start = time.perf_counter()
        case = finish(loaded, reading, networks, OPTIONS)
        spent["finish"] = time.perf_counter() - start
        before = _peak_gb()
        start = time.perf_counter()
        write(case, out / "default", formats=DEFAULT_FORMATS, overwrite=True)
        spent["write"] = time.perf_counter() - start
        spent |= {f"infer: {stage}": seconds for stage, seconds in reading.seconds.items()}
        runs.append(spent)
    stages = {stage: min(one[stage] for one in runs[1:]) for stage in runs[0]}
    everything = _least(lambda: write(case, out / "all", formats=tuple(WRITERS), overwrite=True))
    shapes = [" x ".join(map(str, image.voxels.shape)) for image in loaded.images]
    memory = _peak_gb() - before
    return {"series": shapes, "stages": stages, "all_formats_s": everything, "writing_gb": memory}


def _loading(folder: Path, out: Path) -> dict[str, float]:
    """Least seconds for all series of the study: from DICOM to one grid, and to NIfTI."""
    series = spinemri.scan(folder).studies[0].series
    ours = _least(lambda: [_ours(one) for one in series])
    theirs = _least(lambda: [_itk(one, folder) for one in series])
    found = {"ours": ours, "ours, headers too": _least(lambda: read_study(folder, OPTIONS)), "SimpleITK": theirs}
    program = shutil.which("dcm2niix")
    if program is not None:
        found["dcm2niix"] = _least(lambda: _converted(program, folder, out))
    return found


def _ours(series: Series) -> None:
    image = spinemri.load(series)
    resample(image, image.geometry.with_spacing(TARGET_MM))


def _itk(series: Series, folder: Path) -> None:
    """The same with SimpleITK: the files in its own order, linear interpolation onto the same spacing."""
    reader = SimpleITK.ImageSeriesReader()
    first = next(iter(series.files)).path.parent
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(first if first.is_absolute() else folder / first)))
    image = reader.Execute()
    spacing = TARGET_MM[1], TARGET_MM[2], TARGET_MM[0]
    size = [
        max(1, round(n * mm / new)) for n, mm, new in zip(image.GetSize(), image.GetSpacing(), spacing, strict=True)
    ]
    pixels = SimpleITK.Cast(image, SimpleITK.sitkFloat32)
    to = (image.GetOrigin(), spacing, image.GetDirection())
    SimpleITK.Resample(pixels, size, SimpleITK.Transform(), SimpleITK.sitkLinear, *to)


def _converted(program: str, folder: Path, out: Path) -> None:
    target = out / "nifti"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    subprocess.run([program, "-z", "n", "-b", "n", "-o", target, folder], check=True, capture_output=True)


def write_studies(root: Path, studies: int = STUDIES) -> list[Source]:
    """So many studies of three series each."""
    for number in range(studies):
        _study(root / f"s{number:02d}", number)
    return find_sources(root, OPTIONS)


def _overlapped(sources: list[Source], out: Path, workers: int) -> float:
    """Seconds a study of 24 that pass through one process of two threads, or through two of one; starts left out."""
    job = Job(partial(load_networks, "cpu"), OPTIONS)
    outcomes = run(sources, job, out, workers, 1 if workers > 1 else None)
    statuses = [next(outcomes).status for _ in range(workers)]
    start = time.perf_counter()
    statuses += [outcome.status for outcome in outcomes]
    spent = (time.perf_counter() - start) / (len(statuses) - workers)
    if set(statuses) != {"done"} or len(statuses) != STUDIES:
        sys.exit(f"not all done: {statuses}")
    return spent


def _least(work: Callable[[], object]) -> float:
    work()
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _peak_gb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    main()
