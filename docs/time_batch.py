"""Runs a batch of small studies and writes seconds, processor time and peak memory to the JSON file given first.

``time_batch.py RESULT ROOT ENGINE NUMBER``: the studies below ROOT, written when it is empty, are 8 x 96 x 96 voxels of
the sample study's T2w at half its resolution, each with noise of its own. ENGINE is one process, two, or two of Ray;
each has one thread and the bundled networks. Figures leave out the time until the first study is done.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

import spinemri
from spinemri.batch.cluster import Cluster
from spinemri.batch.line import Job
from spinemri.batch.run import networks, run
from spinemri.batch.sources import find_sources
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.pipeline import Options
from spinemri.series import Contrast

SAMPLE = Path(__file__).parent.parent / "sample_data"
SHAPE, STEPS = (8, 96, 96), (1, 2, 2)
MANY = 200
OPTIONS = Options(token_key=b"benchmarks only!")


def main() -> None:
    """Measure and write."""
    result, root, engine, number = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    if not root.exists():
        write_studies(root)
    result.write_text(json.dumps(measured(root, engine, number)), encoding="utf-8")


def write_studies(root: Path) -> None:
    """Small studies as DICOM."""
    stored = spinemri.scan(SAMPLE).studies[0].series
    image = spinemri.load(next(one for one in stored if one.contrast is Contrast.T2W))
    old = image.geometry
    first = [(size - kept * step) // 2 for size, kept, step in zip(old.shape, SHAPE, STEPS, strict=True)]
    k, j, i = (slice(at, at + kept * step, step) for at, kept, step in zip(first, SHAPE, STEPS, strict=True))
    spacing = tuple(mm * step for mm, step in zip(old.spacing, STEPS, strict=True))
    grid = Geometry(SHAPE, spacing, tuple(old.to_patient(first).tolist()), old.direction)
    thin = image.voxels[k, j, i].astype(float)
    for n in range(MANY):
        noisy = thin + np.random.default_rng(n).normal(0, 0.02 * thin.std(), thin.shape)
        facts = {"shape": grid.shape, "spacing": grid.spacing, "series_uid": f"2.25.7{n}.4", "study_uid": f"2.25.7{n}"}
        facts["region"] = "LSPINE"
        small = Image(np.clip(noisy, 0, 4000).astype(np.uint16), grid, image.series.model_copy(update=facts))
        write_series(small, root / f"s{n:03d}", StudyHeader(f"P{n}"))


def measured(root: Path, engine: str, number: int) -> dict[str, float]:
    """Seconds from the first outcome to the last, a study; processor time and peak memory of this process."""
    workers = {"one": 1, "two": 2, "ray": Cluster(workers=2, gpus=0)}[engine]
    job = Job(partial(networks, "cpu", 1, lesions=True), OPTIONS, formats=("json",))
    sources = find_sources(root, OPTIONS)[:number]
    with tempfile.TemporaryDirectory() as out:
        outcomes = run(sources, job, Path(out), workers)
        statuses = [next(outcomes).status]
        start, before = time.perf_counter(), time.process_time()
        statuses += [outcome.status for outcome in outcomes]
        spent, worked = time.perf_counter() - start, time.process_time() - before
    if set(statuses) != {"done"}:
        sys.exit(f"not all done: {statuses}")
    unit = 1 if sys.platform == "darwin" else 1024
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    return {"seconds": spent / (number - 1), "processor": worked / (number - 1), "memory_gb": memory}


if __name__ == "__main__":
    main()
