"""How body height changes from level to level in a healthy spine; used to carry a height from one level to another.

Only ratios between levels are ever used, never the millimetres: a patient's own intact vertebrae give the size.
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
CT_L5 = "Cook & Baker, Int J Spine Surg 2021;15:1072 (L5 30.3 / 26.3 mm)"
INTERPOLATED = "interpolated between its neighbours"

POSTERIOR_HEIGHT_MM: dict[str, tuple[float, str]] = {
    "C3": (11.6, CERVICAL), "C4": (11.4, CERVICAL), "C5": (11.4, CERVICAL), "C6": (10.9, CERVICAL),
    "C7": (12.8, CERVICAL),
    "T1": (14.1, THORACIC), "T2": (15.6, THORACIC), "T3": (15.7, THORACIC), "T4": (16.2, THORACIC),
    "T5": (16.2, THORACIC), "T6": (17.4, THORACIC), "T7": (18.2, THORACIC), "T8": (18.7, THORACIC),
    "T9": (19.3, THORACIC), "T10": (20.2, THORACIC), "T11": (21.3, THORACIC), "T12": (22.7, THORACIC),
    "T13": (23.2, INTERPOLATED),
    "L1": (23.8, LUMBAR), "L2": (24.3, LUMBAR), "L3": (23.8, LUMBAR), "L4": (24.1, LUMBAR), "L5": (22.9, LUMBAR),
    "L6": (22.9, "taken as L5"),
}  # fmt: skip
"""Level -> mean posterior body height in mm (cadaver) and its source."""

ANTERIOR_RATIO: dict[str, tuple[float, str]] = {
    "C": (1.0, RATIOS), "T": (0.95, RATIOS + "; 0.93 to 0.97"),
    "L1": (0.97, RATIOS), "L2": (1.0, RATIOS), "L3": (1.03, RATIOS), "L4": (1.08, RATIOS),
    "L5": (1.17, RATIOS + "; " + CT_L5), "L6": (1.17, "taken as L5"),
}  # fmt: skip
"""Level, or region, -> anterior / posterior height and its source."""

MIDDLE_RATIO = (0.925, RATIOS + "; 0.90 to 0.95")
"""Middle / posterior height, any level, and its source."""

PROFILE_SD = 0.04
"""Assumed scatter of one person's level-to-level ratio around the profile (fraction); no publication gives it."""


def height_profile(level: Level) -> NDArray[np.float64] | None:
    """Mean anterior, middle and posterior height (3,) in mm of a level, or None where no table has it.

    C1, C2, sacral and relative levels have none.
    """
    row = POSTERIOR_HEIGHT_MM.get(level.name)
    if row is None:
        return None
    anterior, _ = ANTERIOR_RATIO.get(level.name) or ANTERIOR_RATIO[level.region]
    return row[0] * np.array([anterior, MIDDLE_RATIO[0], 1.0])
