"""A MONAI bundle on disk: data from outside and never code. Weights must match the checksum that the metadata names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

from spinemri.anatomy import StructureKind
from spinemri.errors import ModelError
from spinemri.lesion import MarrowChange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Parsed = TypeVar("Parsed")

DEFAULT_MODEL, AXIAL_MODEL = "spine_anatomy", "axial_anatomy"
LEVEL_MODEL, OUTLINE_MODEL = "vertebra_level", "body_outline"
OUTLINE = "outline of the vertebral body"
"""The one output channel of an outliner."""

METADATA = "configs/metadata.json"
INFERENCE = "configs/inference.json"
WEIGHTS = "models/model.pt"


class BundleKind(StrEnum):
    """What a bundle's network tells."""

    ANATOMY = "anatomy"
    LESIONS = "lesions"
    LEVELS = "levels"
    OUTLINES = "outlines"


@dataclass(frozen=True)
class Bundle:
    """What any model has.

    Parameters
    ----------
    name : folder name of the bundle
    version : version of the weights
    path : the bundle folder
    network : name and arguments of the network, plain numbers and text only
    sha256 : checksum of the weights file
    """

    name: str
    version: str
    path: Path
    network: Mapping[str, object]
    sha256: str

    @property
    def label(self) -> str:
        """Name and version, as written into every segmentation: 'spine_anatomy 0.1.0'."""
        return f"{self.name} {self.version}"

    @property
    def weights(self) -> Path:
        """The weights file."""
        return self.path / WEIGHTS


class BundleFacts(TypedDict):
    """The fields of ``Bundle``."""

    name: str
    version: str
    path: Path
    network: Mapping[str, object]
    sha256: str


def bundle_path(name: str = DEFAULT_MODEL) -> Path:
    """Folder of a bundle that ships with spinemri, installed or in a source tree.

    Raises
    ------
    ModelError
        If there is no bundle of that name.
    """
    package = Path(str(resources.files("spinemri")))
    for folder in (package / "models", package.parent / "models"):
        if (folder / name / METADATA).is_file():
            return folder / name
    raise ModelError(f"model {name!r}: no such bundle is installed with spinemri")


def bundle_kind(path_or_name: str | Path) -> BundleKind:
    """What a bundle's network tells, by the last of its output channels. Raises as ``load_bundle``."""
    path = find_bundle(path_or_name)
    try:
        channels = section(read_json(path, METADATA), "network_data_format", "outputs", "pred", "channel_def")
        last = str(channels[str(len(channels) - 1)])
    except (LookupError, TypeError) as problem:
        raise ModelError(f"model {path.name}: {METADATA}: missing or wrong entry ({problem})") from problem
    if last in set(MarrowChange):
        return BundleKind.LESIONS
    if last == OUTLINE:
        return BundleKind.OUTLINES
    return BundleKind.ANATOMY if last in set(StructureKind) else BundleKind.LEVELS


def load_bundle(
    path_or_name: str | Path, parse: Callable[[Path, Mapping[str, object], Mapping[str, object]], Parsed]
) -> Parsed:
    """What ``parse`` makes of a bundle's folder, metadata and inference configuration, its weights checked.

    Raises
    ------
    ModelError
        If the folder or a file is missing, ``parse`` misses an entry or refuses one, or the weights do not match their
        checksum.
    """
    path = find_bundle(path_or_name)
    metadata, inference = read_json(path, METADATA), read_json(path, INFERENCE)
    try:
        found = parse(path, metadata, inference)
        sha256 = str(section(metadata, "spinemri")["weights_sha256"])
    except (LookupError, TypeError, ValueError, AttributeError) as problem:
        raise ModelError(f"model {path.name}: {METADATA}: missing or wrong entry ({problem})") from problem
    check_weights(path, sha256)
    return found


def bundle_facts(path: Path, metadata: Mapping[str, object], inference: Mapping[str, object]) -> BundleFacts:
    """What a bundle's files say of any model. Raises TypeError or LookupError if an entry is missing."""
    return {
        "name": path.name,
        "version": str(metadata["version"]),
        "path": path,
        "network": section(inference, "network_def"),
        "sha256": str(section(metadata, "spinemri")["weights_sha256"]),
    }


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def find_bundle(path_or_name: str | Path) -> Path:
    """The folder of a bundle, given as such or as the name of one that ships. Raises ModelError if there is none."""
    path = Path(path_or_name)
    if path.is_dir():
        return path
    if isinstance(path_or_name, str) and path.name == path_or_name:
        return bundle_path(path_or_name)
    raise ModelError(f"model folder {path.name!r} does not exist")


def read_json(path: Path, name: str) -> dict[str, object]:
    """A JSON object of a bundle. Raises ModelError if it is missing or none."""
    try:
        content = json.loads((path / name).read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise ModelError(f"model {path.name}: {name} is missing") from problem
    except (OSError, ValueError) as problem:
        raise ModelError(f"model {path.name}: {name} cannot be read as JSON ({problem})") from problem
    if not isinstance(content, dict):
        raise ModelError(f"model {path.name}: {name}: expected a JSON object")
    return content


def section(content: Mapping[str, object], *keys: str) -> dict[str, object]:
    """An object within an object. Raises TypeError or LookupError if it is not there."""
    value: object = content
    for key in keys:
        if not isinstance(value, dict):
            raise TypeError(f"{key!r}: expected inside an object")
        value = value[key]
    if not isinstance(value, dict):
        raise TypeError(f"{keys[-1]!r}: expected an object")
    return value


def check_weights(path: Path, sha256: str) -> None:
    """Raise ModelError unless the weights of a bundle have the checksum that its metadata names."""
    try:
        found = file_sha256(path / WEIGHTS)
    except OSError as problem:
        raise ModelError(f"model {path.name}: {WEIGHTS} is missing or cannot be read") from problem
    if found != sha256:
        raise ModelError(f"model {path.name}: {WEIGHTS} has checksum {found[:12]}…, expected {sha256[:12]}…")
