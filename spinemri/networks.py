"""The networks of an analysis, loaded onto a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.segment.bundle import AXIAL_MODEL
from spinemri.segment.lesion_model import load_lesion_model
from spinemri.segment.level_model import load_level_model
from spinemri.segment.model import load_model
from spinemri.segment.outline_model import load_outline_model
from spinemri.series import Plane

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.segment.lesion_model import LesionModel
    from spinemri.segment.lesion_predictor import LesionPredictor
    from spinemri.segment.level_model import LevelModel
    from spinemri.segment.model import Model
    from spinemri.segment.outline_model import OutlineModel
    from spinemri.segment.predictor import Predictor

    LoadedModel = Model | LesionModel | LevelModel | OutlineModel


@dataclass(frozen=True, eq=False)
class Networks:
    """The loaded networks of an analysis; without one for anatomy only series with a label file are measured, without
    one for lesions marrow is reported as not assessed, without one for axial slices these are not read.
    """

    anatomy: Predictor | None
    lesions: LesionPredictor | None = None
    axial: Predictor | None = None

    @property
    def models(self) -> dict[str, LoadedModel]:
        """The models that are there, by what they are for: 'anatomy', 'levels', 'outlines', 'lesions', 'axial'."""
        beside = {"levels": self.anatomy.levels, "outlines": self.anatomy.outlines} if self.anatomy else {}
        every = {"anatomy": self.anatomy, **beside, "lesions": self.lesions, "axial": self.axial}
        return {role: network.model for role, network in every.items() if network is not None}


def default_predictor(
    model: str | Path | None = None, device: str = "auto", threads: int | None = None, *, quality: bool = False
) -> Predictor:
    """The loaded model: a bundle's name or folder (the bundled one when None) on a device.

    One of sagittal slices comes with the bundled level reader and, if these are the weights it was trained beside, the
    bundled outliner. With ``quality`` every stack is read twice, left and right exchanged.

    Raises
    ------
    ModelError
        If the bundle is missing, incomplete or corrupt, or the device is not available.
    """
    from spinemri.segment.level_reader import LevelReader
    from spinemri.segment.outliner import BodyOutliner
    from spinemri.segment.predictor import Aids, Predictor

    loaded = load_model(model)
    aids = Aids()
    if loaded.plane is Plane.SAGITTAL:
        outlines = load_outline_model()
        fits = outlines.anatomy_sha256 == loaded.sha256
        aids = Aids(LevelReader(load_level_model(), device), BodyOutliner(outlines, device) if fits else None)
    return Predictor(loaded, device, threads, quality=quality, aids=aids)


def lesion_predictor(model: str | Path | None = None, device: str = "auto") -> LesionPredictor:
    """The loaded lesion model; as ``default_predictor``, which sets the threads of both."""
    from spinemri.segment.lesion_predictor import LesionPredictor

    return LesionPredictor(load_lesion_model(model), device)


def axial_predictor(device: str = "auto", *, quality: bool = False) -> Predictor:
    """The loaded model of axial slices; as ``default_predictor``, which sets the threads of both."""
    return default_predictor(AXIAL_MODEL, device, quality=quality)


def load_networks(device: str = "auto", threads: int | None = None) -> Networks:
    """The bundled models on a device. Raises ModelError as ``default_predictor`` does."""
    return Networks(default_predictor(None, device, threads), lesion_predictor(None, device), axial_predictor(device))
