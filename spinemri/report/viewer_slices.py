"""One slice for the viewer: the part of it that shows the spine, as an 8-bit picture with outlines and names.

The 8 bits span more than the window in which a slice is first shown, so that a reader can still make fat darker or the
cord brighter; what is brighter than that is fat beside the coil.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Picture

from spinemri import plot
from spinemri.report.drawing import data_uri
from spinemri.report.viewer_outlines import outline, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.orientation import ReadingPlane
    from spinemri.segmentation import Segmentation

    Pixels = NDArray[np.generic]
    Labels = NDArray[np.unsignedinteger]
    Box = tuple[slice, slice]

_MARGIN_MM = 60.0
_JPEG_QUALITY = 82
_PERCENTILES = (0.5, 99.9)
_HEADROOM = 2.0  # windows above the first one
_NAMED_MM2 = 60.0  # a body cut smaller than this is a rim: it is outlined, not named


@dataclass(frozen=True)
class Slice:
    """One slice: its number in the series from 1, its picture, outlines (structure, path) and names (structure, x, y).

    Positions are pixels of the cut slice, paths tenths of them; structures are numbers in the viewer's list.
    """

    number: int
    image: str
    outlines: tuple[tuple[int, str], ...]
    names: tuple[tuple[int, float, float], ...]


def box_of_interest(segmentation: Segmentation, plane: ReadingPlane) -> Box:
    """Rows and columns of turned slices that hold what is labelled and 60 mm around it; all of them without labels."""
    used = segmentation.voxels > 0
    sides = ((plane.down, plane.flip_down), (plane.right, plane.flip_right))
    rows, columns = (_range(used, axis, segmentation.geometry.spacing[axis], reverse=flip) for axis, flip in sides)
    return rows, columns


def greys(image: Image, segmentation: Segmentation) -> tuple[tuple[float, float], tuple[float, float]]:
    """Intensities for 0 and 255, and the display values between which a slice is first shown."""
    low, high = plot.mid_sagittal(image, segmentation).window
    bottom, top = np.percentile(image.voxels.astype(np.float32), _PERCENTILES).tolist()
    bottom, top = min(bottom, low), max(high, min(top, high + _HEADROOM * (high - low)))
    scale = 255 / max(top - bottom, 1e-9)
    return (round(bottom, 3), round(top, 3)), (round((low - bottom) * scale, 1), round((high - bottom) * scale, 1))


def picture(pixels: Pixels, grey: tuple[float, float], scale: float) -> str:
    """A slice (rows, columns) as a data URI, made smaller by ``scale``."""
    low, high = grey
    values = np.clip((pixels.astype(np.float32) - low) * (255 / max(high - low, 1e-9)), 0, 255)
    shown = Picture.fromarray(np.round(values).astype(np.uint8))
    if scale < 1:
        size = max(1, round(shown.width * scale)), max(1, round(shown.height * scale))
        shown = shown.resize(size, Picture.Resampling.BOX)
    return data_uri(shown, _JPEG_QUALITY)


def drawn(
    number: int,
    image: str,
    layers: Iterable[tuple[Labels, dict[int, int]]],
    scale: tuple[tuple[float, float], set[int]],
) -> Slice:
    """A slice with outlines and names.

    Parameters
    ----------
    number, image : see ``Slice``
    layers : labels (rows, columns) with the number in the viewer's list of each label value, the lowest first
    scale : mm between rows and between columns, and which numbers are vertebral bodies
    """
    pixel_mm, bodies = scale
    outlines, names = [], []
    for labels, known in layers:
        for value, mask, first in pieces(labels):
            outlines.append((known[value], outline(mask, first, pixel_mm)))
            if known[value] in bodies and mask.sum() * pixel_mm[0] * pixel_mm[1] >= _NAMED_MM2:
                names.append((known[value], *_name_position(mask, first, pixel_mm)))
    return Slice(number, image, tuple((n, path) for n, path in outlines if path), tuple(names))


def _range(used: NDArray[np.bool_], axis: int, spacing: float, *, reverse: bool) -> slice:
    count = used.shape[axis]
    hit = np.nonzero(used.any(axis=tuple(a for a in range(3) if a != axis)))[0]
    if hit.size == 0:
        return slice(0, count)
    margin = round(_MARGIN_MM / spacing)
    start, stop = max(0, int(hit[0]) - margin), min(count, int(hit[-1]) + 1 + margin)
    return slice(count - stop, count - start) if reverse else slice(start, stop)


def _name_position(
    mask: NDArray[np.bool_], first: tuple[int, int], pixel_mm: tuple[float, float]
) -> tuple[float, float]:
    """To the left of a body at its middle height."""
    column, row = plot.left_of(mask)
    return round(column - plot.NAME_GAP_MM / pixel_mm[1] + first[1], 1), round(row + first[0], 1)
