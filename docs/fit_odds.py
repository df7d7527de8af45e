"""Prints how large a structure is drawn and its Dice, by the odds with which the anatomy network's evidence counts.

On the people whose structure is labelled in the training sets, and on synthetic ones of no other table. What is chosen
goes into ``class_odds`` of the bundle's metadata; those that are there now do not count here.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.evaluate.extent import column_extent
from spinemri.evaluate.overlap import dice
from spinemri.evaluate.regions import REGIONS, region_images
from spinemri.evaluate.tables import markdown
from spinemri.networks import default_predictor
from spinemri.series import Contrast
from spinemri.training.real import read_pair, training_cases, tuning_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spinemri.segment.predictor import ClassMap, Predictor

    Seen = tuple[str, ClassMap, NDArray[np.bool_], NDArray[np.bool_]]

HERE = Path(__file__).parent
CONTRASTS = (Contrast.T1W, Contrast.STIR, Contrast.T2W)
APART = 500  # from the people of the synthetic test set
ODDS = (0.35, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.5)


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--structure", type=StructureKind, default=StructureKind.DISC, help="a class of the network")
    parser.add_argument("--real", type=Path, default=HERE.parent.parent / "shared/data/labelled", help="labelled sets")
    parser.add_argument("--people", type=int, default=2, help="synthetic people per region")
    options = parser.parse_args()
    predictor = default_predictor()
    number = next(n for n, name in predictor.model.classes.items() if name == options.structure.value)
    scores: dict[str, list[list[tuple[float, float]]]] = {}
    for name, found, truth, extent in _seen(predictor, options.structure, options.real, options.people):
        masks = [mask & extent for mask in _drawn(found, number, predictor.model.class_odds[number])]
        scores.setdefault(name, []).append([(dice(m, truth), m.sum() / max(1, truth.sum())) for m in masks])
    rows = []
    for name, some in scores.items():
        means = np.mean(some, axis=0)
        rows.append((name, len(some), *(f"{overlap:.3f} ({share:.2f})" for overlap, share in means)))
    print(f"{options.structure.value}: Dice, and drawn volume of true volume, by odds")
    print(markdown(("data", "images", *map(str, ODDS)), rows))


def _seen(predictor: Predictor, kind: StructureKind, root: Path, people: int) -> Iterator[Seen]:
    """Set or region, what the network sees in an image, what is true, and where that counts."""
    for case in (*tuning_cases(), *training_cases()) if root.is_dir() else ():
        if case.structure == kind.value:
            image, labels = read_pair(case, root)
            truth = np.asarray(labels.voxels)
            extent = column_extent(truth, image.geometry)
            yield case.set, predictor.classify(image), (truth > 0) & extent, extent
    for region in REGIONS:
        for person in range(APART, APART + people):
            images, named = region_images(region, person, CONTRASTS)
            mask = named.mask_of_kind(kind)
            for image in images:
                yield region, predictor.predict(image), mask, np.ones_like(mask)


def _drawn(found: ClassMap, number: int, now: float) -> Iterator[NDArray[np.bool_]]:
    """The structure's mask for each of the odds in place of those it has now."""
    probabilities = found.probabilities.astype(np.float32)
    other = np.delete(probabilities, number, axis=0).max(axis=0)
    for odds in ODDS:
        yield probabilities[number] * (odds / now) > other


if __name__ == "__main__":
    main()
