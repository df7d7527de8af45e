"""Where a scanner joined stations into one composed image, as far as its pixels still show it.

Headers do not say where the seams are. Two traces are looked for: a step of brightness over the whole width of the
body, and margins without image that jump because the stations were shifted against each other. Stations that were
matched in brightness and blended over some centimetres leave neither: no seam found does not mean that there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

_LEAST_STEP = 0.04  # of the logarithm: 4 %
_OUTLYING = 7.0  # robust standard deviations of the steps between other rows
_TISSUE = 0.1  # of the bright end
_LEAST_PIXELS = 0.05  # of a row that must be tissue
_TREND_MM = 25.0
_STEADY_MM, _LEAST_JUMP = 10.0, 3
_APART_MM = 10.0
_SHORTEST_STATION_MM = 60.0


def find_seams(voxels: NDArray[np.generic], geometry: Geometry) -> tuple[float, ...]:
    """Positions between the rows of a composed sagittal image at which another station begins.

    Parameters
    ----------
    voxels : (k, j, i) intensities from 0
    geometry : grid of ``voxels``

    Returns
    -------
    Indices along the array axis that runs head to foot, ascending; n + 0.5 lies between the voxels n and n + 1.
    """
    down, across = geometry.axis_along(2), geometry.axis_along(0)
    rows = np.moveaxis(voxels, (down, across), (0, 1)).astype(np.float32)
    mm = geometry.spacing[down]
    found = sorted([*_brightness_steps(rows, mm), *_margin_jumps(rows, mm)])
    kept: list[int] = []
    ends = _SHORTEST_STATION_MM / mm
    for row in found:
        if ends < row < len(rows) - ends and (not kept or (row - kept[-1]) * mm > _APART_MM):
            kept.append(row)
    return tuple(row + 0.5 for row in kept)


def _brightness_steps(rows: NDArray[np.float32], mm: float) -> list[int]:
    """Rows after which the median brightness ratio of pixel and pixel below it stands out from all other rows."""
    if len(rows) < 4:
        return []
    tissue = rows > _TISSUE * np.percentile(rows, 99)
    both = np.log(np.where(tissue, rows, 1.0))
    pairs = (both[1:-2] + both[:-3]) / 2, (both[2:-1] + both[3:]) / 2
    inside = tissue[:-3] & tissue[1:-2] & tissue[2:-1] & tissue[3:]
    counts = inside.sum(axis=(1, 2))
    ratio = np.where(inside, pairs[1] - pairs[0], np.nan)
    usable = counts >= _LEAST_PIXELS * rows[0].size
    steps = np.array([np.nanmedian(r) if use else 0.0 for r, use in zip(ratio, usable, strict=True)])
    steps -= ndimage.median_filter(steps, max(3, 2 * round(_TREND_MM / mm / 2) + 1))
    scale = 1.48 * float(np.median(np.abs(steps[usable]))) if usable.any() else np.inf
    size = np.abs(steps)
    peak = size == ndimage.maximum_filter1d(size, max(3, 2 * round(_APART_MM / mm / 2) + 1))
    return [int(r) + 1 for r in np.flatnonzero(peak & (size > max(_LEAST_STEP, _OUTLYING * scale)))]


def _margin_jumps(rows: NDArray[np.float32], mm: float) -> list[int]:
    """Rows after which a margin without any signal gets wider or narrower at once and then stays so."""
    steady = max(2, round(_STEADY_MM / mm))
    some: NDArray[np.bool_] = np.any(rows > 0, axis=1)
    filled: NDArray[np.bool_] = np.any(some, axis=1)
    if not filled.any():
        return []
    edges = np.stack([some.argmax(axis=1), some.shape[1] - some[:, ::-1].argmax(axis=1)], axis=1)
    found = []
    for row in range(steady - 1, len(rows) - steady):
        above, below = edges[row - steady + 1 : row + 1], edges[row + 1 : row + 1 + steady]
        if not (filled[row - steady + 1 : row + 1 + steady]).all():
            continue
        still = np.ptp(above, axis=0).max() == 0 and np.ptp(below, axis=0).max() == 0
        if still and np.abs(above[0] - below[0]).max() >= _LEAST_JUMP:
            found.append(row)
    return found
