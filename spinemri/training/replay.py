"""What was shown is shown again, a little changed: where a GPU learns faster than the processors make samples.

What is shown again differs in the order of slices, in the gain, level and noise of each image; the truth stays.
Networks of lesions see batches again, networks of anatomy whole steps, which stay where the network is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch

from spinemri.segment.lesion_input import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Batch = tuple[torch.Tensor, torch.Tensor]
    Groups = list[list[torch.Tensor]]  # images (stacks, slices, neighbours, rows, columns) and what belongs to them

T = TypeVar("T")

_KEPT = 64  # to draw from
_GAIN, _LEVEL, _NOISE = 0.12, 0.08, 0.06


def replayed(
    shown: Iterable[T],
    times: int,
    again: Callable[[T, torch.Generator], T],
    seed: int = 0,
    keep: Callable[[T], T] | None = None,
) -> Iterator[T]:
    """What is shown as it comes, each followed by so many that came before, changed a little.

    Parameters
    ----------
    shown : batches or steps
    times : 0 for these alone
    again : makes of a kept one what is shown again
    seed : start of the random sequence
    keep : makes what is kept of each smaller; None keeps it as it is
    """
    generator = torch.Generator().manual_seed(seed)
    kept: list[T] = []
    for count, new in enumerate(shown):
        yield new
        if not times:
            continue
        stored = keep(new) if keep else new
        if len(kept) < _KEPT:
            kept.append(stored)
        else:
            kept[count % _KEPT] = stored
        for _ in range(times):
            yield again(kept[int(torch.randint(len(kept), (), generator=generator))], generator)


def packed(batch: Batch) -> Batch:
    """A batch of ``MarrowSamples`` in a third of its memory."""
    return batch[0].half(), batch[1].to(torch.uint8)


def changed(batch: Batch, generator: torch.Generator) -> Batch:
    """An image (batch, channels, slices, rows, columns) and kinds (batch, slices, rows, columns), changed a little.

    What a sequence does not show stays 0, and the anatomy stays as it is.
    """
    image, kinds = batch[0].float(), batch[1].long()
    if torch.rand((), generator=generator) < 0.5:
        image, kinds = image.flip(2), kinds.flip(1)
    shown = image[:, : len(CHANNELS)]
    each = (*shown.shape[:2], 1, 1, 1)
    gain = torch.exp(_GAIN * torch.randn(each, generator=generator))
    level = _LEVEL * torch.randn(each, generator=generator)
    depth = _NOISE * torch.rand(each, generator=generator)
    new = shown * gain + level + depth * torch.randn(shown.shape, generator=generator)
    return torch.cat([new * (shown != 0), image[:, len(CHANNELS) :]], dim=1), kinds


def changed_step(step: tuple[Groups, ...], generator: torch.Generator) -> tuple[Groups, ...]:
    """Synthetic and real stacks of a step, each group changed a little."""
    return tuple([changed_stacks(group, generator) for group in groups] for groups in step)


def changed_stacks(group: list[torch.Tensor], generator: torch.Generator) -> list[torch.Tensor]:
    """Stacks and what belongs to them, slices on the second axis, changed a little; what is 0 in an image stays 0."""
    image, *truth = group
    if torch.rand((), generator=generator) < 0.5:
        image, truth = image.flip(1, 2), [part.flip(1) for part in truth]
    each = (len(image), 1, 1, 1, 1)
    gain = torch.exp(_GAIN * torch.randn(each, generator=generator)).to(image.device)
    level = (_LEVEL * torch.randn(each, generator=generator)).to(image.device)
    depth = (_NOISE * torch.rand(each, generator=generator)).to(image.device)
    return [(image * gain + level + depth * torch.randn_like(image)) * (image != 0), *truth]
