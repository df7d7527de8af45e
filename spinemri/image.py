"""A loaded series: voxels, where they lie in the patient, and what the header says about them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import GeometryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from spinemri.geometry import Geometry
    from spinemri.series import Series

SEAM_MARGIN_MM = 20.0
"""Nothing is measured nearer to a seam of a composed image: stations are blended and warped there."""


@dataclass(frozen=True, eq=False)
class Image:
    """Voxels of one series in the patient.

    Parameters
    ----------
    voxels : (k, j, i) array; made read-only. float32 or the stored integer type; rescale slope already applied.
    geometry : the grid of ``voxels``
    series : header facts
    missing_slices : indices k of interior slices that were absent and are filled with zeros; never measured
    warnings : what loading found wrong but usable, one line each
    seams : where stations were joined, as indices along the array axis that runs head to foot (between voxels: n + 0.5)

    Raises
    ------
    GeometryError
        If ``voxels.shape`` and ``geometry.shape`` differ.
    """

    voxels: NDArray[np.generic]
    geometry: Geometry
    series: Series
    missing_slices: tuple[int, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    seams: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.voxels.shape != self.geometry.shape:
            raise GeometryError(
                f"series {self.series.label}: {self.voxels.shape} voxels on a {self.geometry.shape} grid"
            )
        view = np.asarray(self.voxels).view()
        view.flags.writeable = False
        object.__setattr__(self, "voxels", view)

    def near_seam(self, points: ArrayLike) -> bool:
        """Whether a seam lies within 20 mm, head to foot, of the stretch that points (..., 3), LPS mm, cover."""
        axis = self.geometry.axis_along(2)
        along = np.atleast_2d(self.geometry.to_index(points))[..., axis]
        margin = SEAM_MARGIN_MM / self.geometry.spacing[axis]
        return any(along.min() - margin < seam < along.max() + margin for seam in self.seams)


def checksum(images: Iterable[Image]) -> str:
    """SHA-256 of voxels, grids and contrasts of images, whatever their order, names and identifiers.

    Grids count to a hundredth of a millimetre. Whoever holds the images can compute it; it says nothing else of whom
    they show.
    """
    made = []
    for image in images:
        grid = np.round(image.geometry.affine, 2) + 0.0  # no minus sign before a zero
        facts = f"{image.series.contrast.value} {image.voxels.dtype} {image.voxels.shape} {grid.tolist()}"
        digest = hashlib.sha256(facts.encode())
        digest.update(np.ascontiguousarray(image.voxels).data)
        made.append(digest.hexdigest())
    return hashlib.sha256(" ".join(sorted(made)).encode()).hexdigest()
