"""Where a network runs: the device, the half precision its hardware has, and the memory layout it is fast with."""

from __future__ import annotations

import torch

from spinemri.errors import ModelError


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
    able = torch.cpu.get_capabilities()
    return torch.bfloat16, any(able.get(feature, False) for feature in ("avx512_bf16", "amx_bf16", "bf16"))


def memory_layout(device: torch.device) -> torch.memory_format:
    """Order of a tensor's values that a device convolves fastest: channels last where it computes in half precision."""
    return torch.channels_last if half_precision(device)[1] else torch.contiguous_format
