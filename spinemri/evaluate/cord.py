"""The cord's antero-posterior diameter against that of a manual mask, along the cord.

Both diameters are taken in the mid-sagittal plane perpendicular to the manual mask's smoothed centre line, every half
millimetre (``measure/centreline.py``), so that they are compared at one place and in one direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.measure.centreline import centre_line
from spinemri.measure.sections import profile_along

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry


def cord_ap_errors(
    found: NDArray[np.bool_], truth: NDArray[np.bool_], geometry: Geometry
) -> NDArray[np.float64] | None:
    """Found minus true AP diameter in mm at every half millimetre of the true cord, head to foot.

    Where no cord was found its diameter counts as 0. None when the true mask is too short for a centre line.

    Parameters
    ----------
    found, truth : (k, j, i) masks of the cord on ``geometry``
    """
    line = centre_line(truth, geometry)
    if line is None:
        return None
    true = profile_along(truth, geometry, line).diameter
    measured = profile_along(found, geometry, line).diameter if found.any() else np.zeros_like(true)
    known = np.isfinite(true)
    return np.asarray(np.nan_to_num(measured[known]) - true[known])
