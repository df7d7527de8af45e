"""The published shapes of two networks for the spine, to time ours against: random weights, never their accuracy.

TotalSpineSeg runs two residual encoder U-Nets of nnU-Net one after the other (1 mm isotropic, patches of 256 x 256 x
64, steps of half a patch; 141,078,294 and 141,081,410 parameters in its plans and weights of 2026). TotalSegmentator's
``vertebrae_mr`` is a plain nnU-Net of six stages (1.5 mm isotropic, patches of 128 x 128 x 128, 26 outputs). The blocks
are those of nnU-Net's ``dynamic_network_architectures`` 0.4.4; counts of parameters are checked when they are built.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTHS = (32, 64, 128, 256, 320, 320, 320)
_BLOCKS = (1, 3, 4, 6, 6, 6, 6)
_SAME = 0.02  # the plain network's count is known to two digits
_STRIDES = ((1, 1, 1), *[(2, 2, 2)] * 4, *[(2, 2, 1)] * 2)


@dataclass(frozen=True)
class Peer:
    """A network's shape.

    Parameters
    ----------
    name : of the tool
    inputs, outputs : channels of each network that runs after the other
    spacing_mm : isotropic
    patch : (anteroposterior, craniocaudal, right-left) voxels
    step : of patches, as a share of their size
    parameters : of each network, as published
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    spacing_mm: float
    patch: tuple[int, int, int]
    step: float
    parameters: tuple[int, ...]

    def networks(self) -> list[nn.Module]:
        """The networks with random weights. Raises ValueError if a count of parameters is not the published one."""
        residual = len(self.inputs) > 1
        build = ResidualUNet if residual else PlainUNet
        built = [build(i, o) for i, o in zip(self.inputs, self.outputs, strict=True)]
        for network, wanted in zip(built, self.parameters, strict=True):
            found = sum(p.numel() for p in network.parameters())
            if abs(found - wanted) > _SAME * wanted:
                raise ValueError(f"{self.name}: {found} parameters, expected {wanted}")
        return built

    def tiles(self, size_mm: Sequence[float]) -> int:
        """Patches that cover a volume of this size (anteroposterior, craniocaudal, right-left; mm)."""
        voxels = [max(1, round(mm / self.spacing_mm)) for mm in size_mm]
        counts = [int(np.ceil(max(0, n - p) / (p * self.step))) + 1 for n, p in zip(voxels, self.patch, strict=True)]
        return int(np.prod(counts))


TOTALSPINESEG = Peer("TotalSpineSeg", (1, 2), (9, 11), 1.0, (256, 256, 64), 0.5, (141_078_294, 141_081_410))
VERTEBRAE_MR = Peer("TotalSegmentator vertebrae_mr", (1,), (26,), 1.5, (128, 128, 128), 0.5, (31_200_000,))


def _convolved(before: int, after: int, stride: Sequence[int] = (1, 1, 1)) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(before, after, 3, tuple(stride), 1), nn.InstanceNorm3d(after, affine=True), nn.LeakyReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, before: int, after: int, stride: Sequence[int]) -> None:
        super().__init__()
        self.first = _convolved(before, after, stride)
        self.second = nn.Sequential(nn.Conv3d(after, after, 3, 1, 1), nn.InstanceNorm3d(after, affine=True))
        skip: list[nn.Module] = [nn.AvgPool3d(tuple(stride), tuple(stride))] if max(stride) > 1 else []
        if before != after:
            skip += [nn.Conv3d(before, after, 1, bias=False), nn.InstanceNorm3d(after, affine=True)]
        self.skip = nn.Sequential(*skip)
        self.end = nn.LeakyReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Residual block D of nnU-Net."""
        found: torch.Tensor = self.end(self.second(self.first(x)) + self.skip(x))
        return found


class _UNet(nn.Module):
    """Stages, and the way up with so many convolutions per join; as in nnU-Net every height has a head."""

    def __init__(self, stages: list[nn.Module], strides: Sequence[Sequence[int]], outputs: int, per_join: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.ups, self.joins, self.heads = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        pairs = reversed([*pairwise(_WIDTHS[: len(stages)])])
        for (upper, lower), stride in zip(pairs, reversed(strides[1:]), strict=True):
            self.ups.append(nn.ConvTranspose3d(lower, upper, tuple(stride), tuple(stride)))
            more = [_convolved(upper, upper) for _ in range(per_join - 1)]
            self.joins.append(nn.Sequential(_convolved(2 * upper, upper), *more))
            self.heads.append(nn.Conv3d(upper, outputs, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits at full resolution; the deeper heads serve training alone."""
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        for up, join, skip in zip(self.ups, self.joins, reversed(skips[:-1]), strict=True):
            x = join(torch.cat((up(x), skip), 1))
        found: torch.Tensor = self.heads[-1](x)
        return found


class ResidualUNet(_UNet):
    """nnU-Net's residual encoder U-Net as TotalSpineSeg plans it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        widths = (_WIDTHS[0], *_WIDTHS)
        stages: list[nn.Module] = []
        for number, (stride, count) in enumerate(zip(_STRIDES, _BLOCKS, strict=True)):
            before, after = widths[number], widths[number + 1]
            blocks = [_Residual(before, after, stride), *(_Residual(after, after, (1, 1, 1)) for _ in range(count - 1))]
            stages.append(nn.Sequential(*([_convolved(inputs, before)] if number == 0 else []), *blocks))
        super().__init__(stages, _STRIDES, outputs, 1)


class PlainUNet(_UNet):
    """nnU-Net's plain U-Net of six stages."""

    def __init__(self, inputs: int, outputs: int) -> None:
        widths = _WIDTHS[:6]
        strides = [(1, 1, 1), *[(2, 2, 2)] * 5]
        pairs = zip((inputs, *widths[:-1]), widths, strides, strict=True)
        stages: list[nn.Module] = [nn.Sequential(_convolved(a, b, s), _convolved(b, b)) for a, b, s in pairs]
        super().__init__(stages, strides, outputs, 2)
