"""Prints what decides between weights: figures that prove nothing, because decisions were made by them.

Three tables. Bodies of the people kept apart from training (``spinemri.training.real.tuning_cases``): raw, named, and
drawn once more. The latter two of synthetic people, by region. And these in T1w, STIR and T2w on one grid: each image
alone, and their probabilities averaged, which shows what a fusion of perfectly aligned series would be worth.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.evaluate.extent import column_extent
from spinemri.evaluate.overlap import dice
from spinemri.evaluate.regions import KINDS, REGIONS, region_images
from spinemri.evaluate.tables import markdown
from spinemri.networks import default_predictor
from spinemri.segment.anatomy import name_anatomy
from spinemri.series import Contrast
from spinemri.training.export import checkpoint_state
from spinemri.training.real import read_pair, tuning_cases

if TYPE_CHECKING:
    from spinemri.image import Image
    from spinemri.segment.predictor import ClassMap, Predictor
    from spinemri.segmentation import Segmentation

HERE = Path(__file__).parent
CONTRASTS = (Contrast.T1W, Contrast.STIR, Contrast.T2W)
APART = 500  # from the people of the synthetic test set
LEAST_VOXELS = 200


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="checkpoint or weights; those of the bundle by default")
    parser.add_argument("--real", type=Path, default=HERE.parent.parent / "shared/data/labelled", help="labelled sets")
    parser.add_argument("--people", type=int, default=3, help="synthetic people per region")
    options = parser.parse_args()
    predictor = default_predictor()
    if options.weights:
        predictor.network.load_state_dict(checkpoint_state(options.weights))
    if options.real.is_dir():
        print(_tuning(predictor, options.real))
    print(_outlines(predictor, options.people))
    print(_fusion(predictor, options.people))


def _tuning(predictor: Predictor, root: Path) -> str:
    rows = []
    for case in tuning_cases():
        image, labels = read_pair(case, root)
        found, kind = predictor.classify(image), StructureKind(case.structure)
        masks = (
            raw_mask(found, kind, predictor),
            *(s.mask_of_kind(kind) for s in _without_and_with_outlines(found, image)),
        )
        rows.append((case.set, case.case, *(f"{labelled_dice(mask, labels):.3f}" for mask in masks)))
    return markdown(("set", "case", "raw Dice", "named", "drawn once more"), rows)


def raw_mask(found: ClassMap, kind: StructureKind, predictor: Predictor) -> np.ndarray:
    """What the network alone calls a structure."""
    return np.asarray(found.classes == next(v for v, name in predictor.model.classes.items() if name == kind.value))


def labelled_dice(mask: np.ndarray, labels: Image) -> float:
    """Dice of a mask with what a reader drew, along the part of the column that was drawn."""
    truth = np.asarray(labels.voxels)
    extent = column_extent(truth, labels.geometry)
    return dice(mask & extent, (truth > 0) & extent)


def _without_and_with_outlines(found: ClassMap, image: Image) -> list[Segmentation]:
    """Named anatomy before and after bodies are drawn once more."""
    return [name_anatomy(seen, image)[0] for seen in (replace(found, outline=None), found)]


def _outlines(predictor: Predictor, people: int) -> str:
    rows = []
    for region in REGIONS:
        scores = []
        for number in range(APART, APART + people):
            images, truth = region_images(region, number, CONTRASTS)
            wanted = truth.mask_of_kind(StructureKind.VERTEBRAL_BODY)
            for image in images:
                both = _without_and_with_outlines(predictor.predict(image), image)
                scores.append([dice(s.mask_of_kind(StructureKind.VERTEBRAL_BODY), wanted) for s in both])
        rows.append((region, people, *(f"{mean:.3f}" for mean in np.mean(scores, axis=0))))
    return markdown(("bodies of synthetic people", "people", "named", "drawn once more"), rows)


def _fusion(predictor: Predictor, people: int) -> str:
    classes = {StructureKind(name): value for value, name in predictor.model.classes.items() if value}
    found: dict[StructureKind, list[list[float]]] = {kind: [] for kind in KINDS}
    for region in REGIONS:
        for number in range(APART, APART + people):
            images, truth = region_images(region, number, CONTRASTS)
            seen = [predictor.predict(image) for image in images]
            fused = np.sum([s.probabilities.astype(np.float32) for s in seen], axis=0).argmax(0)
            for kind, value in classes.items():
                mask = truth.mask_of_kind(kind)
                if mask.sum() >= LEAST_VOXELS:
                    found[kind].append([dice(c == value, mask) for c in (*(s.classes for s in seen), fused)])
    rows = [(kind.value, len(v), *(f"{m:.3f}" for m in np.mean(v, axis=0))) for kind, v in found.items() if v]
    return markdown(("structure", "people", *(c.value for c in CONTRASTS), "all three averaged"), rows)


if __name__ == "__main__":
    main()
