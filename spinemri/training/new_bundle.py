"""A bundle of its own for weights that somebody trained further: it says what it came from, and claims nothing.

Configuration and licence are those of the bundle that training started from. Its figures are not: they were measured
with other weights, so the card has none until somebody measures.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from spinemri.errors import ModelError, OutputError
from spinemri.segment.bundle import METADATA, find_bundle
from spinemri.segment.lesion_model import LesionModel
from spinemri.training.export import checkpoint_state, export_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from spinemri.segment.model import Model

    Trained = Model | LesionModel

_TAKEN_OVER = ("configs", "LICENSE")
CARD = "docs/README.md"
DATA_TERMS = "docs/data_license.txt"
TRAINING = "configs/train.json"
_ODDS = (
    "\nProbabilities of lesions, and the points from which one is reported, were fitted to {parent}; no size is stated "
    "from which lesions are found."
)
_FITTED = ("configs/kinds.json",)
"""Files that hold for the weights that they were fitted to, and for no others."""
_LIMITS = "detection_limits_mm"


@dataclass(frozen=True)
class Origin:
    """What new weights were made of.

    Parameters
    ----------
    sets : names of the data sets
    images : how many pairs
    taught : class -> images in which it was labelled
    schemes, contrasts : of these images
    painted : whether painted subjects were trained on beside them
    fresh : whether training started from fresh weights instead of the bundle's
    settings : what was chosen of the training, as it was given
    """

    sets: tuple[str, ...]
    images: int
    taught: Mapping[str, int]
    schemes: tuple[str, ...]
    contrasts: tuple[str, ...]
    painted: bool
    fresh: bool
    settings: Mapping[str, object]


def check_new(into: Path) -> None:
    """Raise OutputError unless a bundle can be made there: nothing is there yet, and the folder above it is."""
    if into.exists():
        raise OutputError(f"{into.name} is there already; name another folder for the new bundle (--into)")
    if not into.absolute().parent.is_dir():
        raise OutputError(f"{into.name}: the folder that it is to lie in does not exist")


def make_bundle(model: Trained, checkpoint: Path, into: Path, origin: Origin, version: str) -> Path:
    """A new bundle with the averaged weights of a run, in half precision; whole, or not there.

    Parameters
    ----------
    model : whose network was trained
    checkpoint : of the run
    into : the new folder; its name is the model's
    version : of the new weights

    Raises
    ------
    OutputError
        There is something already, or it cannot be written.
    ModelError
        The checkpoint cannot be read, or the weights are too large.
    """
    check_new(into)
    partial = into.with_name(f".{into.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    steps = _steps(checkpoint)
    try:
        parent = find_bundle(model.path)
        for name in _TAKEN_OVER:
            copy = shutil.copytree if (parent / name).is_dir() else shutil.copy
            partial.mkdir(exist_ok=True)
            copy(parent / name, partial / name)
        for name in _FITTED:
            (partial / name).unlink(missing_ok=True)
        (partial / "docs").mkdir()
        _write(partial / CARD, _card(model, into.name, origin, steps))
        _write(partial / DATA_TERMS, _terms(parent, origin))
        _write(partial / TRAINING, _json({"from": model.label, "steps": steps, **origin.settings}))
        _write(partial / METADATA, _json(_metadata(partial, model, origin)))
        export_weights(checkpoint_state(checkpoint), partial, version, _change(model, origin, steps))
        partial.rename(into)
    except OSError as error:
        raise OutputError(f"{into.name}: the bundle cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return into


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _steps(checkpoint: Path) -> int:
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["step"])
    except Exception as problem:  # torch.load raises a different type for every way a file can be broken
        raise ModelError(f"checkpoint {checkpoint.name}: cannot be read") from problem


def _change(model: Trained, origin: Origin, steps: int) -> str:
    began = "fresh weights in the network of" if origin.fresh else "the weights of"
    return f"{steps} steps from {began} {model.label} on {_sets(origin)}"


def _sets(origin: Origin) -> str:
    painted = " and painted subjects" if origin.painted else ""
    return f"{_images(origin)} of {', '.join(origin.sets)}{painted}"


def _images(origin: Origin) -> str:
    return "1 image" if origin.images == 1 else f"{origin.images} images"


def _metadata(bundle: Path, model: Trained, origin: Origin) -> dict[str, object]:
    """The metadata of the bundle it came from, without what was said of other weights."""
    content: dict[str, object] = json.loads((bundle / METADATA).read_text(encoding="utf-8"))
    name, source = content.get("name", model.name), content.get("data_source", "")
    own_part = content.get("spinemri")
    if isinstance(own_part, dict) and _LIMITS in own_part:
        content["spinemri"] = {**own_part, _LIMITS: dict.fromkeys(own_part[_LIMITS])}
    own = f"Own: {_sets(origin)}. See docs/README.md."
    return {
        **content,
        "changelog": {},
        "name": f"{name}, trained further",
        "description": f"The network of {model.label}, trained further. No accuracy was measured. See docs/README.md.",
        "data_source": own if origin.fresh else f"{own} Before, as {model.label}: {source}",
        "eval_metrics": {},
    }


def _terms(parent: Path, origin: Origin) -> str:
    earlier = parent / DATA_TERMS
    own = "\n".join(f"{name}: terms not stated. Whoever passes these weights on states them." for name in origin.sets)
    if origin.fresh or not earlier.is_file():
        return f"{own}\n"
    return f"{own}\n\nThe weights that training started from:\n\n{earlier.read_text(encoding='utf-8')}"


def _card(model: Trained, name: str, origin: Origin, steps: int) -> str:
    classes = ((value, kind) for value, kind in model.classes.items() if value)
    rows = "\n".join(f"| {value} | {kind} | {origin.taught.get(kind, 0)} |" for value, kind in classes)
    began = "Fresh weights" if origin.fresh else f"The weights of {model.label} (SHA-256 {model.sha256})"
    images = f"{_images(origin)} of {', '.join(origin.sets)}"
    schemes, contrasts = ", ".join(origin.schemes), ", ".join(origin.contrasts)
    chosen = "\n".join(f"- {key}: {value}" for key, value in origin.settings.items())
    painted = "" if origin.painted else "not "
    odds = _ODDS.format(parent=model.label) if isinstance(model, LesionModel) else ""
    return f"""# {name}

The network of {model.label}, trained further with `spinemri train`. This card says what is known without measuring;
whoever passes the model on completes it.

## Intended use
Research. **Not a medical device, not for diagnosis.** Every result needs a reader's eyes.

## Training data
{began},
then {steps} steps on {images}. Painted subjects were {painted}trained on
beside them. Contrasts: {contrasts}. Label schemes: {schemes}.

| value | class | images in which it was labelled |
|---|---|---|
{rows}

A class counts only where it is labelled. What is labelled nowhere keeps what the network was sure of before.

## Training
{chosen}

Licence of the code and of the weights that training started from: LICENSE; terms of the data: `data_license.txt`.

## Figures
None were measured. Figures of {model.label} are not figures of this model. Measure on people that were not trained on
before using it.

## Limitations
Not stated. Those of {model.label} are to be expected, and besides: contrasts, scanners, ages and diseases that the
images above do not hold; and a border convention that is the labels', which measured heights and areas follow.{odds}
"""
