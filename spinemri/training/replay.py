"""Batches shown again, a little changed: where a GPU learns faster than the processors make samples.

What is shown again differs in the order of slices, in the gain, level and noise of each sequence; the truth stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from spinemri.segment.lesion_input import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Batch = tuple[torch.Tensor, torch.Tensor]

_KEPT = 64  # batches to draw from
_GAIN, _LEVEL, _NOISE = 0.12, 0.08, 0.06


def replayed(batches: Iterable[Batch], times: int, seed: int = 0) -> Iterator[Batch]:
    """The batches as they come, each followed by so many that came before, changed a little.

    Parameters
    ----------
    batches : of ``MarrowSamples``
    times : 0 for the batches alone
    seed : start of the random sequence
    """
    generator = torch.Generator().manual_seed(seed)
    kept: list[Batch] = []
    for count, (image, kinds) in enumerate(batches):
        yield image, kinds
        if not times:
            continue
        stored = image.half(), kinds.to(torch.uint8)
        if len(kept) < _KEPT:
            kept.append(stored)
        else:
            kept[count % _KEPT] = stored
        for _ in range(times):
            yield changed(*kept[int(torch.randint(len(kept), (), generator=generator))], generator)


def changed(image: torch.Tensor, kinds: torch.Tensor, generator: torch.Generator) -> Batch:
    """An image (batch, channels, slices, rows, columns) and kinds (batch, slices, rows, columns), changed a little.

    What a sequence does not show stays 0, and the anatomy stays as it is.
    """
    image, kinds = image.float(), kinds.long()
    if torch.rand((), generator=generator) < 0.5:
        image, kinds = image.flip(2), kinds.flip(1)
    shown = image[:, : len(CHANNELS)]
    each = (*shown.shape[:2], 1, 1, 1)
    gain = torch.exp(_GAIN * torch.randn(each, generator=generator))
    level = _LEVEL * torch.randn(each, generator=generator)
    depth = _NOISE * torch.rand(each, generator=generator)
    new = shown * gain + level + depth * torch.randn(shown.shape, generator=generator)
    return torch.cat([new * (shown != 0), image[:, len(CHANNELS) :]], dim=1), kinds
