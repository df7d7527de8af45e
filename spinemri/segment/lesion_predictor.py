"""The loaded lesion network: what it sees at every voxel of a ``LesionInput``. Equal input gives equal output."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from monai.inferers.inferer import SlidingWindowInferer

from spinemri.segment.device import device_named, reads_in_half
from spinemri.segment.lesion_input import STEP
from spinemri.segment.weights import as_numbers, network_on

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from spinemri.segment.lesion_input import LesionInput
    from spinemri.segment.lesion_model import LesionModel

_OVERLAP = 0.25
_LEAST_SIZE = 2 * STEP
"""Rows and columns that a network reads at least, in pixels: two where it is coarsest.

On a CPU with bfloat16, torch 2.13 reads memory that is not its own where a convolution in steps gives one column
(github.com/pytorch/pytorch/issues/169688).
"""


class LesionPredictor:
    """A lesion model loaded onto a device.

    Parameters
    ----------
    model : from ``load_lesion_model``
    device : 'cpu', 'cuda', 'cuda:1' …; 'auto' takes a GPU when there is one
    threads : CPU threads for the whole process, None leaves PyTorch's setting

    Raises
    ------
    ModelError
        If the weights cannot be read, do not fit the network, or the device is not available.
    """

    def __init__(self, model: LesionModel, device: str = "auto", threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.model = model
        self.device = device_named(device)
        self.network = network_on(model, self.device)

    def predict(self, seen: LesionInput) -> NDArray[float32]:
        """Probability (1 + kinds, slices, rows, columns) of no change and of each kind, freed of training weights."""
        return self.probabilities(seen.volume)

    def probabilities(self, volume: torch.Tensor) -> NDArray[float32]:
        """As ``predict``, of the network's input (channels, slices, rows, columns) alone."""
        logits = self._logits(volume)
        logits[1:] -= math.log(self.model.lesion_weight)
        return cast("NDArray[float32]", logits.softmax(0).numpy())

    def _logits(self, volume: torch.Tensor) -> torch.Tensor:
        window = [
            min(size, trained) if axis == 0 else min(max(-(-size // STEP) * STEP, _LEAST_SIZE), trained)
            for axis, (size, trained) in enumerate(zip(volume.shape[1:], self.model.window, strict=True))
        ]
        inferer = SlidingWindowInferer(window, 1, _OVERLAP, mode="gaussian")
        half, able = reads_in_half(self.device, self.network, volume.shape[1])
        with torch.no_grad(), torch.autocast(self.device.type, half, enabled=able):
            found = inferer(volume[None].to(self.device), self.network)
        return as_numbers(cast("torch.Tensor", found), self.model).cpu()[0]
