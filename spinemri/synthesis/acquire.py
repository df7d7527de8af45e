"""Images as a scanner stores them: slice profile, in-plane blur, coil, saturation band, noise, integers.

The coil lies under the back: sensitivity falls towards the front, and towards the ends of its length. A band in front
of the spine is saturated in sagittal and axial images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from spinemri.synthesis.texture import smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.synthesis.grids import PaintedGrid, Sampling
    from spinemri.synthesis.labels import LabelVolume

_TEXTURE = 0.05
_COIL_FALL = 0.9  # e-folds of sensitivity from the back to the front of the field
_BAND = 0.75  # share of signal the anterior saturation band removes
_REACH_MM, _HALF_LENGTH_MM = 190.0, 150.0  # of the coil's field, forward and along the body
_GRAIN_MM = 4.0  # of the texture within a tissue
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
    image = _averaged(signal, sub)
    forward = np.linspace(0, 1, image.shape[2], dtype=np.float32)
    up = np.linspace(-1, 1, image.shape[1], dtype=np.float32)[:, None]
    return _stored(image, (forward, up), rng, snr=snr)[:, ::-1, ::-1]


def acquire_grid(
    painted: PaintedGrid, table: NDArray[np.floating], rng: np.random.Generator, *, snr: float, band: bool = True
) -> NDArray[np.uint16]:
    """Stored pixel values on the grid of an image of any orientation.

    Parameters
    ----------
    painted : person painted for this grid
    table : signal of every tissue
    snr : signal-to-noise ratio in bright tissue
    band : whether what lies in front is saturated
    """
    sampling = painted.sampling
    geometry = sampling.geometry
    signal = table[painted.tissue]
    mm = sampling.thickness_mm / sampling.layers, *(v / sampling.fine for v in geometry.spacing[1:])
    signal *= 1 + _TEXTURE * smooth_noise(rng, signal.shape, (4 / mm[0], _GRAIN_MM / mm[1], _GRAIN_MM / mm[2]))
    per_level = 1 + rng.normal(0, 0.03, 256).astype(np.float32)
    signal *= per_level[painted.level]
    return acquire_grid_signal(signal, sampling, rng, snr=snr, band=band)


def acquire_grid_signal(
    signal: NDArray[np.floating], sampling: Sampling, rng: np.random.Generator, *, snr: float, band: bool = True
) -> NDArray[np.uint16]:
    """The same for a signal that is known for every painted part of a voxel."""
    image = _averaged(signal, (sampling.layers, sampling.fine))
    return _stored(image, _coil_places(sampling.geometry), rng, snr=snr, band=band)


def _coil_places(geometry: Geometry) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Where voxels lie from the back of the coil's field (0) to its front (1), and along it (-1 to 1)."""
    places = []
    for axis, sign in ((1, -1.0), (2, 1.0)):
        along = [
            np.expand_dims(sign * geometry.axes[axis, n] * mm * (np.arange(size) - (size - 1) / 2), _others(n))
            for n, (size, mm) in enumerate(zip(geometry.shape, geometry.spacing, strict=True))
        ]
        places.append(np.asarray(along[0] + along[1] + along[2], dtype=np.float32))
    return np.clip(places[0] / _REACH_MM + 0.5, 0, None), places[1] / _HALF_LENGTH_MM


def _others(axis: int) -> tuple[int, ...]:
    return tuple(n for n in range(3) if n != axis)


def _averaged(signal: NDArray[np.floating], sub: tuple[int, int]) -> NDArray[np.floating]:
    """Slices of several layers, blurred in plane and averaged to pixels."""
    layers, fine = sub
    nx, nz, na = signal.shape
    image = np.stack([_blurred_slice(signal[k : k + layers].mean(axis=0), fine) for k in range(0, nx, layers)])
    image = image[:, : nz // fine * fine, : na // fine * fine]
    averaged: NDArray[np.floating] = image.reshape(nx // layers, nz // fine, fine, na // fine, fine).mean(axis=(2, 4))
    return averaged


def _stored(
    image: NDArray[np.floating],
    places: tuple[NDArray[np.floating], NDArray[np.floating]],
    rng: np.random.Generator,
    *,
    snr: float,
    band: bool = True,
) -> NDArray[np.uint16]:
    """Integers with coil, saturation band and noise."""
    image *= _sensitivity(image.shape, places, rng, band=band)
    sigma = float(np.percentile(image, 95)) / snr
    noise = rng.normal(0, sigma, (2, *image.shape)).astype(np.float32)
    image = np.sqrt((image + noise[0]) ** 2 + noise[1] ** 2)
    image *= _FULL_SCALE / float(np.percentile(image, 99.5))
    return np.asarray(np.clip(np.rint(image), 0, 4095), dtype=np.uint16)


def _blurred_slice(plane: NDArray[np.floating], fine: int) -> NDArray[np.floating]:
    blurred: NDArray[np.floating] = gaussian_filter(plane, 0.45 * fine)
    return blurred


def _sensitivity(
    shape: tuple[int, ...],
    places: tuple[NDArray[np.floating], NDArray[np.floating]],
    rng: np.random.Generator,
    *,
    band: bool,
) -> NDArray[np.floating]:
    """Coil and saturation band; ``places`` from back to front (0 to 1) and along the body (-1 to 1)."""
    forward, up = places
    field = np.exp(-_COIL_FALL * rng.uniform(0.6, 1.3) * forward)
    edge = rng.uniform(0.72, 0.82)
    if band:
        field = field * (1 - _BAND / (1 + np.exp(-(forward - edge) * 60)))
    field = field * np.exp(-0.5 * (up * rng.uniform(0.5, 0.9)) ** 4)
    return np.asarray(field.astype(np.float32) * np.exp(0.08 * smooth_noise(rng, tuple(shape), (6, 90, 90))))
