"""Times the anatomy network on one sagittal series of 15 x 512 x 512 at 0.6 mm, and the search for lesions in the T1w
and STIR of the sample study; writes JSON to the file given.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from time_networks import enlarged

import spinemri
from spinemri.networks import default_predictor, load_networks
from spinemri.pipeline import infer, read_study
from spinemri.segment.lesions import find_lesions
from spinemri.segment.preprocess import working_map, working_slices
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Callable

    from spinemri.image import Image

SAMPLE = Path(__file__).parent.parent / "sample_data"
SIDE, PIXEL_MM = 512, 0.6
RUNS = 5


def main() -> None:
    """Measure and write."""
    image = series()
    predictor = default_predictor()
    before = _peak_gb()
    mapping = working_map(image, predictor.model)
    slices = working_slices(image, mapping)
    seconds = {
        "network, from slices at 1 mm to class probabilities": _timed(
            lambda: predictor.class_probabilities(slices, mapping.stride)
        ),
        "resampling, network, classes on the image's own grid": _timed(lambda: predictor.predict(image)),
    }
    memory = _peak_gb() - before
    seconds["lesions in the T1w and STIR of the sample study, sequences on one grid included"] = _lesions()
    shape = " x ".join(map(str, image.voxels.shape))
    found = {
        "series": f"{shape} at {PIXEL_MM} mm",
        "threads": torch.get_num_threads(),
        "seconds": seconds,
        "memory_gb": memory,
    }
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")


def _lesions() -> list[float]:
    """Seconds of the search for lesions, the anatomy of both series known."""
    networks = load_networks()
    loaded = read_study(SAMPLE)
    reading = infer(loaded, networks)
    pair = [n for n, image in enumerate(loaded.images) if image.series.contrast in (Contrast.T1W, Contrast.STIR)]
    images, masks = ([of[n] for n in pair] for of in (loaded.images, reading.segmentations))
    return _timed(lambda: find_lesions(reading.spine, images, masks, reading.alignments, networks.lesions))


def series() -> Image:
    """The T2w image of the sample study, its pixels repeated to the size that is timed."""
    stored = spinemri.scan(SAMPLE).studies[0].series
    image = spinemri.load(next(one for one in stored if one.contrast is Contrast.T2W))
    slices, slice_mm = image.geometry.shape[0], image.geometry.spacing[0]
    return enlarged(image, (slices, SIDE, SIDE), (slice_mm, PIXEL_MM, PIXEL_MM))


def _timed(work: Callable[[], object]) -> list[float]:
    work()  # warm
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def _peak_gb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    main()
