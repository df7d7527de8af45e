"""The outliner as its bundle describes it: the surroundings of one vertebral body in, its outline out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.segment.bundle import OUTLINE, OUTLINE_MODEL, Bundle, bundle_facts, load_bundle, section
from spinemri.segment.outline_view import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class OutlineModel(Bundle):
    """An outliner.

    Parameters
    ----------
    name, version, path, network, sha256 : as in ``Bundle``
    anatomy_sha256 : weights of the anatomy network beside which it was trained; others may draw borders elsewhere
    """

    anatomy_sha256: str


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
        **bundle_facts(path, metadata, inference),
        anatomy_sha256=str(section(metadata, "spinemri")["anatomy_sha256"]),
    )
