"""The lesion model as its bundle describes it: sequences in, kinds of marrow change out, when a lesion is reported."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spinemri.errors import ModelError
from spinemri.lesion import MarrowChange
from spinemri.segment.bundle import Bundle, bundle_facts, load_bundle, read_json, section
from spinemri.segment.lesion_input import ANATOMY, CHANNELS
from spinemri.segment.lesion_kinds import KindModel, kind_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_LESION_MODEL = "marrow_lesion"
KINDS_FILE = "configs/kinds.json"
"""Weights of the small network that tells kinds apart, and the checksum of the weights they were fitted to."""


@dataclass(frozen=True)
class Calibration:
    """From what the network says of a candidate to the share of such candidates that are lesions.

    Logistic in the log-odds of the mean probability and the logarithm of the volume in mm3; from simulated lesions.
    """

    offset: float
    of_odds: float
    of_volume: float

    def probability(self, mean: float, volume_mm3: float) -> float:
        """Calibrated probability of a candidate with this mean probability (0 to 1) and volume."""
        clipped = min(max(mean, 1e-4), 1 - 1e-4)
        odds = math.log(clipped / (1 - clipped))
        value = self.offset + self.of_odds * odds + self.of_volume * math.log(max(volume_mm3, 1.0))
        return 1 / (1 + math.exp(-min(max(value, -30.0), 30.0)))


@dataclass(frozen=True)
class LesionModel(Bundle):
    """A lesion model.

    Parameters
    ----------
    name, version, path, network, sha256 : as in ``Bundle``
    spacing_mm : in-plane pixel size the network was trained on
    window : (slices, antero-posterior, cranio-caudal) voxels of one inference window
    lesion_weight : weight of changed voxels in the training loss; probabilities are freed of it
    calibration : see ``Calibration``
    operating_point : probability from which a tumour-like lesion is reported
    benign_point : probability from which any other change is reported
    least_volume_mm3 : smaller candidates are never reported
    detection_limits_mm : sequences joined by '+', such as 'T1w+STIR' -> diameter found 9 times in 10; None where that
        was not measured or never reached
    kinds : weighs a candidate's features; None when the bundle has none that was fitted to these weights
    """

    spacing_mm: float
    window: tuple[int, int, int]
    lesion_weight: float
    calibration: Calibration
    operating_point: float
    benign_point: float
    least_volume_mm3: float
    detection_limits_mm: Mapping[str, float | None]
    kinds: KindModel | None = field(default=None, compare=False)

    @property
    def classes(self) -> dict[int, str]:
        """What each output channel says."""
        return dict(enumerate(("background", *(kind.value for kind in MarrowChange))))


def load_lesion_model(path_or_name: str | Path | None = None) -> LesionModel:
    """The lesion model in a bundle folder, or the one of that name that ships with spinemri.

    Raises
    ------
    ModelError
        If the folder or a file is missing, the metadata cannot be read, or the weights do not match their checksum.
    """
    return load_bundle(path_or_name or DEFAULT_LESION_MODEL, _from_metadata)


def _kinds(path: Path, sha256: str) -> KindModel | None:
    if not (path / KINDS_FILE).is_file():
        return None
    content = read_json(path, KINDS_FILE)
    try:
        return kind_model(content) if content["weights_sha256"] == sha256 else None
    except (LookupError, TypeError, ValueError) as problem:
        raise ModelError(f"model {path.name}: {KINDS_FILE}: missing or wrong entry ({problem})") from problem


def _from_metadata(path: Path, metadata: Mapping[str, object], inference: Mapping[str, object]) -> LesionModel:
    image = section(metadata, "network_data_format", "inputs", "image")
    output = section(metadata, "network_data_format", "outputs", "pred", "channel_def")
    expected = ("background", *MarrowChange)
    found = tuple(str(output[str(n)]) for n in range(len(output)))
    if found != expected:
        raise ValueError(f"channels {found}: expected {expected}")
    if int(str(image["num_channels"])) != len(CHANNELS) + len(ANATOMY):
        raise ValueError(f"{image['num_channels']} input channels: expected {len(CHANNELS) + len(ANATOMY)}")
    own = section(metadata, "spinemri")
    slices, rows, columns = (int(n) for n in own["window"])  # type: ignore[attr-defined]
    limits = section(own, "detection_limits_mm")
    sha256 = str(own["weights_sha256"])
    numbers = {
        name: float(str(own[name]))
        for name in ("spacing_mm", "lesion_weight", "operating_point", "benign_point", "least_volume_mm3")
    }
    return LesionModel(
        **bundle_facts(path, metadata, inference),
        window=(slices, rows, columns),
        calibration=Calibration(**{k: float(str(v)) for k, v in section(own, "calibration").items()}),
        detection_limits_mm={k: None if v is None else float(str(v)) for k, v in limits.items()},
        kinds=_kinds(path, sha256),
        **numbers,
    )
