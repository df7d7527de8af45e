"""How well the product draws what readers drew, on people it has never seen, inside the labelled extent.

What is scored is the final named segmentation on the image's own grid; the network's raw classes stand beside it, so
that a loss can be told from one in naming and cleaning. Lateral slices are harder than central ones, and sets differ
by a pixel in where a border lies: each figure also stands for the central 21 mm, and for the border moved by a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level, StructureKind
from spinemri.errors import LevelError, ModelError
from spinemri.evaluate.cases import ValidationCase, load_image, load_landmarks, load_truth
from spinemri.evaluate.cord import cord_ap_errors
from spinemri.evaluate.extent import central_slices
from spinemri.evaluate.instances import BodyCount, count_bodies, levels_upward
from spinemri.evaluate.landmarks import LevelCheck, check_levels
from spinemri.evaluate.overlap import dice, moved, surface_distance
from spinemri.segment.anatomy import name_anatomy
from spinemri.segmentation import Segmentation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.evaluate.cases import Truth
    from spinemri.image import Image
    from spinemri.segment.predictor import Predictor

_CENTRAL_MM = 21.0
_WITHIN, _TOUCHING = 0.5, 0.1  # share of a structure in the extent from which it is judged, and in the labels


@dataclass(frozen=True)
class CaseScore:
    """What one labelled structure of one image showed.

    Parameters
    ----------
    case : which
    dice : Dice of the final segmentation, 0 to 1
    raw : of the network's classes as they are
    central : of the final segmentation in the central 21 mm
    wider, narrower : of the final segmentation with its border moved one pixel out and in
    surface_mm : average symmetric surface distance of the final segmentation; None when nothing was found
    bodies : labelled bodies against found ones, where labels number them
    cord_ap_mm : mean absolute error of the cord's AP diameter along the cord
    levels : names beside landmarks
    failure : why the image could not be segmented; its figures are then those of an empty segmentation
    """

    case: ValidationCase
    dice: float
    raw: float
    central: float
    wider: float
    narrower: float
    surface_mm: float | None
    bodies: BodyCount | None = None
    cord_ap_mm: float | None = None
    levels: LevelCheck | None = None
    failure: str = ""


@dataclass(frozen=True, eq=False)
class Result:
    """What the product said about an image: the final segmentation, the raw classes by kind, and why it failed."""

    segmentation: Segmentation
    raw: dict[StructureKind, NDArray[np.bool_]]
    failure: str = ""

    def raw_mask(self, kinds: Sequence[StructureKind]) -> NDArray[np.bool_]:
        """(k, j, i) mask of the raw classes of some kinds."""
        empty = np.zeros(self.segmentation.geometry.shape, dtype=bool)
        return np.asarray(np.logical_or.reduce([self.raw.get(kind, empty) for kind in kinds]))


def segment_image(image: Image, predictor: Predictor) -> Result:
    """Final segmentation of an image and the network's classes; one that is refused yields an empty result."""
    try:
        found = predictor.predict(image)
        named = name_anatomy(found, image)[0]
    except (ModelError, LevelError) as error:
        nothing = np.zeros(image.geometry.shape, dtype=np.uint8)
        return Result(Segmentation(nothing, image.geometry, {}, image.series.series_uid, "nothing"), {}, str(error))
    names = {value: name for value, name in predictor.model.classes.items() if value}
    return Result(named, {StructureKind(name): found.classes == value for value, name in names.items()})


def score_images(cases: Sequence[ValidationCase], root: Path, predictor: Predictor) -> Iterator[CaseScore]:
    """Score every labelled case; an image with several labelled structures is segmented once.

    Raises
    ------
    SpineMRIError
        If a file is missing or cannot be read.
    """
    for name in dict.fromkeys(case.image for case in cases if case.structure):
        mine = [case for case in cases if case.image == name and case.structure]
        image = load_image(mine[0], root)
        result = segment_image(image, predictor)
        for case in mine:
            scored = score_result(case, load_truth(case, root, image.geometry), result)
            if case.landmarks:
                points = load_landmarks(case, root, image.geometry)
                cord = load_truth(case, root, image.geometry).mask
                scored = replace(scored, levels=check_levels(result.segmentation, cord, points))
            yield scored


def _judged(final: Segmentation, case: ValidationCase, truth: Truth) -> NDArray[np.bool_]:
    """(k, j, i) mask of the found structures of a case, without the neighbours of the labelled ones.

    At the lumbosacral angle a corner of S1 lies above the plane through the lower end of L5. Where S1 is not labelled,
    that corner is neither right nor wrong.
    """
    masks = [final.mask(s) for kind in case.kinds for s in final.of_kind(kind)]
    beyond = [m for m in masks if _share(m, truth.extent) < _WITHIN and _share(m, truth.mask) < _TOUCHING]
    kept = final.mask_of_kind(*case.kinds)
    return np.asarray(kept & ~np.logical_or.reduce(beyond)) if beyond else kept


def _share(mask: NDArray[np.bool_], part: NDArray[np.bool_]) -> float:
    return float(part[mask].mean()) if mask.any() else 0.0


def score_result(case: ValidationCase, truth: Truth, result: Result) -> CaseScore:
    """Compare a result with one labelled structure on the same grid."""
    final, grid, extent = result.segmentation, result.segmentation.geometry, truth.extent
    whole = _judged(final, case, truth)
    found, mask = whole & extent, truth.mask & extent
    central = central_slices(mask, grid, _CENTRAL_MM)
    bodies = ap = None
    if case.lowest:
        levels = levels_upward(Level(case.lowest), np.unique(truth.labels))
        bodies = count_bodies(final, truth.labels, extent, levels)
    if case.kinds == (StructureKind.CORD,):
        errors = cord_ap_errors(found, mask, grid)
        ap = None if errors is None else float(np.abs(errors).mean())
    return CaseScore(
        case=case,
        dice=dice(found, mask),
        raw=dice(result.raw_mask(case.kinds) & extent, mask),
        central=dice(found & central, mask & central),
        wider=dice(moved(whole, grid, 1) & extent, mask),
        narrower=dice(moved(whole, grid, -1) & extent, mask),
        surface_mm=surface_distance(found, mask, grid),
        bodies=bodies,
        cord_ap_mm=ap,
        failure=result.failure,
    )
