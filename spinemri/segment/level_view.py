"""What the level reader looks at: the surroundings of one vertebra in five slices, 8 mm apart.

Ribs, psoas, kidneys, the aorta's fork, the sacrum and the skull tell levels to a radiologist; they lie up to ten
centimetres away, so the window is large and its pixels are coarse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as nnf

from spinemri.segment.preprocess import normalise

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW_MM = (192, 224)
"""Rows (posterior to anterior) and columns (inferior to superior) around a vertebra's middle."""

PIXEL_MM = 2
OFFSETS_MM = (-16.0, -8.0, 0.0, 8.0, 16.0)
"""Slices, from the patient's right to the left, of the vertebra's own."""


def slices_around(slices: torch.Tensor, at: float, slice_mm: float) -> torch.Tensor:
    """The five slices (5, rows, columns) nearest to the offsets from a place; 0 where the stack has none.

    Parameters
    ----------
    slices : (slices, rows, columns) working slices
    at : place along the stack, in slices
    slice_mm : distance of the slices
    """
    wanted = np.rint(at + np.array(OFFSETS_MM) / slice_mm).astype(int)
    absent = torch.zeros_like(slices[0])
    return torch.stack([slices[k] if 0 <= k < len(slices) else absent for k in wanted])


def view_around(slices: torch.Tensor, place: NDArray[np.float64], slice_mm: float) -> torch.Tensor:
    """Normalised window (5, 96, 112) around a place (slice, row, column) of working slices with pixels of 1 mm.

    0 beyond the image and in absent slices.
    """
    chosen = slices_around(slices, float(place[0]), slice_mm)
    shown = chosen.flatten(1).any(1)[:, None, None].expand_as(chosen)
    starts = [round(float(p)) - n // 2 for p, n in zip(place[1:], WINDOW_MM, strict=True)]
    padding, kept = [], []
    for start, wanted, size in zip(starts, WINDOW_MM, chosen.shape[1:], strict=True):
        padding.append((max(0, -start), max(0, start + wanted - size)))
        kept.append(slice(max(0, start), max(0, start) + wanted))
    view, inside = (
        nnf.pad(of, (*padding[1], *padding[0]))[:, kept[0], kept[1]] for of in (chosen, shown.to(chosen.dtype))
    )
    return coarse(normalise(view) * inside)


def coarse(view: torch.Tensor) -> torch.Tensor:
    """A view with pixels of 1 mm at those of the reader."""
    return nnf.avg_pool2d(view, PIXEL_MM)
