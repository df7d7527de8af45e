"""Changes under which anatomy stays what it is: other contrast, coil, sharpness, noise, pose, scale, and side.

Head and foot, or front and back, never change places; left and right do, because the order of slices is the only
thing that tells them apart. Contrast is changed by a random curve, monotone, inverted or of several pieces, so that one
labelled T2 image also stands for T1 and STIR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as nnf
from monai.transforms.intensity.array import RandBiasField, RandGaussianNoise, RandGaussianSmooth
from monai.utils.type_conversion import convert_to_tensor

from spinemri.segment.preprocess import normalise

if TYPE_CHECKING:
    from numpy.random import Generator

_TOP = 1.25  # curves go a quarter beyond the 99.5th percentile
_MIN_PIXELS = 2000  # of the sample that lie in the image
_FAINT = 1e-3  # the least that counts as signal
_POWERS, _INVERTED = 0.66, 0.14  # of the curves; the rest has several pieces
_MAX_TURN_RAD = 0.2
_MAX_SCALE, _MAX_STRETCH = 0.18, 0.08  # of the logarithm


class SliceAugment:
    """Random view of labelled slices and their neighbours; equal seeds give equal sequences.

    Parameters
    ----------
    seed : start of the random sequence
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.bias = RandBiasField(degree=3, coeff_range=(-0.3, 0.3), prob=0.6)
        self.smooth = RandGaussianSmooth(sigma_x=(0.3, 0.9), sigma_y=(0.3, 0.9), prob=0.2)
        self.noise = RandGaussianNoise(std=0.12, prob=0.4)
        for number, transform in enumerate((self.bias, self.smooth, self.noise)):
            transform.set_random_state(seed + number)

    def __call__(
        self, image: torch.Tensor, truth: torch.Tensor, place: tuple[float, float], size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
        """Normalised view (slices, rows, columns), labels and extent in it; None when it misses the image.

        Parameters
        ----------
        image : (slices, rows, columns) intensities from 0; absent slices are 0
        truth : (labels + 1, rows, columns) labels of the slices in the middle, whole numbers, last the extent, 0 or 1
        place : (row, column) of the view's centre
        size : (rows, columns) of the view, 1 mm pixels before scaling
        """
        grid = random_grid(self.rng, size, place, (image.shape[1], image.shape[2]))
        view = nnf.grid_sample(image[None], grid, mode="bilinear", align_corners=True)[0]
        marked = nnf.grid_sample(truth[None], grid, mode="nearest", align_corners=True)[0]
        inside = view > 0
        if int(inside.sum()) < _MIN_PIXELS:
            return None
        seen = (grid.abs() <= 1).all(-1) & inside.flatten(1).any(1)[:, None, None]
        curved = self.smooth(self.bias(random_curve(view, inside, self.rng)))
        black = _FAINT if self.rng.random() < 0.5 else 0.0  # scanners differ: air is noise, or set to nothing
        view = normalise(torch.where(inside, convert_to_tensor(curved, track_meta=False).clamp(min=_FAINT), black))
        view = convert_to_tensor(self.noise(view), track_meta=False) * seen
        labelled, extent = marked[:-1], marked[-1]
        if self.rng.random() < 0.5:
            view, labelled = view.flip(0), labelled.flip(0)
        return view.contiguous(), labelled.contiguous(), extent


def random_grid(
    rng: Generator, size: tuple[int, int], place: tuple[float, float], shape: tuple[int, int]
) -> torch.Tensor:
    """Sampling grid (1, rows, columns, 2) of a turned, scaled and slightly stretched view centred at ``place``."""
    turn = rng.uniform(-_MAX_TURN_RAD, _MAX_TURN_RAD)
    scale = np.exp(rng.uniform(-_MAX_SCALE, _MAX_SCALE))
    stretch = np.exp(rng.uniform(-_MAX_STRETCH, _MAX_STRETCH))
    rows, columns = (torch.arange(n) - n / 2 for n in size)
    back, up = torch.meshgrid(rows * scale * stretch, columns * scale, indexing="ij")
    row = place[0] + back * np.cos(turn) - up * np.sin(turn)
    column = place[1] + back * np.sin(turn) + up * np.cos(turn)
    unit = [2 * at / (n - 1) - 1 for at, n in ((column, shape[1]), (row, shape[0]))]
    return torch.stack(unit, dim=-1)[None].float()


def random_curve(view: torch.Tensor, inside: torch.Tensor, rng: Generator) -> torch.Tensor:
    """Intensities through a random curve: a power, an inverted power, or straight pieces between random heights."""
    values = view[inside][::11]
    low, high = torch.quantile(values, 0.01), torch.quantile(values, 0.995)
    level = ((view - low) / (high - low + 1e-6)).clamp(0, _TOP)
    kind = rng.random()
    if kind < _POWERS + _INVERTED:
        raised = level ** float(np.exp(rng.uniform(-0.6, 0.6)))
        return raised if kind < _POWERS else _TOP - raised
    heights = torch.from_numpy(rng.random(int(rng.integers(4, 7))).astype(np.float32))
    at = level / _TOP * (len(heights) - 1)
    piece = at.floor().clamp(0, len(heights) - 2).long()
    part = at - piece
    return heights[piece] * (1 - part) + heights[piece + 1] * part
