"""From a training checkpoint to the weights a bundle ships: averaged, half precision, checksum in the metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch

from spinemri.errors import ModelError
from spinemri.segment.bundle import METADATA, WEIGHTS, file_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_WEIGHTS_BYTES = 20_000_000


def checkpoint_state(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Averaged (EMA) weights of a checkpoint as float32, or the weights themselves of a bundle's ``model.pt``.

    Raises
    ------
    ModelError
        If the file cannot be read as tensors.
    """
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state = content.get("ema", content)
        return {name: value.float() for name, value in state.items()}
    except Exception as problem:  # torch.load raises a different type for every way a file can be broken
        raise ModelError(f"checkpoint {checkpoint.name}: cannot be read as weights") from problem


def export_weights(state: Mapping[str, torch.Tensor], bundle: Path, version: str, change: str) -> str:
    """Write weights into a bundle and name them in its metadata; returns their SHA-256.

    Parameters
    ----------
    state : weights by name
    bundle : the bundle folder; its metadata must exist
    version : version of these weights
    change : one line for the changelog

    Raises
    ------
    ModelError
        If the weights are larger than 20 MB.
    """
    weights, metadata = bundle / WEIGHTS, bundle / METADATA
    weights.parent.mkdir(exist_ok=True)
    partial = weights.with_suffix(".part")
    torch.save({name: value.detach().half().contiguous() for name, value in state.items()}, partial)
    if partial.stat().st_size > MAX_WEIGHTS_BYTES:
        partial.unlink()
        raise ModelError(f"model {bundle.name}: weights above {MAX_WEIGHTS_BYTES // 10**6} MB")
    checksum = file_sha256(partial)
    content = json.loads(metadata.read_text(encoding="utf-8"))
    content["version"] = version
    content["changelog"] = {version: change, **content.get("changelog", {})}
    content["changelog"][version] = change
    content["spinemri"]["weights_sha256"] = checksum
    content["spinemri"].pop("class_odds", None)  # fitted to the weights before these
    metadata.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(weights)
    return checksum
