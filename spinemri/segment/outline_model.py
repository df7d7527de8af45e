"""The outliner as its bundle describes it: the surroundings of one vertebral body in, its outline out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.segment.bundle import OUTLINE, OUTLINE_MODEL, WEIGHTS, load_bundle, section
from spinemri.segment.outline_view import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class OutlineModel:
    """An outliner.

    Parameters
    ----------
    name, version, path, network, sha256 : as in ``Model``
    anatomy_sha256 : weights of the anatomy network beside which it was trained; others may draw borders elsewhere
    """

    name: str
    version: str
    path: Path
    network: Mapping[str, object]
    sha256: str
    anatomy_sha256: str

    @property
    def label(self) -> str:
        """Name and version: 'body_outline 0.1.0'."""
        return f"{self.name} {self.version}"

    @property
    def weights(self) -> Path:
        """The weights file."""
        return self.path / WEIGHTS


def load_outline_model(path_or_name: str | Path | None = None) -> OutlineModel:
    """The outliner in a bundle folder, or the one of that name that ships with spinemri.

    Raises
    ------
    ModelError
        If the folder or a file is missing, the metadata cannot be read, or the weights do not match their checksum.
    """
    return load_bundle(path_or_name or OUTLINE_MODEL, _from_metadata)


def _from_metadata(path: Path, metadata: Mapping[str, object], inference: Mapping[str, object]) -> OutlineModel:
    given = section(metadata, "network_data_format", "inputs", "image", "channel_def")
    if len(given) != CHANNELS:
        raise ValueError(f"{len(given)} input channels: expected {CHANNELS}")
    output = section(metadata, "network_data_format", "outputs", "pred", "channel_def")
    if output != {"0": OUTLINE}:
        raise ValueError(f"output channels {output}: expected the {OUTLINE} alone")
    return OutlineModel(
        name=path.name,
        version=str(metadata["version"]),
        path=path,
        network=section(inference, "network_def"),
        sha256=str(section(metadata, "spinemri")["weights_sha256"]),
        anatomy_sha256=str(section(metadata, "spinemri")["anatomy_sha256"]),
    )
