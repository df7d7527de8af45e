"""A model is a MONAI bundle on disk: what it needs, knows and must not be used for stands in its metadata.

A bundle comes from outside, so it is data and never code: weights are loaded as tensors only, their checksum must match
the metadata, and the network is built from plain numbers. No torch object lives here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.anatomy import StructureKind
from spinemri.errors import ModelError
from spinemri.segment.bundle import DEFAULT_MODEL, Bundle, bundle_facts, load_bundle, section
from spinemri.series import Contrast, Plane

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BACKGROUND = "background"


@dataclass(frozen=True)
class Model(Bundle):
    """A segmentation model as its bundle describes it.

    Parameters
    ----------
    name, version, path, network, sha256 : as in ``Bundle``
    classes : output channel -> StructureKind value, channel 0 is 'background'
    spacing_mm : in-plane pixel size the network was trained on
    slices : neighbouring slices given as channels; the middle one is segmented
    slice_spacing_mm : distance between neighbours in thin slices; thicker ones are read in order, whatever theirs
    contrasts : image contrasts it may be used on
    class_weights : weights of the training loss, one per class; probabilities are divided by them
    class_odds : what they are multiplied by besides, where a network draws a class too large or too small
    window : (rows, columns) pixels of one inference window
    plane : of the slices it reads: sagittal or axial
    """

    classes: Mapping[int, str]
    spacing_mm: float
    slices: int
    slice_spacing_mm: float
    contrasts: frozenset[Contrast]
    class_weights: tuple[float, ...]
    class_odds: tuple[float, ...]
    window: tuple[int, int]
    plane: Plane = Plane.SAGITTAL

    def __post_init__(self) -> None:
        where, count = f"model {self.name}", len(self.classes)
        kinds = {kind.value for kind in StructureKind}
        if self.classes.get(0) != BACKGROUND or sorted(self.classes) != list(range(count)):
            raise ModelError(f"{where}: classes {dict(self.classes)}: expected 0 = background, then 1, 2 …")
        unknown = sorted(set(self.classes.values()) - kinds - {BACKGROUND})
        if unknown:
            raise ModelError(f"{where}: unknown classes {', '.join(unknown)}: expected {', '.join(sorted(kinds))}")
        for what, values in (("weights", self.class_weights), ("odds", self.class_odds)):
            if len(values) != count or min(values) <= 0:
                raise ModelError(f"{where}: class {what} {values}: expected {count} above 0")
        if self.plane not in (Plane.SAGITTAL, Plane.AXIAL):
            raise ModelError(f"{where}: plane {self.plane.value!r}: expected sagittal or axial")
        if self.slices < 1 or self.slices % 2 == 0 or self.spacing_mm <= 0 or self.slice_spacing_mm <= 0:
            raise ModelError(f"{where}: {self.slices} slices at {self.spacing_mm} mm: expected an odd count, mm > 0")


def load_model(path_or_name: str | Path | None = None) -> Model:
    """The model in a bundle folder, or the one of that name that ships with spinemri (the anatomy model by default).

    Raises
    ------
    ModelError
        If the folder or a file is missing, the metadata cannot be read, or the weights do not match their checksum.
    """
    return load_bundle(path_or_name or DEFAULT_MODEL, _from_metadata)


def _from_metadata(path: Path, metadata: Mapping[str, object], inference: Mapping[str, object]) -> Model:
    image = section(metadata, "network_data_format", "inputs", "image")
    output = section(metadata, "network_data_format", "outputs", "pred")
    own = section(metadata, "spinemri")
    window = [int(n) for n in own["window"]]  # type: ignore[attr-defined]  # TypeError is caught by load_model
    weights = tuple(float(v) for v in own["class_weights"])  # type: ignore[attr-defined]
    return Model(
        **bundle_facts(path, metadata, inference),
        classes={int(k): str(v) for k, v in section(output, "channel_def").items()},
        spacing_mm=float(str(own["spacing_mm"])),
        slices=int(str(image["num_channels"])),
        slice_spacing_mm=float(str(own["slice_spacing_mm"])),
        contrasts=frozenset(Contrast(v) for v in own["contrasts"]),  # type: ignore[attr-defined]
        class_weights=weights,
        class_odds=tuple(float(v) for v in own.get("class_odds", [1.0] * len(weights))),  # type: ignore[attr-defined]
        window=(window[0], window[1]),
        plane=Plane(str(own.get("plane", Plane.SAGITTAL.value))),
    )
