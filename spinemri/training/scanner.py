"""What a scanner does to a signal, at random: texture, coil fall-off, saturation band, blur, ghosts, noise, contrast.

Works on thin layers (rows from posterior to anterior, columns from inferior to superior, layers) and returns slices.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as nnf

_NYQUIST_SHARE = (0.27, 0.48)


def random_scanner(
    signal: torch.Tensor, texture: torch.Tensor, rng: np.random.Generator, *, sub: int, harsh: float = 1.0
) -> torch.Tensor:
    """Slices (slices, rows, columns) float32 in 0 to about 2.5.

    Parameters
    ----------
    signal, texture : (rows, columns, layers) signal, and relative depth of the texture in each voxel
    sub : layers per slice
    harsh : how bad scanners may be, 1 for the worst that anatomy can still be seen with
    """
    shape = tuple(signal.shape)
    noise = sum(
        weight * _low_resolution(rng, shape, grid)
        for weight, grid in ((0.5, (9, 11, 6)), (0.35, (28, 36, shape[2])), (0.35, (64, 80, shape[2])))
    )
    signal = (signal * (1 + noise * texture)).clamp(min=0)
    signal = signal * _coil(rng, shape) ** harsh
    signal = _blur(signal, rng)
    slices = _slice_profile(signal, rng, sub)
    slices = _artefacts(slices, rng, harsh).clamp(min=0)
    top = torch.quantile(slices[:, ::3, ::3].flatten(), 0.99).clamp(min=1e-3)
    sigma = rng.uniform(0, 0.07) * (rng.random() < 0.85) * harsh
    real, imaginary = (torch.from_numpy(rng.standard_normal((2, *slices.shape)).astype(np.float32)) * sigma).unbind(0)
    slices = torch.sqrt((slices / top + real) ** 2 + imaginary**2)
    return slices.clamp(1e-4, 2.5) ** float(np.exp(rng.uniform(-0.4, 0.4) * harsh))


def _low_resolution(rng: np.random.Generator, shape: tuple[int, ...], grid: tuple[int, ...]) -> torch.Tensor:
    values = torch.from_numpy(rng.standard_normal(grid).astype(np.float32))[None, None]
    return nnf.interpolate(values, size=shape, mode="trilinear", align_corners=True)[0, 0]


def _coil(rng: np.random.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    """Bright near the surface coil (posterior), falling off to the front and the ends; saturation band in front."""
    rows = torch.linspace(0, 1, shape[0])[:, None, None]
    columns = torch.linspace(0, 1, shape[1])[None, :, None]
    fall = rng.uniform(0, 2.6) if rng.random() < 0.7 else rng.uniform(-0.5, 0.5)
    field = torch.exp(-fall * rows + _low_resolution(rng, shape, (3, 4, 3)) * rng.uniform(0, 0.35))
    if rng.random() < 0.5:
        field = field * torch.exp(-(((columns - rng.uniform(0.1, 0.9)) / rng.uniform(0.35, 1.2)) ** 2))
    if rng.random() < 0.4:
        edge = rng.uniform(0.55, 0.85) + rng.uniform(-0.2, 0.2) * (columns - 0.5)
        field = field * (1 - rng.uniform(0.5, 0.97) * torch.sigmoid((rows - edge) * shape[0] / rng.uniform(1, 5)))
    return field


def _blur(signal: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    sigma = rng.uniform(0.25, 0.95) if rng.random() < 0.8 else rng.uniform(0.9, 1.6)
    for axis, width in ((0, sigma), (1, sigma * rng.uniform(0.8, 1.25))):
        reach = int(np.ceil(2.5 * width))
        steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
        kernel = torch.exp(-(steps**2) / (2 * width**2))
        layers = signal.permute(2, 0, 1)[:, None]
        size = (2 * reach + 1, 1) if axis == 0 else (1, 2 * reach + 1)
        pad = (0, 0, reach, reach) if axis == 0 else (reach, reach, 0, 0)
        layers = nnf.conv2d(nnf.pad(layers, pad, mode="replicate"), (kernel / kernel.sum()).view(1, 1, *size))
        signal = layers[:, 0].permute(1, 2, 0)
    return signal


def _slice_profile(signal: torch.Tensor, rng: np.random.Generator, sub: int) -> torch.Tensor:
    """Average layers into slices; half the time a slice reaches into its neighbours."""
    rows, columns, layers = signal.shape
    slices = signal.view(rows, columns, layers // sub, sub).mean(-1).permute(2, 0, 1)
    if rng.random() < 0.6:
        padded = torch.cat([slices[:1], slices, slices[-1:]])
        slices = 0.84 * slices + 0.08 * (padded[:-2] + padded[2:])
    return slices


def _artefacts(slices: torch.Tensor, rng: np.random.Generator, harsh: float) -> torch.Tensor:
    if rng.random() < 0.35 * harsh:  # truncated k-space: low resolution and Gibbs ringing
        axis = int(rng.integers(1, 3))
        space = torch.fft.fft(slices, dim=axis)
        low = torch.fft.fftfreq(slices.shape[axis]).abs() < rng.uniform(*_NYQUIST_SHARE)
        view = [1, 1, 1]
        view[axis] = -1
        slices = torch.fft.ifft(space * low.view(view), dim=axis).abs()
    if rng.random() < 0.2 * harsh:  # ghost
        axis = int(rng.integers(1, 3))
        slices = slices + rng.uniform(0.03, 0.15) * torch.roll(slices, int(rng.integers(8, 70)), axis)
    if rng.random() < 0.1 * harsh:  # uneven gain between slices
        gain = torch.from_numpy(rng.normal(1, 0.12, len(slices)).astype(np.float32))
        slices = slices * gain[:, None, None]
    return slices
