"""A sagittal stack as a scanner stores it: slice profile, in-plane blur, coil, saturation band, noise, integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from spinemri.synthesis.canvas import smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.synthesis.labels import LabelVolume

_TEXTURE = 0.05
_COIL_FALL = 0.9  # e-folds of sensitivity from the back to the front of the field
_BAND = 0.75  # share of signal the anterior saturation band removes
_FULL_SCALE = 3000  # stored value of the 99.5th percentile


def acquire(
    volume: LabelVolume, table: NDArray[np.floating], rng: np.random.Generator, *, sub: tuple[int, int], snr: float
) -> NDArray[np.uint16]:
    """Stored pixel values (slices, rows from superior to inferior, columns from anterior to posterior).

    Parameters
    ----------
    volume : painted subject whose layers and pixels are finer than the image's
    table : signal of every tissue
    sub : layers per slice, and fine pixels per image pixel on each in-plane axis
    snr : signal-to-noise ratio in bright tissue
    """
    signal = table[volume.tissue]
    signal *= 1 + _TEXTURE * smooth_noise(rng, signal.shape, (4, 8, 8))
    per_level = 1 + rng.normal(0, 0.03, 256).astype(np.float32)
    signal *= per_level[volume.level]
    return acquire_signal(signal, rng, sub=sub, snr=snr)


def acquire_signal(
    signal: NDArray[np.floating], rng: np.random.Generator, *, sub: tuple[int, int], snr: float
) -> NDArray[np.uint16]:
    """The same for a signal (x, z, a) that is known voxel by voxel."""
    layers, fine = sub
    nx, nz, na = signal.shape
    image = np.stack([_blurred_slice(signal[k : k + layers].mean(axis=0), fine) for k in range(0, nx, layers)])
    image = image[:, : nz // fine * fine, : na // fine * fine]
    image = image.reshape(nx // layers, nz // fine, fine, na // fine, fine).mean(axis=(2, 4))
    image *= _sensitivity(image.shape, rng)
    sigma = float(np.percentile(image, 95)) / snr
    noise = rng.normal(0, sigma, (2, *image.shape)).astype(np.float32)
    image = np.sqrt((image + noise[0]) ** 2 + noise[1] ** 2)
    image *= _FULL_SCALE / float(np.percentile(image, 99.5))
    return np.asarray(np.clip(np.rint(image[:, ::-1, ::-1]), 0, 4095), dtype=np.uint16)


def _blurred_slice(plane: NDArray[np.floating], fine: int) -> NDArray[np.floating]:
    blurred: NDArray[np.floating] = gaussian_filter(plane, 0.45 * fine)
    return blurred


def _sensitivity(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.floating]:
    """Coil and saturation band over (slices, rows from inferior, columns from posterior)."""
    forward = np.linspace(0, 1, shape[2], dtype=np.float32)
    coil = np.exp(-_COIL_FALL * rng.uniform(0.6, 1.3) * forward)
    edge = rng.uniform(0.72, 0.82)
    band = 1 - _BAND / (1 + np.exp(-(forward - edge) * 60))
    up = np.linspace(-1, 1, shape[1], dtype=np.float32)[:, None]
    ends = np.exp(-0.5 * (up * rng.uniform(0.5, 0.9)) ** 4)
    field: NDArray[np.floating] = (coil * band * ends)[None].astype(np.float32)
    return np.asarray(field * np.exp(0.08 * smooth_noise(rng, tuple(shape), (6, 90, 90))))
