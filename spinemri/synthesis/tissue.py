"""Tissues of the digital spine, the structure each belongs to, and their relaxation at 1.5 T.

Relaxation times and proton densities follow Drake-Perez (AJNR 2018), de Bazelaire (Radiology 2004;230:652) and Smith
(MRM 2008); fat is given a T1 of 235 ms, which clinical STIR at 1.5 T nulls. Marrow holds water and fat (two pools).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from spinemri.anatomy import StructureKind


class Tissue(IntEnum):
    """One value per tissue of the label volume; 0 is air."""

    AIR = 0
    SOFT = 1
    SUBCUTANEOUS_FAT = 2
    MUSCLE = 3
    MUSCLE_FAT = 4
    PREVERTEBRAL = 5
    AORTA = 6
    VENA_CAVA = 7
    ORGAN_0 = 8  # to ORGAN_7 = 15
    ORGAN_7 = 15
    MARROW = 16
    CORTEX = 17
    BASIVERTEBRAL_VEIN = 18
    ANNULUS = 19
    NUCLEUS = 20
    CSF = 21
    CORD = 22
    NERVE_ROOT = 23
    EPIDURAL_FAT = 24
    POSTERIOR_MARROW = 25
    POSTERIOR_CORTEX = 26
    LIGAMENT = 27
    INTERSPINOUS = 28
    SACRAL_MARROW = 29
    SACRAL_CORTEX = 30
    SACRAL_DISC = 31
    BRAIN = 32
    SKULL = 33
    DURA = 34
    FORAMINAL_FAT = 35
    GANGLION = 36
    FACET = 37
    RIB = 38
    TRACHEA = 39
    LUNG = 40
    CISTERN = 41
    LESION = 42


COUNT = len(range(Tissue.LESION + 1))
ORGANS = slice(int(Tissue.ORGAN_0), int(Tissue.ORGAN_7) + 1)
MARROWS = (Tissue.MARROW, Tissue.POSTERIOR_MARROW, Tissue.SACRAL_MARROW)

BACKGROUND, BODY, POSTERIOR, DISC, SAC, CORD, SACRUM = range(7)
"""Classes a network learns; the body of S1 is BODY, SACRUM is the rest of the sacrum."""


CLASS_OF = {
    StructureKind.VERTEBRAL_BODY: BODY,
    StructureKind.POSTERIOR_ELEMENTS: POSTERIOR,
    StructureKind.DISC: DISC,
    StructureKind.THECAL_SAC: SAC,
    StructureKind.CORD: CORD,
    StructureKind.SACRUM: SACRUM,
}
"""Structure -> its class."""


def class_of_tissue() -> np.ndarray:
    """Class 0 to 6 of each tissue value, uint8 of length COUNT (a LESION counts as BODY)."""
    table = np.zeros(COUNT, dtype=np.uint8)
    groups = {
        BODY: (Tissue.MARROW, Tissue.CORTEX, Tissue.BASIVERTEBRAL_VEIN, Tissue.LESION),
        POSTERIOR: (Tissue.POSTERIOR_MARROW, Tissue.POSTERIOR_CORTEX),
        DISC: (Tissue.ANNULUS, Tissue.NUCLEUS),
        SAC: (Tissue.CSF, Tissue.NERVE_ROOT),
        CORD: (Tissue.CORD,),
        SACRUM: (Tissue.SACRAL_MARROW, Tissue.SACRAL_CORTEX, Tissue.SACRAL_DISC),
    }
    for value, tissues in groups.items():
        table[[int(t) for t in tissues]] = value
    return table


class Relaxation(NamedTuple):
    """T1 and T2 of the water pool in ms, proton density relative to water, and the fraction of fat."""

    t1: float
    t2: float
    density: float
    fat: float = 0.0


FAT = Relaxation(235, 110, 0.95, 1.0)
_VEIN, _BONE, _FLUID = Relaxation(1400, 140, 0.9), Relaxation(225, 0.8, 0.18), Relaxation(4200, 1600, 1.0)

RELAXATION: dict[Tissue, Relaxation] = {
    Tissue.AIR: Relaxation(1000, 10, 0.0),
    Tissue.SOFT: Relaxation(900, 45, 0.75, 0.15),
    Tissue.SUBCUTANEOUS_FAT: FAT,
    Tissue.MUSCLE: Relaxation(900, 35, 0.72, 0.03),
    Tissue.MUSCLE_FAT: Relaxation(900, 40, 0.85, 0.7),
    Tissue.PREVERTEBRAL: Relaxation(800, 45, 0.8, 0.5),
    Tissue.AORTA: Relaxation(1441, 200, 0.12),
    Tissue.VENA_CAVA: Relaxation(1441, 150, 0.3),
    Tissue.MARROW: Relaxation(900, 48, 0.85, 0.42),
    Tissue.CORTEX: _BONE,
    Tissue.BASIVERTEBRAL_VEIN: _VEIN,
    Tissue.ANNULUS: Relaxation(650, 45, 0.55),
    Tissue.NUCLEUS: Relaxation(1050, 120, 0.82),
    Tissue.CSF: _FLUID,
    Tissue.CORD: Relaxation(780, 95, 0.7),
    Tissue.NERVE_ROOT: Relaxation(900, 85, 0.75),
    Tissue.EPIDURAL_FAT: Relaxation(900, 45, 0.95, 0.9),
    Tissue.POSTERIOR_MARROW: Relaxation(900, 48, 0.82, 0.5),
    Tissue.POSTERIOR_CORTEX: _BONE,
    Tissue.LIGAMENT: Relaxation(750, 15, 0.5),
    Tissue.INTERSPINOUS: Relaxation(800, 35, 0.7, 0.4),
    Tissue.SACRAL_MARROW: Relaxation(900, 48, 0.85, 0.5),
    Tissue.SACRAL_CORTEX: _BONE,
    Tissue.SACRAL_DISC: Relaxation(600, 50, 0.55),
    Tissue.BRAIN: Relaxation(850, 90, 0.72),
    Tissue.SKULL: Relaxation(900, 48, 0.6, 0.5),
    Tissue.DURA: Relaxation(800, 20, 0.4),
    Tissue.FORAMINAL_FAT: Relaxation(900, 45, 0.95, 0.9),
    Tissue.GANGLION: Relaxation(950, 85, 0.8),
    Tissue.FACET: Relaxation(1000, 60, 0.6),
    Tissue.RIB: Relaxation(900, 48, 0.6, 0.45),
    Tissue.TRACHEA: Relaxation(1000, 10, 0.0),
    Tissue.LUNG: Relaxation(1000, 20, 0.06),
    Tissue.CISTERN: _FLUID,
    Tissue.LESION: Relaxation(1200, 90, 0.85, 0.02),
}
