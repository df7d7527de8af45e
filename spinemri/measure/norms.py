"""How body height changes from level to level in a healthy spine; used to carry a height from one level to another.

Only ratios between levels are ever used, never the millimetres: a patient's own intact vertebrae give the size.
From T11 down the table was measured on MR of living adults with the very definition of height that is used here:
cadaver tables make L4 and L5 too tall behind, and a healthy L4 then seems to have lost 7 % in front. Further up no
such data were at hand and the cadaver tables remain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.anatomy import Level

CERVICAL = "Panjabi et al., Spine 1991;16:861-9"
THORACIC = "Panjabi et al., Spine 1991;16:888-901"
LUMBAR = "Panjabi et al., Spine 1992;17:299-306"
RATIOS = "Gilad & Nissan, Spine 1986;11:154-7; Masharawi et al., J Anat 2008"
MR_RATIO = "Surg Radiol Anat 2011;33:223 (PMID 21104252)"
MEASURED = (
    "ratios to L3, medians over manual masks of healthy adults, n = 51 (T11, T12: 12): Chu et al. 2015, "
    "doi 10.1371/journal.pone.0143327, and Burian et al. 2019, doi 10.1186/s12891-019-2528-x"
)
INTERPOLATED = "interpolated between its neighbours"

POSTERIOR_HEIGHT_MM: dict[str, tuple[float, str]] = {
    "C3": (11.6, CERVICAL), "C4": (11.4, CERVICAL), "C5": (11.4, CERVICAL), "C6": (10.9, CERVICAL),
    "C7": (12.8, CERVICAL),
    "T1": (14.1, THORACIC), "T2": (15.6, THORACIC), "T3": (15.7, THORACIC), "T4": (16.2, THORACIC),
    "T5": (16.2, THORACIC), "T6": (17.4, THORACIC), "T7": (18.2, THORACIC), "T8": (18.7, THORACIC),
    "T9": (19.3, THORACIC), "T10": (20.2, THORACIC), "T11": (21.3, MEASURED), "T12": (22.6, MEASURED),
    "T13": (23.1, INTERPOLATED),
    "L1": (23.6, MEASURED), "L2": (23.9, MEASURED), "L3": (23.8, LUMBAR), "L4": (23.1, MEASURED),
    "L5": (21.3, MEASURED), "L6": (21.3, "taken as L5"),
}  # fmt: skip
"""Level -> mean posterior body height in mm and its source."""

ANTERIOR_RATIO: dict[str, tuple[float, str]] = {
    "C": (1.0, RATIOS), "T": (0.95, RATIOS + "; 0.93 to 0.97"),
    "T10": (0.92, MR_RATIO), "T11": (0.91, MEASURED), "T12": (0.955, MEASURED), "T13": (0.965, INTERPOLATED),
    "L1": (0.97, MEASURED), "L2": (1.015, MEASURED), "L3": (1.045, MEASURED), "L4": (1.075, MEASURED),
    "L5": (1.225, MEASURED), "L6": (1.225, "taken as L5"),
}  # fmt: skip
"""Level, or region, -> anterior / posterior height and its source."""

MIDDLE_RATIO: dict[str, tuple[float, str]] = {
    "C": (0.925, RATIOS), "T": (0.925, RATIOS + "; 0.90 to 0.95"), "T11": (0.90, MEASURED), "T12": (0.915, MEASURED),
    "L1": (0.915, MEASURED), "L2": (0.91, MEASURED), "L3": (0.91, MEASURED), "L4": (0.935, MEASURED),
    "L5": (0.98, MEASURED), "L6": (0.98, "taken as L5"),
}  # fmt: skip
"""Level, or region, -> middle / posterior height and its source."""

PROFILE_SD = 0.035
"""Scatter of one healthy body's height around its person's profile (fraction): 0.02 to 0.05 in ``MEASURED``."""


def height_profile(level: Level) -> NDArray[np.float64] | None:
    """Mean anterior, middle and posterior height (3,) in mm of a level, or None where no table has it.

    C1, C2, sacral and relative levels have none.
    """
    row = POSTERIOR_HEIGHT_MM.get(level.name)
    if row is None:
        return None
    anterior, _ = ANTERIOR_RATIO.get(level.name) or ANTERIOR_RATIO[level.region]
    middle, _ = MIDDLE_RATIO.get(level.name) or MIDDLE_RATIO[level.region]
    return row[0] * np.array([anterior, middle, 1.0])
