"""What the writers take: the analysis document together with the images and masks it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spinemri.analysis import Analysis
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation


@dataclass(frozen=True, eq=False)
class Case:
    """An analysis with its images and segmentations.

    ``images[n]`` and ``segmentations[n]`` belong together and to ``analysis.used_series()[n]``. Their ``series_uid``
    is the one used in ``analysis`` (a token when identifiers are not kept). ``lesion_masks`` outline the lesions of
    ``analysis.lesions`` on the grids of the series they name; voxel values are the lesions' ``label``.
    """

    analysis: Analysis
    images: tuple[Image, ...]
    segmentations: tuple[Segmentation, ...]
    lesion_masks: tuple[Segmentation, ...] = ()
