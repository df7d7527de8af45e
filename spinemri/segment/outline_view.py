"""What the outliner looks at: the surroundings of one vertebral body in every slice that may show it.

Ten channels: the image; the body as it was found, and the others; what the anatomy network saw of body, posterior
elements, disc, canal and sacrum; how far to the left a slice lies; where there is a slice at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as nnf

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 56
"""Rows (posterior to anterior) and columns (inferior to superior) of a view, pixels of 1 mm."""

REACH_MM = 28.0
"""How far slices to the left and right of a body's middle belong to its view."""

SEEN = (("vertebral_body",), ("posterior_elements",), ("disc",), ("thecal_sac", "cord"), ("sacrum",))
"""Classes of the anatomy network whose probabilities, added up, are a channel each."""

IMAGE, OWN, OTHERS, BODY = 0, 1, 2, 3
CHANNELS = 5 + len(SEEN)
_CERTAINTY = 3.0


@dataclass(frozen=True, eq=False)
class Surroundings:
    """An image on the anatomy network's working grid, and what was found in it.

    Parameters
    ----------
    image : (slices, rows, columns) normalised intensities
    seen : (slices, len(SEEN), rows, columns) probabilities
    found : (slices, rows, columns) uint8, number of the body that a voxel was found to belong to, 0 of none
    slice_mm : distance of the slices
    """

    image: torch.Tensor
    seen: torch.Tensor
    found: NDArray[np.uint8]
    slice_mm: float


@dataclass(frozen=True)
class Box:
    """Where a view lies on the working grid: first slice, row and column, which may be negative, and its slices."""

    first: tuple[int, int, int]
    slices: int

    def within(self, shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
        """The part of a grid that the view shows."""
        sizes = (self.slices, SIDE, SIDE)
        parts = [
            slice(max(0, first), max(0, min(first + size, n)))
            for first, size, n in zip(self.first, sizes, shape, strict=True)
        ]
        return parts[0], parts[1], parts[2]

    def cut(self, volume: torch.Tensor) -> torch.Tensor:
        """The view of a volume (…, slices, rows, columns); 0 beyond it."""
        shape = tuple(volume.shape[-3:])
        sizes = (self.slices, SIDE, SIDE)
        padding: list[int] = []
        for first, size, n in zip(self.first[::-1], sizes[::-1], shape[::-1], strict=True):
            padding += [min(size, max(0, -first)), min(size, max(0, first + size - n))]
        return nnf.pad(volume[(..., *self.within(shape))], padding)


def middle_of(own: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Slice, row and column half way between the centre of gravity of a body and the middle of its box."""
    where = np.argwhere(own)
    return np.asarray(((where.min(axis=0) + where.max(axis=0)) / 2 + where.mean(axis=0)) / 2)


def slices_of(slice_mm: float) -> int:
    """How many slices a view has, an odd number."""
    return 2 * round(REACH_MM / slice_mm) + 1


def box_around(middle: NDArray[np.float64], slice_mm: float) -> Box:
    """The view around a place (slice, row, column)."""
    count = slices_of(slice_mm)
    row, column = (round(float(at) - (SIDE - 1) / 2) for at in middle[1:])
    return Box((round(float(middle[0])) - count // 2, row, column), count)


def view_of(around: Surroundings, number: int, middle: NDArray[np.float64], box: Box) -> torch.Tensor:
    """The view (CHANNELS, slices, SIDE, SIDE) of the body of that number."""
    place = torch.arange(box.slices) + box.first[0]
    there = (place >= 0) & (place < len(around.image))
    image = standardised(box.cut(around.image), there)
    found = box.cut(torch.from_numpy(around.found))
    own, others = (found == number).float(), ((found > 0) & (found != number)).float()
    seen = box.cut(around.seen.movedim(1, 0)).float()
    aside = ((place - float(middle[0])) * around.slice_mm / REACH_MM)[:, None, None].expand_as(image)
    return torch.stack([image, own, others, *seen, aside, there.float()[:, None, None].expand_as(image)])


def standardised(image: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Mean 0 and standard deviation 1 over the slices that are there; 0 in the others."""
    values = image[there]
    return (image - values.mean()) / (values.std() + 1e-3) * there[:, None, None]


def first_guess(views: torch.Tensor) -> torch.Tensor:
    """Logits (…, slices, SIDE, SIDE) of views (…, CHANNELS, slices, SIDE, SIDE): what was found and seen before."""
    own, others, body = (views[..., n, :, :, :] for n in (OWN, OTHERS, BODY))
    return _CERTAINTY * (own - 0.5) + _CERTAINTY * (body * (1 - others) - 0.5)
