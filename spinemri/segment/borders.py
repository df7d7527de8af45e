"""The borders of cord and thecal sac where the image shows them better than the network has drawn them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.segment.column import CORD, SAC
from spinemri.segment.cord import find_cord
from spinemri.segment.encroachment import find_encroachment
from spinemri.segment.preprocess import present_voxels
from spinemri.segment.sac import find_dents, find_spill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.image import Image

_MARGIN_MM = 4.0  # around the canal


def follow_borders(classes: NDArray[np.uint8], image: Image) -> NDArray[np.uint8]:
    """Classes with the cord as wide as its signal, without what presses on it or dents the sac from the front,
    and the sac without what it is drawn over beside the midline.

    Parameters
    ----------
    classes : (k, j, i) semantic classes (values in ``column.py``)
    image : the image they were found in, on the same grid

    Returns
    -------
    (k, j, i) uint8; only cord and sac change: into one another, and into background.
    """
    where = ndimage.find_objects(np.isin(classes, (SAC, CORD)).astype(np.uint8))
    if not where:
        return classes
    margins = np.ceil(_MARGIN_MM / np.asarray(image.geometry.spacing)).astype(int)
    box = tuple(slice(max(0, s.start - m), s.stop + m) for s, m in zip(where[0], margins, strict=True))
    followed = classes.copy()
    part, signal = followed[box], present_voxels(image)[box].astype(np.float64)
    part[find_encroachment(part, signal, image.geometry)] = 0
    canal, cord = np.isin(part, (SAC, CORD)), find_cord(part, signal, image.geometry)
    part[canal & ~cord], part[cord] = SAC, CORD
    part[find_dents(part, signal, image.geometry)] = 0
    part[find_spill(part, signal, image.geometry)] = 0
    return followed
