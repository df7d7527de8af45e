"""What made an analysis: software, models, images, options, libraries, time; all that it takes to repeat it."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Protocol

from spinemri.analysis import Provenance
from spinemri.image import checksum
from spinemri.norms import NORMS_SHA256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.image import Image
    from spinemri.segment.lesion_predictor import LesionPredictor
    from spinemri.segment.predictor import Predictor

_LIBRARIES = ("pydicom", "highdicom", "SimpleITK", "numpy", "scipy", "torch", "monai")


class Networks(Protocol):
    """The loaded networks; None where there is none."""

    @property
    def anatomy(self) -> Predictor | None:
        """The network for anatomy."""

    @property
    def lesions(self) -> LesionPredictor | None:
        """The network for lesions."""

    @property
    def axial(self) -> Predictor | None:
        """The network for axial slices."""


def provenance_of(
    networks: Networks, images: Sequence[Image], parameters: Mapping[str, str], seconds: Mapping[str, float]
) -> Provenance:
    """The provenance of an analysis that is made now.

    Parameters
    ----------
    networks : those that were used
    images : every series that was loaded
    parameters : the user's choices by name
    seconds : time spent per stage
    """
    used = (networks.anatomy, networks.lesions, networks.axial)
    model, lesions, axial = (network.model if network else None for network in used)
    return Provenance(
        software="spinemri",
        version=_version_of("spinemri"),
        model=model.name if model else "",
        model_version=model.version if model else "",
        model_sha256=model.sha256 if model else "",
        lesion_model=lesions.name if lesions else "",
        lesion_model_version=lesions.version if lesions else "",
        lesion_model_sha256=lesions.sha256 if lesions else "",
        axial_model=axial.name if axial else "",
        axial_model_version=axial.version if axial else "",
        axial_model_sha256=axial.sha256 if axial else "",
        norms_sha256=NORMS_SHA256,
        input_sha256=checksum(images),
        parameters=dict(parameters),
        libraries={name: _version_of(name) for name in _LIBRARIES},
        device=str(networks.anatomy.device) if networks.anatomy else "cpu",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds={stage: round(spent, 3) for stage, spent in seconds.items()},
    )


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
