"""The anatomy network: a MONAI DynUNet per sagittal slice, with slices that talk to each other at the coarse levels.

Slices of a clinical stack lie 3 to 5 mm apart: too far for a 3D convolution at full resolution, near enough that where
a body ends sideways can only be told from the slices beside it. So every slice is read with its neighbours as channels,
and from a quarter of the resolution downwards each feature also sees the slice before and the slice after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from monai.networks.nets.dynunet import DynUNet
from torch import nn

from spinemri.segment.device import memory_layout
from spinemri.segment.sliced import channels_last, slice_by_slice

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_MIXED = 2  # level at a quarter of the resolution


class SliceMixing(nn.Module):
    """Adds to each slice's features what the slices before and after it show; starts as the identity.

    Parameters
    ----------
    channels : features per pixel
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3 * channels, channels, 1)
        nn.init.zeros_(self.mix.weight)
        if self.mix.bias is not None:
            nn.init.zeros_(self.mix.bias)

    def forward(self, slices: torch.Tensor, count: int | None = None) -> torch.Tensor:
        """Features (slices, channels, rows, columns) in, the same out; beyond the stack there is 0.

        ``count`` is the slices of one stack, when several stacks of as many lie one behind the other.
        """
        nothing = torch.zeros_like(slices[:1])
        before, after = torch.cat([nothing, slices[:-1]]), torch.cat([slices[1:], nothing])
        if count is not None:
            before[::count], after[count - 1 :: count] = 0, 0
        mixed: torch.Tensor = slices + self.mix(torch.cat([before, slices, after], dim=1))
        return mixed


class StackUNet(DynUNet):
    """A 2D DynUNet whose batch is one stack of slices in order, mixed across slices at the coarse levels.

    Parameters
    ----------
    in_channels : neighbouring slices given as channels of each slice
    out_channels : classes
    filters : features per level, finest first; the stride between levels is 2
    """

    def __init__(self, in_channels: int, out_channels: int, filters: Sequence[int]) -> None:
        levels = len(filters)
        super().__init__(
            spatial_dims=2,
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=[3] * levels,
            strides=[1, *[2] * (levels - 1)],
            upsample_kernel_size=[2] * (levels - 1),
            filters=filters,
            norm_name=("INSTANCE", {"affine": True}),
            res_block=True,
        )
        del self.skip_layers  # the same blocks once more, in the order of a forward pass that is not used
        self.mix_down = nn.ModuleList(SliceMixing(n) for n in filters[_FIRST_MIXED:])
        self.mix_up = nn.ModuleList(SliceMixing(n) for n in filters[-2 : _FIRST_MIXED - 1 : -1])
        _group_norms(self)

    def forward(self, stack: torch.Tensor) -> torch.Tensor:
        """Logits (slices, classes, rows, columns) of one stack (slices, neighbours, rows, columns) in order.

        Several stacks of one size (stacks, slices, neighbours, rows, columns) give (stacks, slices, classes, rows,
        columns), each as if it were alone.
        """
        if stack.ndim == 4:
            return self._read(stack, None)
        flat = stack.flatten(0, 1).contiguous(memory_format=memory_layout(stack.device))
        return self._read(flat, stack.shape[1]).view(*stack.shape[:2], -1, *stack.shape[3:])

    def _read(self, stack: torch.Tensor, count: int | None) -> torch.Tensor:
        found = self.input_block(stack)
        skipped = []
        for level, block in enumerate([*self.downsamples, self.bottleneck], start=1):
            skipped.append(found)
            found = block(found)
            if level >= _FIRST_MIXED:
                found = self.mix_down[level - _FIRST_MIXED](found, count)
        for step, block in enumerate(self.upsamples):
            found = block(found, skipped.pop())
            if step < len(self.mix_up):
                found = self.mix_up[step](found, count)
        logits: torch.Tensor = self.output_block(found)
        return logits


class LesionUNet(DynUNet):
    """A U-Net over stacks of thick slices: within the slices at full resolution, across them where they are coarse.

    Parameters
    ----------
    in_channels : sequences and anatomy
    out_channels : background and kinds of marrow change
    filters : features per level; the first ``flat`` levels look within slices only
    flat : how many
    """

    def __init__(self, in_channels: int, out_channels: int, filters: Sequence[int], flat: int = 2) -> None:
        levels = len(filters)
        strides = [[1, 1, 1], *[[1, 2, 2]] * (levels - 1)]
        super().__init__(
            spatial_dims=3,
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=[[1, 3, 3] if n < flat else [3, 3, 3] for n in range(levels)],
            strides=strides,
            upsample_kernel_size=strides[1:],
            filters=filters,
            norm_name=("INSTANCE", {"affine": True}),
            res_block=True,
        )
        del self.skip_layers  # the same blocks once more, in the order of a forward pass that is not used
        slice_by_slice(self)

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """Logits (batch, out_channels, slices, rows, columns) of (batch, in_channels, slices, rows, columns)."""
        found = self.input_block(channels_last(volume))
        skipped = []
        for block in [*self.downsamples, self.bottleneck]:
            skipped.append(found)
            found = block(found)
        for block in self.upsamples:
            found = block(found, skipped.pop())
        logits: torch.Tensor = self.output_block(found)
        return logits


def _group_norms(module: nn.Module) -> None:
    """Write instance norms as group norms of one channel each: the same function, a third faster on a CPU."""
    for name, child in module.named_children():
        if isinstance(child, nn.InstanceNorm2d):
            setattr(module, name, nn.GroupNorm(child.num_features, child.num_features, eps=child.eps))
        else:
            _group_norms(child)
