"""What a training run starts from: the bundle's weights, those of a file, or fresh ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from spinemri.errors import ModelError
from spinemri.segment.weights import build_network
from spinemri.training.export import checkpoint_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.segment.bundle import Bundle

FRESH = "new"
_OUTPUT_SCALE = 0.1


def starting_network(model: Bundle, start: Path | str | None, priors: Sequence[float] | None) -> torch.nn.Module:
    """The network of a bundle, on the GPU where there is one.

    Parameters
    ----------
    model : whose network
    start : checkpoint or weights to start from; 'new' for fresh weights, None for the bundle's own
    priors : how common each output class of a segmentation is; fresh weights start from it, None leaves them as made

    Raises
    ------
    ModelError
        If the weights to start from cannot be read or do not fit.
    """
    network = build_network(model)
    if start == FRESH:
        if priors is not None:
            prepare_output(network, priors)
    else:
        path = model.weights if start is None else Path(start)
        try:
            network.load_state_dict(checkpoint_state(path))
        except RuntimeError as problem:
            raise ModelError(f"{path.name}: its weights do not fit the network of {model.name}") from problem
    return network.to("cuda" if torch.cuda.is_available() else "cpu")


def prepare_output(network: torch.nn.Module, priors: Sequence[float]) -> None:
    """Let a new network start from how common the classes are, instead of spending its first steps on it.

    Raises
    ------
    ModelError
        If the network has no output convolution of that many classes.
    """
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Conv3d)]
    sized = [m for m in convolutions if m.out_channels == len(priors)]
    if not sized or sized[-1].bias is None:
        raise ModelError(f"the network has no output convolution of {len(priors)} classes with a bias")
    with torch.no_grad():
        sized[-1].weight.mul_(_OUTPUT_SCALE)
        sized[-1].bias.copy_(torch.tensor(list(priors)).log())
