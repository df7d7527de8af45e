"""The thecal sac and the cord of every series of a study, ready to be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap
from spinemri.measure.centreline import centre_line
from spinemri.measure.sections import profile_along
from spinemri.measurement import Status
from spinemri.segmentation import EXACT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.measure.bodies import MissingSlices
    from spinemri.measure.sections import Profile
    from spinemri.segmentation import Drawing, Segmentation

phrases = Phrases("measure.sac_masks")

_EDGE_SD_VOXELS = 0.41


class SacMasks:
    """Sac and cord in every series: their profiles, made when first asked for, and the seams of a composed image.

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
        self._profiles: dict[str, Profile | Gap] = {}
        self._cords: dict[str, Profile | None] = {}

    def profile(self, uid: str | None) -> Profile | Gap:
        """Edges of the sac along its centre line in one series, or why there are none."""
        segmentation = self.segmentations.get(uid) if uid is not None else None
        if segmentation is None or uid is None:
            return no_sac()
        if uid not in self._profiles:
            mask = segmentation.mask_of_kind(StructureKind.THECAL_SAC, StructureKind.CORD)
            line = centre_line(mask, segmentation.geometry)
            self._profiles[uid] = (
                Gap(Status.NOT_ASSESSABLE, phrases.NO_THECAL_SAC_FOUND_SERIES)
                if line is None
                else profile_along(mask, segmentation.geometry, line, self._missing.get(uid, frozenset()))
            )
        return self._profiles[uid]

    def cord(self, uid: str) -> Profile | None:
        """Edges of the cord along the sac's centre line in one series, or None when it shows no cord."""
        if uid not in self._cords:
            sac, segmentation = self.profile(uid), self.segmentations.get(uid)
            mask = None if segmentation is None else segmentation.mask_of_kind(StructureKind.CORD)
            self._cords[uid] = (
                None
                if isinstance(sac, Gap) or segmentation is None or mask is None or not mask.any()
                else profile_along(mask, segmentation.geometry, sac.line, self._missing.get(uid, frozenset()))
            )
        return self._cords[uid]

    def near_seam(self, uid: str, point: NDArray[np.float64]) -> bool:
        """Whether a point (LPS mm) lies within 20 mm of a seam of a composed image."""
        image = self._images.get(uid)
        return image is not None and image.near_seam(point)

    def pixel_mm(self, uid: str | None) -> float:
        """Antero-posterior size of a voxel; 0 without a series."""
        return self._size_mm(uid, 1)

    def slice_mm(self, uid: str | None) -> float:
        """Left-right size of a voxel; 0 without a series."""
        return self._size_mm(uid, 0)

    def edge_sd_mm(self, uid: str | None) -> float:
        """Standard deviation of a length between two edges that the pixels alone give; 0 without a series."""
        return _EDGE_SD_VOXELS * self.pixel_mm(uid)

    def drawing(self, uid: str | None) -> Drawing:
        """How well the borders of a series' mask were drawn; exactly without a series."""
        segmentation = self.segmentations.get(uid or "")
        return EXACT if segmentation is None else segmentation.drawing

    def _size_mm(self, uid: str | None, world_axis: int) -> float:
        segmentation = self.segmentations.get(uid or "")
        grid = None if segmentation is None else segmentation.geometry
        return 0.0 if grid is None else float(grid.spacing[grid.axis_along(world_axis)])


def no_sac() -> Gap:
    """The gap of which that is said."""
    return Gap(Status.NOT_ASSESSABLE, phrases.NO_SAC)
