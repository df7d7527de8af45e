"""Where a network runs: the device, the half precision its hardware has, and the memory layout it is fast with."""

from __future__ import annotations

import torch

from spinemri.errors import ModelError

_MATRICES = "amx_bf16"
VOLUME_LAYOUT = torch.channels_last_3d
"""As ``memory_layout``, of volumes: slices of them then lie as 2D convolutions read them, see ``sliced``."""

_WINDOWS_AT_ONCE = 8  # about 3 GB of a GPU, of the largest windows


def device_named(name: str) -> torch.device:
    """The device of a name; 'auto' takes a GPU when there is one. Raises ModelError for one that is not here."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as problem:
        raise ModelError(f"device {name!r} is not available here: expected auto, cpu or cuda") from problem
    return device


def half_precision(device: torch.device) -> tuple[torch.dtype, bool]:
    """The half precision of a device, and whether its hardware has it: emulation is slower than float32."""
    if device.type != "cpu":
        return torch.float16, True
    return torch.bfloat16, _has("avx512_bf16") or _has(_MATRICES) or _has("bf16")


def reads_in_half(device: torch.device, network: torch.nn.Module, slices: int) -> tuple[torch.dtype, bool]:
    """``half_precision`` for reading a volume with so many slices.

    Not where torch's own convolutions of volumes read a single one on a CPU: version 2.13 does so with wrong results in
    bfloat16, for some numbers of channels (the like of github.com/pytorch/pytorch/issues/169688).
    """
    half, able = half_precision(device)
    return half, able and (slices > 1 or device.type != "cpu" or not _convolves_volumes(network))


def learns_in_half(device: torch.device, network: torch.nn.Module) -> bool:
    """Whether a network may be trained in the half precision of a device.

    Not with torch's own convolutions of volumes on a CPU that multiplies matrices: version 2.13 writes beyond its
    memory in their backward pass in bfloat16, which ended the process, mostly in the first step.
    """
    _, able = half_precision(device)
    return able and not (device.type == "cpu" and _has(_MATRICES) and _convolves_volumes(network))


def _convolves_volumes(network: torch.nn.Module) -> bool:
    """Whether a network has convolutions of volumes that are not computed slice by slice, as ours are."""
    return any(type(layer) in (torch.nn.Conv3d, torch.nn.ConvTranspose3d) for layer in network.modules())


def memory_layout(device: torch.device) -> torch.memory_format:
    """Order of a tensor's values that a device convolves fastest: channels last where it multiplies matrices.

    A CPU with half precision in vectors only trains twice as fast without, and predicts as fast.
    """
    matrices = device.type != "cpu" or _has(_MATRICES)
    return torch.channels_last if matrices else torch.contiguous_format


def laid_out(network: torch.nn.Module) -> torch.nn.Module:
    """A network with its weights in the order that convolves fastest on the device where it is."""
    volumes = any(isinstance(layer, torch.nn.Conv3d) for layer in network.modules())
    layout = VOLUME_LAYOUT if volumes else memory_layout(next(network.parameters()).device)
    made: torch.nn.Module = network.to(memory_format=layout)  # type: ignore[call-overload]
    return made


def read_together(device: torch.device) -> int:
    """Windows that a network reads at once: several where the start of each step is waited for, not its work."""
    return 1 if device.type == "cpu" else _WINDOWS_AT_ONCE


def _has(feature: str) -> bool:
    return bool(torch.cpu.get_capabilities().get(feature, False))
