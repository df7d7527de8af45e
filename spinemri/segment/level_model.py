"""The level reader as its bundle describes it: the surroundings of one vertebra in, its level out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.anatomy import Level
from spinemri.segment.bundle import LEVEL_MODEL, Bundle, bundle_facts, load_bundle, section
from spinemri.segment.ladder import LADDER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

READ_LEVELS = tuple(level for level in LADDER if level.name not in {"T13", "L6", "S3", "S4", "S5"})
"""Levels that the reader tells apart. T13 and L6 are rare and look like their neighbours; counting finds them."""


@dataclass(frozen=True)
class LevelModel(Bundle):
    """A level reader.

    Parameters
    ----------
    name, version, path, network, sha256 : as in ``Bundle``
    weight : how much its evidence counts per vertebra; neighbours are not independent
    """

    weight: float


def load_level_model(path_or_name: str | Path | None = None) -> LevelModel:
    """The level reader in a bundle folder, or the one of that name that ships with spinemri.

    Raises
    ------
    ModelError
        If the folder or a file is missing, the metadata cannot be read, or the weights do not match their checksum.
    """
    return load_bundle(path_or_name or LEVEL_MODEL, _from_metadata)


def _from_metadata(path: Path, metadata: Mapping[str, object], inference: Mapping[str, object]) -> LevelModel:
    output = section(metadata, "network_data_format", "outputs", "pred", "channel_def")
    found = tuple(Level.parse(str(output[str(n)])) for n in range(len(output)))
    if found != READ_LEVELS:
        raise ValueError(f"channels {', '.join(map(str, found))}: expected {', '.join(map(str, READ_LEVELS))}")
    own = section(metadata, "spinemri")
    return LevelModel(
        **bundle_facts(path, metadata, inference),
        weight=float(str(own["weight"])),
    )
