"""The loaded level reader: evidence for the level of a vertebra from what surrounds it in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from spinemri.anatomy import Level
from spinemri.segment.device import device_named, half_precision
from spinemri.segment.ladder import LADDER
from spinemri.segment.level_model import READ_LEVELS
from spinemri.segment.level_view import view_around
from spinemri.segment.weights import as_numbers, network_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.segment.level_evidence import Looks
    from spinemri.segment.level_model import LevelModel
    from spinemri.segment.preprocess import WorkingMap

    Floats = NDArray[np.float64]

_UNSURE = 0.002  # no level is ever ruled out by looks
_LIKE = {"T13": ("T12", "L1"), "L6": ("L5",), "S3": ("S2",), "S4": ("S2",), "S5": ("S2",)}


class LevelReader:
    """A level model loaded onto a device.

    Parameters
    ----------
    model : from ``load_level_model``
    device : as of ``Predictor``

    Raises
    ------
    ModelError
        If the weights cannot be read, do not fit the network, or the device is not available.
    """

    def __init__(self, model: LevelModel, device: str = "auto") -> None:
        self.model = model
        self.device = device_named(device)
        self.network = network_on(model, self.device)

    def looks(self, geometry: Geometry, mapping: WorkingMap, slices: torch.Tensor) -> Looks:
        """What the surroundings in an image say of vertebrae around points (n, 3), LPS mm.

        Parameters
        ----------
        geometry : grid of the image
        mapping, slices : to the anatomy model's working grid, and the image on it (``working_slices``)

        Returns
        -------
        Points -> evidence (n, len(LADDER)): weighted log-likelihood of each level.
        """
        return lambda points: (
            self.model.weight
            * np.log(
                self.probabilities(mapping.places(geometry.to_index(points)), slices, mapping.slice_mm) @ _ON_LADDER.T
            )
        )

    def probabilities(self, places: Floats, slices: torch.Tensor, slice_mm: float) -> Floats:
        """Probability (n, len(READ_LEVELS)) of each level at places (n, 3) of working slices, without priors."""
        return self._read(torch.stack([view_around(slices, place, slice_mm) for place in places]))

    def _read(self, views: torch.Tensor) -> Floats:
        half, able = half_precision(self.device)
        with torch.inference_mode(), torch.autocast(self.device.type, half, enabled=able):
            seen = cast("torch.Tensor", self.network(views.to(self.device)))
        found = as_numbers(seen, self.model).softmax(1).cpu().numpy().astype(np.float64)
        return np.asarray((1 - _UNSURE) * found + _UNSURE / len(READ_LEVELS))


def _on_ladder() -> Floats:
    """(len(LADDER), len(READ_LEVELS)) share of what is read that speaks for each rung."""
    table = np.zeros((len(LADDER), len(READ_LEVELS)))
    for rung, level in enumerate(LADDER):
        names = _LIKE.get(level.name, (level.name,))
        for name in names:
            table[rung, READ_LEVELS.index(Level(name))] = 1 / len(names)
    return table


_ON_LADDER = _on_ladder()
