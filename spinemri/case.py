"""What the writers take: the analysis document together with the images and masks it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spinemri.series import Plane

if TYPE_CHECKING:
    from spinemri.analysis import Analysis
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation
    from spinemri.series import Series


@dataclass(frozen=True, eq=False)
class Case:
    """An analysis with its images and segmentations.

    ``images[n]`` and ``segmentations[n]`` belong together and to ``analysis.used_series()[n]``. Their ``series_uid``
    is the one used in ``analysis`` (a token when identifiers are not kept). ``lesion_masks`` outline the lesions of
    ``analysis.lesions`` on the grids of the series they name; voxel values are the lesions' ``label``. Axial series
    come after the sagittal ones.
    ``images[n].series.files`` are the files that an image came from, whatever its UID has become.
    """

    analysis: Analysis
    images: tuple[Image, ...]
    segmentations: tuple[Segmentation, ...]
    lesion_masks: tuple[Segmentation, ...] = ()

    @property
    def language(self) -> str:
        """Code of the language of its text."""
        return self.analysis.language

    def sagittal(self) -> tuple[tuple[Series, Image, Segmentation], ...]:
        """The used sagittal series with their images and masks."""
        every = zip(self.analysis.used_series(), self.images, self.segmentations, strict=True)
        return tuple(one for one in every if one[0].plane is not Plane.AXIAL)

    def view(self, label: str | None = None) -> Any:
        """An interactive view of one series in a notebook: see ``report.notebook.view``, which says what it needs."""
        from spinemri.report.notebook import view

        return view(self, label)

    def _repr_html_(self) -> str:
        """What a notebook shows: urgent findings, impression, table of levels."""
        from spinemri.report.notebook import as_html

        return as_html(self.analysis)
