"""How far measurements in the network's masks repeat when nothing has changed, from people kept for tuning.

Each image is analysed as it is, and again on other grids (``spinemri/evaluate/regrid.py``): other pixels, shifts and
coverage, drawn by the person's number. Printed for each quantity that a follow-up compares: how many pairs, how many of
them lie beyond the minimal detectable change, and the standard deviation of one value: what 95 of 100 differences do
not exceed, over 1.96 times the root of 2. A row ``repeatability.*`` of ``norms.csv`` is changed by hand, with what was
printed; there is one where the interval of a value does not count how its mask was drawn.
Without the folder of images (``--data``) nothing is done.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.compare.study import Examination, compare_examinations
from spinemri.convert import write_nifti
from spinemri.evaluate.regrid import Regrid, regridded
from spinemri.evaluate.repeat import repeatability_sd
from spinemri.networks import load_networks
from spinemri.pipeline import Options, analyze, read_study
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spinemri.networks import Networks

HERE = Path(__file__).parent
PEOPLE = (
    *((f"labelled/vb2/{case}_img.nii.gz", Contrast.T2W) for case in ("04", "09", "16")),
    *((f"labelled/vb3/{case}_img.nii.gz", Contrast.DIXON_WATER) for case in ("03", "25")),
    ("labelled/ivd/25_img.nii.gz", Contrast.T2W),
)
"""Kept for tuning in ``spinemri/training/people.csv``, as networks or as backgrounds."""
KEY = b"real images again"


class Pair(NamedTuple):
    """One quantity measured twice: its name, the difference, and the least that would be called a change."""

    name: str
    change: float
    mdc: float


def main() -> None:
    """Compare and print."""
    options = _options()
    if not options.data.is_dir():
        sys.exit(f"no images in {options.data.name}")
    networks, found = load_networks(options.device), defaultdict(list)
    for number, (file, contrast) in enumerate(PEOPLE):
        for pair in pairs(options.data / file, contrast, networks, options.grids, number):
            found[pair.name].append(pair)
        print(f"{file} done", flush=True)
    for name in sorted(found):
        changes, mdcs = (np.array(values) for values in zip(*(pair[1:] for pair in found[name]), strict=True))
        sd, beyond = repeatability_sd(changes), int(np.sum(np.abs(changes) > mdcs))
        print(f"{name}: {len(changes)} pairs, {beyond} called a change, standard deviation {sd:.3g}")


def pairs(file: Path, contrast: Contrast, networks: Networks, grids: int, number: int) -> Iterator[Pair]:
    """Every quantity of one image and of the same image on other grids."""
    options = Options(token_key=KEY, contrast=contrast)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / file.name).symlink_to(file.resolve())
        image = read_study(Path(name), options).images[0]
        first = Examination(analyze(Path(name), networks, options))
    rng = np.random.default_rng([number, 81])
    for _ in range(grids):
        larger, slices, pixels, cropped = rng.uniform((1.0, 0.1, 0.1, 0.0), (1.25, 0.5, 0.9, 0.08)).tolist()
        with tempfile.TemporaryDirectory() as name:
            other = regridded(image, Regrid(larger, slices, pixels, cropped))
            write_nifti(other.voxels, other.geometry, Path(name) / "again.nii.gz")
            again = Examination(analyze(Path(name), networks, options))
        for change in compare_examinations((first, again), forced=True).comparison.steps[0].changes:
            if change.change is not None and change.mdc is not None:
                yield Pair(change.name, change.change, change.mdc)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    shared = HERE.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=shared, help="folder of images")
    parser.add_argument("--device", default="auto", help="of the networks")
    parser.add_argument("--grids", type=int, default=4, help="other grids per image")
    return parser.parse_args()


if __name__ == "__main__":
    main()
