"""A loaded series: voxels, where they lie in the patient, and what the header says about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import GeometryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.series import Series


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

    def __post_init__(self) -> None:
        if self.voxels.shape != self.geometry.shape:
            raise GeometryError(
                f"series {self.series.label}: {self.voxels.shape} voxels on a {self.geometry.shape} grid"
            )
        view = np.asarray(self.voxels).view()
        view.flags.writeable = False
        object.__setattr__(self, "voxels", view)
