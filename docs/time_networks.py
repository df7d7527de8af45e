"""Times our networks on one study of three series against the published shapes of two others; writes JSON to RESULT.

The study is three series of 16 x 384 x 384 voxels of 4 x 0.7 x 0.7 mm. Of the others one patch is timed with random
weights, in the same precision on the same threads, and counted as often as their own steps tile that volume: networks
only, no resampling, no test-time flips. Ours is read whole: the look for the spine, the band, levels and
outlines of ten vertebrae in each series. Then the
network's layers one by one, against what the processor can multiply in that precision.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from peer_networks import TOTALSPINESEG, VERTEBRAE_MR, Peer

import spinemri
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.networks import default_predictor
from spinemri.segment.device import half_precision
from spinemri.segment.outline_view import CHANNELS, SIDE, slices_of
from spinemri.segment.preprocess import working_map, working_slices
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spinemri.segment.predictor import Predictor

SAMPLE = Path(__file__).parent.parent / "sample_data"
SHAPE, SPACING, SERIES = (16, 384, 384), (4.0, 0.7, 0.7), 3
RUNS, PEAK_SIDE, VERTEBRAE = 3, 4096, 10


def main() -> None:
    """Measure and write."""
    predictor = default_predictor("spine_anatomy", "cpu")
    stored = spinemri.scan(SAMPLE).studies[0].series
    image = enlarged(spinemri.load(next(one for one in stored if one.contrast is Contrast.T2W)), SHAPE, SPACING)
    ours = min(timed(lambda: read_networks(predictor, [image] * SERIES)))
    peers = {peer.name: peer_times(peer) for peer in (TOTALSPINESEG, VERTEBRAE_MR)}
    found = {
        "threads": torch.get_num_threads(),
        "series": f"{SERIES} x {' x '.join(map(str, SHAPE))} of {' x '.join(map(str, SPACING))} mm",
        "ours_s": ours,
        "peers": peers,
        "peak_gflops": _peak(),
        "layers": _layers(predictor, image),
    }
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")


def enlarged(image: Image, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Image:
    """An image of the sample study, its voxels repeated until it has the size that is timed."""
    old = image.geometry
    steps = zip(shape, spacing, old.spacing, old.shape, strict=True)
    where = [np.clip(np.arange(n) * mm / was, 0, most - 1).astype(int) for n, mm, was, most in steps]
    resized = image.series.model_copy(update={"shape": shape, "spacing": spacing})
    grid = Geometry(shape, spacing, old.origin, old.direction, old.frame_of_reference_uid)
    return Image(np.ascontiguousarray(image.voxels[np.ix_(*where)]), grid, resized)


def read_networks(predictor: Predictor, images: Sequence[Image]) -> None:
    """Series through the networks for anatomy, levels and outlines; results are on the CPU when this returns."""
    mappings = [working_map(image, predictor.model) for image in images]
    slices = [working_slices(image, mapping) for image, mapping in zip(images, mappings, strict=True)]
    predictor.read_all(slices, [mapping.stride for mapping in mappings])
    for one, mapping in zip(slices, mappings, strict=True):
        if predictor.levels is not None:
            places = np.repeat(np.array(one.shape)[None] / 2, VERTEBRAE, axis=0)
            predictor.levels.probabilities(places, one, mapping.slice_mm)
        if predictor.outlines is not None:
            predictor.outlines.logits([torch.rand(CHANNELS, slices_of(mapping.slice_mm), SIDE, SIDE)] * VERTEBRAE)


def peer_times(peer: Peer, device: str = "cpu") -> dict[str, float]:
    """Seconds a patch takes in all networks of a peer, patches a study needs, and what that makes."""
    size = [n * mm for n, mm in zip((SHAPE[1], SHAPE[2], SHAPE[0]), (SPACING[1], SPACING[2], SPACING[0]), strict=True)]
    tiles = SERIES * peer.tiles(size)
    seconds = 0.0
    on = torch.device(device)
    half, able = half_precision(on)
    for network, channels in zip(peer.networks(), peer.inputs, strict=True):
        network.eval().to(on, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        patch = torch.randn(1, channels, *peer.patch, device=on).contiguous(memory_format=torch.channels_last_3d)
        with torch.inference_mode(), torch.autocast(on.type, half, enabled=able):
            seconds += min(timed(lambda run=network, seen=patch: settled(run(seen)), runs=1))  # type: ignore[misc]
    return {"patch_s": seconds, "patches": tiles, "study_s": seconds * tiles}


def settled(result: torch.Tensor) -> torch.Tensor:
    """The same, once a GPU has made it."""
    if result.is_cuda:
        torch.cuda.synchronize(result.device)
    return result


def _peak() -> float:
    """Thousand million multiplications and additions a second of this processor's matrix product in half precision."""
    half, able = half_precision(torch.device("cpu"))
    a, b = (torch.randn(PEAK_SIDE, PEAK_SIDE, dtype=half if able else torch.float32) for _ in range(2))
    with torch.inference_mode():
        return 2 * PEAK_SIDE**3 / min(timed(lambda: a @ b, runs=5)) / 1e9


def _layers(predictor: Predictor, image: Image) -> list[dict[str, object]]:
    """Every convolution of the anatomy network while a series is read: seconds in all, and operations a second."""
    spent: dict[torch.nn.Module, float] = {}
    done: dict[torch.nn.Module, float] = {}

    def before(module: torch.nn.Module, _: object) -> None:
        spent[module] = spent.get(module, 0.0) - time.perf_counter()

    def after(module: torch.nn.Module, _: object, out: torch.Tensor) -> None:
        spent[module] += time.perf_counter()
        done[module] = done.get(module, 0.0) + _operations(module, tuple(out.shape))

    kinds = (torch.nn.Conv2d, torch.nn.Conv3d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)
    named = {m: name for name, m in predictor.network.named_modules() if isinstance(m, kinds)}
    mapping = working_map(image, predictor.model)
    slices = working_slices(image, mapping)
    predictor.class_probabilities(slices, mapping.stride)  # warm
    hooks = [h for m in named for h in (m.register_forward_pre_hook(before), m.register_forward_hook(after))]
    predictor.class_probabilities(slices, mapping.stride)
    for hook in hooks:
        hook.remove()
    shapes = {m: " x ".join(map(str, m.weight.shape)) for m in spent}
    return [
        {"name": named[m], "weights": shapes[m], "seconds": s, "gflops": done[m] / s / 1e9} for m, s in spent.items()
    ]


def _operations(module: torch.nn.Module, shape: tuple[int, ...]) -> float:
    """Multiplications and additions that make an output of a shape."""
    transposed = isinstance(module, torch.nn.ConvTranspose2d | torch.nn.ConvTranspose3d)
    weight = module.weight
    per_output = weight[:, 0].numel() / np.prod(module.stride) if transposed else weight[0].numel()
    return 2 * float(np.prod(shape)) * float(per_output)


def timed(work: Callable[[], object], runs: int = RUNS) -> list[float]:
    """Seconds of each run, warm."""
    work()  # warm
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    main()
