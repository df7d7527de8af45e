"""Diffuse marrow change against marrow known to be healthy: is it told, and is red marrow of the young left alone?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.assess.marrow import diffuse_finding
from spinemri.evaluate.marrow_phantoms import marrow_phantom
from spinemri.lesion import MarrowScreen
from spinemri.measure.marrow import MarrowCase, measure_marrow
from spinemri.merge import merge
from spinemri.segment.anatomy import segment_anatomy
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.finding import Certainty
    from spinemri.image import Image
    from spinemri.segment.predictor import Predictor

FAT = {"diffuse": (0.0, 0.06), "young": (0.22, 0.32)}
"""Fat fraction of all marrow in people with diffuse infiltration, and in healthy young ones."""

_FIRST = 7000
_REGIONS = ("lumbar", "thoracic")  # discs of the neck are too small to compare with at every level


def diffuse_certainty(images: Sequence[Image], anatomy: Predictor) -> Certainty:
    """What is said of the marrow as a whole in the T1w image of one person, the first of ``images``."""
    named = [segment_anatomy(image, anatomy) for image in images[:1]]
    spine = merge(tuple(images[:1]), (named[0][0],), (named[0][1],))
    case = MarrowCase(spine, images[:1], (named[0][0],), (), (), ())
    screen = MarrowScreen(assessed=spine.levels, contrasts=("T1w",))
    return diffuse_finding({m.id: m for m in measure_marrow(case)}, screen).certainty


def score_diffuse(what: str, number: int, anatomy: Predictor) -> str:
    """The certainty found in one synthetic person of a set in ``FAT``."""
    fat = float(np.random.default_rng([number, 3]).uniform(*FAT[what]))
    region = _REGIONS[number % len(_REGIONS)]
    start = _FIRST + 500 * list(FAT).index(what)
    phantom = marrow_phantom(start + number, contrasts=(Contrast.T1W,), fat=fat, region=region)
    return diffuse_certainty(phantom.images, anatomy).value
