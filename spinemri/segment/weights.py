"""The network of a bundle, built from plain numbers, and its weights, loaded as tensors only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from monai import networks

from spinemri.errors import ModelError
from spinemri.segment.device import laid_out
from spinemri.segment.network import LesionUNet, StackUNet

if TYPE_CHECKING:
    from spinemri.segment.bundle import Bundle

_OWN = {"$StackUNet": StackUNet, "$LesionUNet": LesionUNet}
"""Our classes as a MONAI bundle writes those that its imports name; compared, never evaluated."""


def build_network(model: Bundle) -> torch.nn.Module:
    """The model's network with fresh weights: one of ours or of MONAI's, given plain arguments by the bundle.

    Raises
    ------
    ModelError
        If there is no such network or it refuses the arguments.
    """
    arguments = dict(model.network)
    name = str(arguments.pop("_target_", ""))
    kind = _OWN.get(name) or getattr(networks.nets, name, None)
    if not (isinstance(kind, type) and issubclass(kind, torch.nn.Module)):
        known = ", ".join(_OWN)
        raise ModelError(f"model {model.name}: network {name!r}: expected {known} or the name of a MONAI network")
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as problem:
        raise ModelError(f"model {model.name}: {name} refuses its arguments ({problem})") from problem


def load_network(model: Bundle) -> torch.nn.Module:
    """The model's network with its weights, in evaluation mode, float32, on the CPU.

    Raises
    ------
    ModelError
        If the weights cannot be read or do not fit.
    """
    network = build_network(model)
    try:
        state = torch.load(model.weights, map_location="cpu", weights_only=True)
        network.load_state_dict({key: value.float() for key, value in state.items()})
    except Exception as problem:  # torch.load raises a different type for every way a file can be broken
        raise ModelError(f"model {model.name}: the weights cannot be read or do not fit the network") from problem
    return network.eval()


def network_on(model: Bundle, device: torch.device) -> torch.nn.Module:
    """The same on a device, its weights laid out as the device reads them fastest."""
    return laid_out(load_network(model).to(device))


def as_numbers(logits: torch.Tensor, model: Bundle) -> torch.Tensor:
    """What a network gave, as float32. Raises ModelError where that is no number: nothing found would be a lie."""
    found = logits.float()
    if not bool(torch.isfinite(found).all()):
        raise ModelError(f"model {model.name}: gave values that are no numbers on {logits.device}: expected numbers")
    return found
