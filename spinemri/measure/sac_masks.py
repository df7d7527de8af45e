"""The thecal sac of every series of a study, ready to be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.anatomy import StructureKind
from spinemri.measure.catalogue import Gap
from spinemri.measure.centreline import centre_line, sac_profile
from spinemri.measurement import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.measure.bodies import MissingSlices
    from spinemri.measure.centreline import SacProfile
    from spinemri.segmentation import Segmentation

NO_SAC = Gap(Status.NOT_ASSESSABLE, "no series shows the thecal sac well enough to measure it")
_EDGE_SD_VOXELS = 0.41


class SacMasks:
    """The thecal sac in every series: its profile, made when first asked for, and the seams of a composed image.

    Parameters
    ----------
    segmentations : series_uid -> segmentation
    images : the loaded series
    missing : series_uid -> sagittal slices that must not be measured
    """

    def __init__(
        self, segmentations: Mapping[str, Segmentation], images: Sequence[Image], missing: MissingSlices
    ) -> None:
        self.segmentations = segmentations
        self._images = {image.series.series_uid: image for image in images}
        self._missing = missing
        self._profiles: dict[str, SacProfile | Gap] = {}

    def profile(self, uid: str | None) -> SacProfile | Gap:
        """Edges of the sac along its centre line in one series, or why there are none."""
        segmentation = self.segmentations.get(uid) if uid is not None else None
        if segmentation is None or uid is None:
            return NO_SAC
        if uid not in self._profiles:
            mask = segmentation.mask_of_kind(StructureKind.THECAL_SAC, StructureKind.CORD)
            line = centre_line(mask, segmentation.geometry)
            self._profiles[uid] = (
                Gap(Status.NOT_ASSESSABLE, "no thecal sac was found in the series it was to be measured in")
                if line is None
                else sac_profile(mask, segmentation.geometry, line, self._missing.get(uid, frozenset()))
            )
        return self._profiles[uid]

    def near_seam(self, uid: str, point: NDArray[np.float64]) -> bool:
        """Whether a point (LPS mm) lies within 20 mm of a seam of a composed image."""
        image = self._images.get(uid)
        return image is not None and image.near_seam(point)

    def edge_sd_mm(self, uid: str | None) -> float:
        """Standard deviation of a length between two edges that the pixels alone give; 0 without a series."""
        segmentation = self.segmentations.get(uid or "")
        if segmentation is None:
            return 0.0
        grid = segmentation.geometry
        return _EDGE_SD_VOXELS * float(grid.spacing[grid.axis_along(1)])
