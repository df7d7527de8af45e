"""How body height changes from level to level in a healthy spine; used to carry a height from one level to another.

Only ratios between levels are ever used, never the millimetres: a patient's own intact vertebrae give the size.
From T11 down the rows of ``norms.csv`` were measured on MR of living adults with the very definition of height that is
used here: cadaver tables make L4 and L5 too tall behind, and a healthy L4 then seems to have lost 7 % in front. Further
up no such data were at hand and the cadaver tables remain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.norms import norm, threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.anatomy import Level

PROFILE_SD = threshold("height_profile_scatter")
"""Scatter of one healthy body's height around its person's profile (fraction)."""


def height_profile(level: Level) -> NDArray[np.float64] | None:
    """Mean anterior, middle and posterior height (3,) in mm of a level, or None where no table has it.

    C1, C2, sacral and relative levels have none.
    """
    posterior, anterior, middle = (
        norm(name, level.name) for name in ("posterior_height", "anterior_ratio", "middle_ratio")
    )
    if posterior is None or anterior is None or middle is None:
        return None
    return posterior.value * np.array([anterior.value, middle.value, 1.0])
