"""Layers of a 3D network that never skip a slice, computed as layers of slices: the same numbers, on a CPU sooner.

Clinical slices are few and thick, so our 3D networks halve rows and columns only. A kernel over three slices then is a
2D kernel over a slice, the one before and the one after as channels, and that is what CPUs are fastest with. Nor are
torch's own convolutions of volumes to be trusted there: in bfloat16, version 2.13 gives wrong results for a single
slice (the like of github.com/pytorch/pytorch/issues/169688) and writes beyond its memory in the backward pass.
Parameters are those of the 3D layers, and so are the weights' names and shapes; an ONNX file holds the 3D layers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from torch import nn

from spinemri.segment.device import VOLUME_LAYOUT

_REACH = 3  # slices that a kernel sees, where it sees more than one


class SlicedConv(nn.Conv3d):
    """A convolution of one or three slices, which gives as many slices as it gets."""

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """(batch, channels, slices, rows, columns) in, the same out; beyond the volume there is 0."""
        if torch.onnx.is_in_onnx_export():
            return super().forward(volume)
        if self.kernel_size[0] == 1:
            slices = volume
        else:
            learns = torch.is_grad_enabled() and volume.requires_grad
            slices = _Neighbours.apply(volume) if learns else _with_neighbours(volume)  # type: ignore[no-untyped-call]
        weight = self.weight.movedim(2, 1).flatten(1, 2)
        stride = self.stride[1:]
        if weight.shape[2:] == (1, 1):  # torch 2.13 ends the process with few channels in float32, on the way back
            slices, stride = slices[..., :: stride[0], :: stride[1]], (1, 1)
        found = nnf.conv2d(_apart(slices), weight, self.bias, stride, self.padding[1:])
        return _together(found, volume.shape[2])


class SlicedUp(nn.ConvTranspose3d):
    """A transposed convolution within slices."""

    def forward(self, volume: torch.Tensor, _: list[int] | None = None) -> torch.Tensor:
        """(batch, channels, slices, rows, columns) in, the same slices with more rows and columns out."""
        if torch.onnx.is_in_onnx_export():
            return super().forward(volume)
        found = nnf.conv_transpose2d(_apart(volume), self.weight[:, :, 0], self.bias, self.stride[1:])
        return _together(found, volume.shape[2])


class VolumeNorm(nn.InstanceNorm3d):
    """An instance norm over a volume; the sums of a batch norm of its slices are read faster."""

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """(batch, channels, slices, rows, columns) in, the same out."""
        if torch.onnx.is_in_onnx_export():
            return super().forward(volume)
        count = volume.shape[2]
        found = [
            nnf.batch_norm(one, None, None, self.weight, self.bias, training=True, eps=self.eps)
            for one in torch.split(_apart(volume), count)
        ]
        return _together(found[0] if len(found) == 1 else torch.cat(found), count)


def channels_last(volume: torch.Tensor) -> torch.Tensor:
    """A volume in the order of values in which its slices need no copy; an ONNX file knows no such order."""
    return volume if torch.onnx.is_in_onnx_export() else volume.contiguous(memory_format=VOLUME_LAYOUT)


def slice_by_slice(network: nn.Module) -> None:
    """Let the layers of a 3D network that keeps its slices be computed slice by slice; its weights stay as they are.

    Raises
    ------
    ValueError
        If a layer skips slices, or sees others than the one before and the one after.
    """
    for name, child in network.named_children():
        made = _sliced(child)
        if made is None:
            slice_by_slice(child)
        else:
            made.load_state_dict(child.state_dict())
            setattr(network, name, made)


def _sliced(layer: nn.Module) -> nn.Module | None:
    if isinstance(layer, nn.InstanceNorm3d):
        return VolumeNorm(layer.num_features, layer.eps, affine=layer.affine)
    if not isinstance(layer, nn.Conv3d | nn.ConvTranspose3d):
        return None
    up = isinstance(layer, nn.ConvTranspose3d)
    size, stride, padding = layer.kernel_size, layer.stride, layer.padding
    across = (size[0], stride[0], padding[0])
    if across != (1, 1, 0) and (up or across != (_REACH, 1, 1)):
        raise ValueError(f"{layer}: expected a layer that keeps the slices and sees one of them or three")
    kind = SlicedUp if up else SlicedConv
    return kind(
        layer.in_channels,
        layer.out_channels,
        size,  # type: ignore[arg-type]
        stride,  # type: ignore[arg-type]
        padding,  # type: ignore[arg-type]
        bias=layer.bias is not None,
    )


class _Neighbours(torch.autograd.Function):
    """``_with_neighbours``; torch's own way back writes a volume of zeros for each part, a fifth of a step's time."""

    @staticmethod
    def forward(_: object, volume: torch.Tensor) -> torch.Tensor:
        return _with_neighbours(volume)

    @staticmethod
    def backward(_: object, slope: torch.Tensor) -> torch.Tensor:
        before, own, behind = slope.chunk(_REACH, dim=1)
        found = own.clone(memory_format=torch.preserve_format)
        found[:, :, :-1] += before[:, :, 1:]
        found[:, :, 1:] += behind[:, :, :-1]
        return found


def _with_neighbours(volume: torch.Tensor) -> torch.Tensor:
    """Each slice with the one before and the one after as channels in front of and behind its own."""
    padded = nnf.pad(volume, (0, 0, 0, 0, 1, 1))
    count = volume.shape[2]
    return torch.cat([padded[:, :, n : n + count] for n in range(_REACH)], dim=1)


def _apart(volume: torch.Tensor) -> torch.Tensor:
    """(batch * slices, channels, rows, columns); no copy where channels lie last."""
    return volume.movedim(2, 1).flatten(0, 1)


def _together(slices: torch.Tensor, count: int) -> torch.Tensor:
    """(batch, channels, slices, rows, columns) of so many slices each."""
    return slices.view(-1, count, *slices.shape[1:]).movedim(1, 2)
