"""Where the sacrum is in view, the network sees no cord; what lies well above it is read once more, by itself.

Nobody has labelled the cord in the real images that it was trained on, nearly all of them lumbar, and they taught it
that a view with a sacrum has none: in synthetic and real people alike it misses the conus there, and finds it when the
sacrum is out of sight. How wide the canal is, it sees in the whole view; which part of the canal is cord, in the upper
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from spinemri.anatomy import StructureKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    Part = tuple[slice, slice, slice]

_ABOVE_PX, _LEAST_PX = 60, 64  # of 1 mm: from the sacrum to what is read again, and how long that must be
_LEAST_SACRUM_PX = 200
_TOP = 0.99  # quantile of its columns that counts as the sacrum's upper end


def above_sacrum(seen: torch.Tensor, classes: Mapping[int, str], rows: slice, stride: int) -> Part | None:
    """Slices, rows and columns to be read once more; None when no sacrum, or too little of a canal above it, is seen.

    Parameters
    ----------
    seen : (slices, class, rows, columns) probabilities, columns from inferior to superior, pixels of 1 mm
    classes : its channels -> StructureKind values
    rows : those that were read
    stride : slices from one to its neighbour
    """
    number = {name: n for n, name in classes.items()}
    if not {StructureKind.SACRUM, StructureKind.CORD, StructureKind.THECAL_SAC} <= number.keys():
        return None
    best = seen[:, :, rows].argmax(1)
    columns = (best == number[StructureKind.SACRUM]).sum(dim=(0, 1)).cumsum(0)
    if columns[-1] < _LEAST_SACRUM_PX:
        return None
    first = int((columns < _TOP * columns[-1]).sum()) + _ABOVE_PX
    if seen.shape[3] - first < _LEAST_PX:
        return None
    canal = (best == number[StructureKind.THECAL_SAC]) | (best == number[StructureKind.CORD])
    shown = np.flatnonzero(canal[:, :, first:].any(dim=2).any(dim=1).numpy())
    if not shown.size:
        return None
    slices = slice(max(0, int(shown[0]) - stride), min(len(seen), int(shown[-1]) + stride + 1))
    return slices, rows, slice(first, seen.shape[3])


def with_cord(seen: torch.Tensor, again: torch.Tensor, part: Part, classes: Mapping[int, str]) -> None:
    """Share out the canal of a part as a second look at it does, where that sees more of a cord; in place.

    Parameters
    ----------
    seen : as of ``above_sacrum``
    again : the same of the part alone
    """
    number = {name: n for n, name in classes.items()}
    sac, cord = number[StructureKind.THECAL_SAC], number[StructureKind.CORD]
    slices, rows, columns = part
    old = seen[slices, :, rows, columns].float()
    canal, least = old[:, sac] + old[:, cord], torch.finfo(torch.half).tiny
    shares = [(one[:, cord] / (one[:, sac] + one[:, cord]).clamp_min(least)) for one in (old, again.float())]
    share = torch.maximum(*shares)
    seen[slices, cord, rows, columns] = (canal * share).half()
    seen[slices, sac, rows, columns] = (canal * (1 - share)).half()
