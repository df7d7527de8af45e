"""The fixed runs behind every figure on marrow lesions: who, which sequences, what is put in.

Real people are those of ``validation.csv`` for the figures and, for choosing the operating point, those kept out of
the training of lesions: ``background`` is 'tune' in ``training/people.csv``; errsm 22 is listed nowhere else. AKa,
whose marrow is not healthy, takes no implants. vb3 is a gradient echo that the lesion network does not read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.evaluate.implants import with_implants
from spinemri.evaluate.marrow import MarrowScore, Truth, score_marrow
from spinemri.evaluate.marrow_phantoms import marrow_phantom
from spinemri.lesion import MarrowChange
from spinemri.read import read_volume
from spinemri.segment.anatomy import segment_anatomy
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spinemri.image import Image
    from spinemri.segment.lesion_predictor import LesionPredictor
    from spinemri.segment.predictor import Predictor
    from spinemri.segmentation import Segmentation

Files = tuple[tuple[str, Contrast], ...]

_DZZ_T1 = ("labelled/vb1/10_DzZ_T1w_img.nii.gz", Contrast.T1W)
_DZZ_T2 = ("labelled/vb1/11_DzZ_T2w_img.nii.gz", Contrast.T2W)
PEOPLE: dict[str, Files] = {
    "DzZ": (_DZZ_T1,),
    "DzZ T1w+T2w": (_DZZ_T1, _DZZ_T2),
    **{f"vb2 {n}": ((f"labelled/vb2/{n}_img.nii.gz", Contrast.T2W),) for n in (19, 20, 23)},
    "ivd 46": (("labelled/ivd/46_img.nii.gz", Contrast.T2W),),
    **{f"errsm {n}": ((f"cervical/errsm_{n}/t2.nii.gz", Contrast.T2W),) for n in (11, 23)},
}
"""Validation people whose marrow nobody has called abnormal -> image files and contrasts."""

TUNING_PEOPLE: dict[str, Files] = {
    **{f"vb2 {n}": ((f"labelled/vb2/{n}_img.nii.gz", Contrast.T2W),) for n in ("04", "09", "16")},
    "ivd 25": (("labelled/ivd/25_img.nii.gz", Contrast.T2W),),
    "errsm 22": (("cervical/errsm_22/t2.nii.gz", Contrast.T2W),),
}
"""Kept out of the training of lesions to decide by."""

SEQUENCES = (
    (Contrast.T1W, Contrast.STIR),
    (Contrast.T1W, Contrast.STIR, Contrast.T2W),
    (Contrast.T1W,),
    (Contrast.STIR,),
    (Contrast.T2W,),
    (Contrast.T1W, Contrast.T2W),
)
REGIONS = ("lumbar", "thoracic", "cervical")
LARGE_MM3, SMALL_MM3 = (1000.0, 12_000.0), (200.0, 1000.0)
_THIN_MM, _THICK_MM = 1.5, 2.5
_anatomies: dict[tuple[str, bool], Segmentation] = {}  # of the unchanged images, by person
_PER_IMAGE = 4  # implants in one image, half of them large
_KINDS_AT_ONCE = 3


@dataclass(frozen=True)
class Run:
    """One thing to score; ``name`` and ``number`` determine it.

    ``what`` is 'implants', 'clean' (both need real data), 'healthy', 'kinds', 'diffuse' or 'tumours' (synthetic).
    """

    what: str
    name: str = ""
    number: int = 0
    sequences: tuple[Contrast, ...] = SEQUENCES[0]
    tuning: bool = False


def runs(what: str, count: int, *, tuning: bool = False, sequences: tuple[Contrast, ...] = SEQUENCES[0]) -> list[Run]:
    """The first runs of a set; of real people, ``count`` images each."""
    people = TUNING_PEOPLE if tuning else PEOPLE
    if what == "clean":
        return [Run(what, name, 0, tuple(c for _, c in files), tuning) for name, files in people.items()]
    if what == "implants":
        return [
            Run(what, name, n, tuple(c for _, c in files), tuning)
            for name, files in people.items()
            for n in range(count)
        ]
    return [Run(what, REGIONS[n % 3], n, sequences, tuning) for n in range(count)]


def score_run(run: Run, data: Path, networks: tuple[Predictor, LesionPredictor]) -> MarrowScore:
    """Score one run; ``data`` is the folder of public reference data, which only real people need."""
    name = f"{run.what} {run.name} {run.number}"
    if run.what in ("clean", "implants"):
        images, truths = _real(run, data, networks[0])
        return score_marrow(name, images, truths, networks)
    phantom = marrow_phantom(
        run.number + (50_000 if run.tuning else 0) + 1000 * ("healthy", "kinds", "diffuse", "tumours").index(run.what),
        _kinds(run),
        contrasts=run.sequences,
        fat=_fat(run),
        region=run.name,
    )
    return score_marrow(name, phantom.images, phantom.truths, networks)


def _kinds(run: Run) -> list[MarrowChange]:
    """Kinds in turn, so that all occur equally often."""
    if run.what == "tumours":
        return [MarrowChange.TUMOUR] * _KINDS_AT_ONCE
    if run.what != "kinds":
        return []
    every = list(MarrowChange)
    return [every[(run.number * _KINDS_AT_ONCE + n) % len(every)] for n in range(_KINDS_AT_ONCE)]


def _fat(run: Run) -> float | None:
    return float(np.random.default_rng(run.number).uniform(0.0, 0.08)) if run.what == "diffuse" else None


def _real(run: Run, data: Path, anatomy: Predictor) -> tuple[tuple[Image, ...], list[Truth]]:
    people = TUNING_PEOPLE if run.tuning else PEOPLE
    images = tuple(_read(data / path, contrast) for path, contrast in people[run.name])
    if run.what == "clean":
        return images, []
    rng = np.random.default_rng([run.number, sum(map(ord, run.name)), int(run.tuning)])
    half = _PER_IMAGE // 2
    if (run.name, run.tuning) not in _anatomies:
        _anatomies[run.name, run.tuning] = segment_anatomy(images[0], anatomy)[0]
    seen = _anatomies[run.name, run.tuning]
    sizes = [float(np.exp(rng.uniform(*np.log(LARGE_MM3)))) * 0.6 + 400 for _ in range(half)]
    sizes += [float(np.exp(rng.uniform(*np.log(SMALL_MM3)))) for _ in range(half)]
    changed, implants = with_implants(images, seen, sizes, rng)
    return changed, [Truth(MarrowChange.TUMOUR, i.mask, images[0].geometry) for i in implants]


def _read(path: Path, contrast: Contrast) -> Image:
    """An image of a given contrast; of slices less than 2.5 mm apart every second, as they are acquired in practice."""
    image = read_volume(path)
    voxels, geometry = image.voxels, image.geometry
    axis = geometry.axis_along(0)
    if _THIN_MM < geometry.spacing[axis] < _THICK_MM:
        kept = [slice(None, None, 2) if a == axis else slice(None) for a in range(3)]
        voxels = voxels[tuple(kept)]
        spacing = [mm * (2 if a == axis else 1) for a, mm in enumerate(geometry.spacing)]
        geometry = replace(geometry, shape=voxels.shape, spacing=(spacing[0], spacing[1], spacing[2]))
    return replace(
        image, voxels=voxels, geometry=geometry, series=image.series.model_copy(update={"contrast": contrast})
    )


def implants_of(scores: list[MarrowScore], sizes: tuple[float, float]) -> Iterator[float]:
    """Dice of the implants within a range of volumes that were found."""
    for score in scores:
        for known in score.known:
            if sizes[0] <= known.volume_mm3 < sizes[1] and known.dice > 0:
                yield known.dice
