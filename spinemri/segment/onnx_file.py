"""A bundle's network as an ONNX file: the same numbers without torch, and in the file what they mean.

The file holds the network alone, in float32, opset 17. What goes in is what ``preprocess`` makes of an image, what
comes out are logits; sizes, classes, spacing, normalisation and the weights of the classes stand in the file's metadata
as text and JSON. Slices, rows and columns are free within multiples of 32; of the level reader only the number of
vertebrae is. After writing, the file is run and compared with torch: a file that says something else is not kept.

The older of torch's two exporters is used: the newer one needs a further library (onnxscript) and gives the same graph.
"""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spinemri.errors import ModelError, OutputError
from spinemri.segment.bundle import METADATA, BundleKind, bundle_kind, find_bundle, read_json, section
from spinemri.segment.lesion_model import load_lesion_model
from spinemri.segment.level_model import load_level_model
from spinemri.segment.model import load_model
from spinemri.segment.outline_model import load_outline_model
from spinemri.segment.weights import load_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from spinemri.segment.bundle import Bundle

OPSET = 17
INPUT, OUTPUT = "image", "logits"
_NEEDED = "onnx and onnxruntime are not installed; expected pip install 'spinemri[onnx]'"
_LOADERS: Mapping[BundleKind, Callable[[str | Path], Bundle]] = {
    BundleKind.ANATOMY: load_model,
    BundleKind.LESIONS: load_lesion_model,
    BundleKind.LEVELS: load_level_model,
    BundleKind.OUTLINES: load_outline_model,
}
_FREE = {
    BundleKind.ANATOMY: {0: "slices", 2: "rows", 3: "columns"},
    BundleKind.LESIONS: {0: "batch", 2: "slices", 3: "rows", 4: "columns"},
    BundleKind.LEVELS: {0: "vertebrae"},
    BundleKind.OUTLINES: {0: "bodies", 2: "slices", 3: "rows", 4: "columns"},
}
"""Axes of the input whose size is free; those of the output are the same, a level has no place."""
_LAYOUT = {
    BundleKind.ANATOMY: "(slices, neighbours, rows, columns): one stack of slices in order, each with its neighbours",
    BundleKind.LESIONS: "(batch, channels, slices, rows, columns)",
    BundleKind.LEVELS: "(vertebrae, slices, rows, columns): the surroundings of one vertebra each",
    BundleKind.OUTLINES: "(bodies, channels, slices, rows, columns): the surroundings of one body each",
}
_MULTIPLE = 32  # of rows and columns: a network halves them up to five times
_COUNT = 3  # slices or vertebrae of the example
_CLOSE = 1e-3  # of the largest logit


@dataclass(frozen=True)
class OnnxFile:
    """What was written.

    Parameters
    ----------
    path : the file
    megabytes : its size
    apart : largest difference of a logit from torch, in float32 on the CPU
    largest : largest logit, for comparison
    """

    path: Path
    megabytes: float
    apart: float
    largest: float


def export_onnx(bundle: str | Path, path: Path) -> OnnxFile:
    """Write the network of a bundle as an ONNX file.

    Parameters
    ----------
    bundle : a folder, or the name of one that ships
    path : the file; whole, or not there

    Raises
    ------
    OutputError
        onnx or onnxruntime are not installed, or the file cannot be written.
    ModelError
        If the bundle cannot be read, or the file says something else than torch.
    """
    if not (find_spec("onnx") and find_spec("onnxruntime")):
        raise OutputError(f"{path.name}: {_NEEDED}")
    kind = bundle_kind(bundle)
    loaded: Bundle = _LOADERS[kind](bundle)
    network = load_network(loaded)
    metadata = read_json(find_bundle(bundle), METADATA)
    partial = path.with_name(f".partial-{path.name}")
    try:
        _write(network, kind, metadata, partial)
        _describe(partial, _meaning(find_bundle(bundle).name, kind, metadata))
        apart, largest = _compare(network, partial, _example(kind, metadata, 1))
        if apart > _CLOSE * largest:
            raise ModelError(f"{path.name}: its logits differ from torch's by {apart:g} of {largest:g}")
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path.name}: cannot be written ({error.strerror})") from error
    finally:
        partial.unlink(missing_ok=True)
    return OnnxFile(path, path.stat().st_size / 1e6, apart, largest)


def _example(kind: BundleKind, metadata: Mapping[str, object], more: int = 0) -> torch.Tensor:
    """A random input; with ``more`` of another size wherever that is free."""
    image = section(metadata, "network_data_format", "inputs", "image")
    *slices, rows, columns = (int(n) for n in image["spatial_shape"])  # type: ignore[attr-defined]  # a list in the schema
    sides = [rows, columns] if kind is BundleKind.LEVELS else [_MULTIPLE * (2 + more), _MULTIPLE * (3 - more)]
    shape = [_COUNT + more, int(str(image["num_channels"])), *([_COUNT + 1 + more] if slices else []), *sides]
    return torch.randn(shape, generator=torch.Generator().manual_seed(7 + more))


def _write(network: torch.nn.Module, kind: BundleKind, metadata: Mapping[str, object], path: Path) -> None:
    free = _FREE[kind]
    kept = {0: free[0]} if kind is BundleKind.LEVELS else free
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Converting a tensor to a Python", Warning)  # sizes of channels are fixed
        warnings.filterwarnings("ignore", "ONNX export mode", UserWarning)  # norms without stored means have one mode
        torch.onnx.export(
            network,
            (_example(kind, metadata),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: kept},
        )


def _meaning(name: str, kind: BundleKind, metadata: Mapping[str, object]) -> dict[str, str]:
    """What somebody needs who has this file alone."""
    formats = section(metadata, "network_data_format")
    content = {
        "name": name,
        "version": metadata["version"],
        "task": metadata.get("task", ""),
        "intended_use": metadata.get("intended_use", ""),
        "license": metadata.get("license", ""),
        "layout": _LAYOUT[kind],
        "multiple_of": 1 if kind is BundleKind.LEVELS else _MULTIPLE,
        "normalisation": metadata.get("image_classes", ""),
        "channels": section(formats, "inputs", "image", "channel_def"),
        "classes": section(formats, "outputs", "pred", "channel_def"),
        **section(metadata, "spinemri"),
    }
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in content.items()}


def _describe(path: Path, meaning: Mapping[str, str]) -> None:
    """Put metadata into a file, and check it."""
    onnx: Any = import_module("onnx")
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, dict(meaning))
    model.doc_string = f"{meaning['name']} {meaning['version']}: {meaning['task']}. {meaning['intended_use']}"
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _compare(network: torch.nn.Module, path: Path, image: torch.Tensor) -> tuple[float, float]:
    """Largest difference between the file's logits and torch's, and the largest logit."""
    runtime: Any = import_module("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        wanted = network(image).numpy()
    found = session.run([OUTPUT], {INPUT: image.numpy()})[0]
    if found.shape != wanted.shape or not np.isfinite(found).all():
        return math.inf, float(np.abs(wanted).max())
    return float(np.abs(found - wanted).max()), float(np.abs(wanted).max())
