"""Where a network runs: the device, the half precision its hardware has, and the memory layout it is fast with."""

from __future__ import annotations

import torch

from spinemri.errors import ModelError

_MATRICES = "amx_bf16"
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


def reads_in_half(device: torch.device, slices: int) -> tuple[torch.dtype, bool]:
    """``half_precision`` for reading a volume with so many slices: not on a CPU where there is only one.

    There torch 2.13 convolves it with wrong results in bfloat16, for some numbers of channels (the like of
    github.com/pytorch/pytorch/issues/169688).
    """
    half, able = half_precision(device)
    return half, able and (slices > 1 or device.type != "cpu")


def learns_in_half(device: torch.device, axes: int) -> bool:
    """Whether training images with so many axes may use the half precision of a device.

    On a CPU that multiplies matrices, torch 2.13 writes beyond its memory in the backward pass of convolutions of
    volumes in bfloat16: the lesion network's ended the process, mostly in its first step.
    """
    _, able = half_precision(device)
    volumes = axes > 4  # batch, channels and more than rows and columns
    return able and not (volumes and device.type == "cpu" and _has(_MATRICES))


def memory_layout(device: torch.device) -> torch.memory_format:
    """Order of a tensor's values that a device convolves fastest: channels last where it multiplies matrices.

    A CPU with half precision in vectors only trains twice as fast without, and predicts as fast.
    """
    matrices = device.type != "cpu" or _has(_MATRICES)
    return torch.channels_last if matrices else torch.contiguous_format


def volume_layout(device: torch.device) -> torch.memory_format:
    """As ``memory_layout``, of volumes: a GPU trains on them a third faster with channels last."""
    return torch.channels_last_3d if device.type != "cpu" else torch.contiguous_format


def read_together(device: torch.device) -> int:
    """Windows that a network reads at once: several where the start of each step is waited for, not its work."""
    return 1 if device.type == "cpu" else _WINDOWS_AT_ONCE


def _has(feature: str) -> bool:
    return bool(torch.cpu.get_capabilities().get(feature, False))
