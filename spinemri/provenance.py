"""What made an analysis: software, models, images, options, libraries, time; all that it takes to repeat it."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from spinemri.analysis import ModelUsed, Provenance
from spinemri.image import checksum
from spinemri.norms import NORMS_SHA256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.image import Image
    from spinemri.networks import Networks

_LIBRARIES = ("pydicom", "highdicom", "SimpleITK", "numpy", "scipy", "torch", "monai")


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
    return Provenance(
        software="spinemri",
        version=_version_of("spinemri"),
        models=tuple(
            ModelUsed(role=role, name=model.name, version=model.version, sha256=model.sha256)
            for role, model in networks.models.items()
        ),
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
