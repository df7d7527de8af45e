"""Batches shown again, a little changed: where a GPU learns faster than the processors make samples.

What is shown again differs in the order of slices, in the gain, level and noise of each sequence; the truth stays.
Lesion networks see batches again, networks of anatomy whole steps, which stay where the network is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from spinemri.segment.lesion_input import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Batch = tuple[torch.Tensor, torch.Tensor]
    Groups = list[list[torch.Tensor]]  # images (stacks, slices, neighbours, rows, columns) and what belongs to them

_KEPT = 64  # batches, or steps, to draw from
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


class StepReplay:
    """Steps of new stacks, each followed by so many that show earlier ones again, a little changed.

    Parameters
    ----------
    times : 0 for new stacks only
    seed : start of the random sequence
    """

    def __init__(self, times: int, seed: int = 0) -> None:
        self.times, self.generator = times, torch.Generator().manual_seed(seed)
        self._turn = 0
        self._kept: list[tuple[Groups, ...]] = []

    def next(self, draw: Callable[[], tuple[Groups, Groups]]) -> tuple[Groups, Groups]:
        """What a step shows; ``draw`` makes the new ones."""
        self._turn += 1
        if not self.times or (self._turn - 1) % (self.times + 1) == 0:
            new = draw()
            if self.times:
                self._kept = [*self._kept[1 - _KEPT :], new]
            return new
        kept = self._kept[int(torch.randint(len(self._kept), (), generator=self.generator))]
        synthetic, real = ([changed_stacks(group, self.generator) for group in groups] for groups in kept)
        return synthetic, real


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
