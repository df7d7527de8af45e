"""Layers computed slice by slice are the 3D layers that they stand for."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from spinemri.segment.sliced import slice_by_slice

LAYERS = {
    "within": nn.Conv3d(3, 5, (1, 3, 3), (1, 2, 2), (0, 1, 1)),
    "across": nn.Conv3d(3, 5, 3, (1, 2, 2), 1),
    "along": nn.Conv3d(3, 5, (3, 1, 1), 1, (1, 0, 0), bias=False),
    "skipping": nn.Conv3d(3, 5, 1, (1, 2, 2)),
    "up": nn.ConvTranspose3d(3, 5, (1, 2, 2), (1, 2, 2)),
    "norm": nn.InstanceNorm3d(3, eps=1e-3, affine=True),
}


def volume(slices: int, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 3, slices, 8, 12, generator=torch.Generator().manual_seed(slices)) * 2 + 1


def both(layer: nn.Module) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(4)
    for value in layer.parameters():
        nn.init.normal_(value)
    theirs = nn.Sequential(copy.deepcopy(layer))
    ours = copy.deepcopy(theirs)
    slice_by_slice(ours)
    assert not {type(one) for one in ours.modules()} & {type(one) for one in LAYERS.values()}
    return ours, theirs


@pytest.mark.parametrize("slices", [1, 2, 5])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_gives_what_the_3d_layer_gives(name, slices):
    ours, theirs = both(LAYERS[name])
    assert torch.allclose(ours(volume(slices)), theirs(volume(slices)), atol=1e-4)
    with torch.inference_mode():
        last = volume(slices).contiguous(memory_format=torch.channels_last_3d)
        assert torch.allclose(ours(last), theirs(volume(slices)), atol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_learns_what_the_3d_layer_learns(name):
    slopes = []
    for layer in both(LAYERS[name]):
        image = volume(4).double().requires_grad_()
        layer.double()(image).sin().sum().backward()
        slopes.append([image.grad, *(value.grad for value in layer.parameters())])
    for ours, theirs in zip(*slopes, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-8)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_learns_in_float32_whatever_the_order_of_values(name):
    """A strided convolution of single pixels has ended the process."""
    slopes = []
    for layout in (torch.contiguous_format, torch.channels_last_3d):
        layer, _ = both(LAYERS[name])
        image = volume(7).contiguous(memory_format=layout).requires_grad_()
        layer(image).sum().backward()
        slopes.append(image.grad)
    assert torch.allclose(*slopes, atol=1e-4)


def test_weights_keep_their_names_and_shapes():
    ours, theirs = both(nn.Sequential(*LAYERS.values()))
    shapes = [{name: value.shape for name, value in one.state_dict().items()} for one in (ours, theirs)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv3d(3, 5, 3, 2, 1),
        nn.Conv3d(3, 5, (5, 3, 3), 1, (2, 1, 1)),
        nn.Conv3d(3, 5, 3),
        nn.ConvTranspose3d(3, 5, 2, 2),
    ],
    ids=["skips slices", "five slices", "loses slices", "makes slices"],
)
def test_other_layers_are_refused(layer):
    with pytest.raises(ValueError, match=r"Conv.*: expected a layer that keeps the slices"):
        slice_by_slice(nn.Sequential(layer))
