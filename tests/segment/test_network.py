"""Slices that see each other: nothing changes at first, then context travels along the stack."""

from __future__ import annotations

import pytest
import torch

from spinemri.segment.network import SliceMixing, StackUNet


@pytest.fixture
def network() -> StackUNet:
    torch.manual_seed(3)
    return StackUNet(5, 3, [8, 16, 16, 16]).eval().requires_grad_(requires_grad=False)


def stack(slices: int = 7) -> torch.Tensor:
    return torch.randn(slices, 5, 32, 48, generator=torch.Generator().manual_seed(1))


def mixed(network: StackUNet) -> StackUNet:
    """The same network with mixing switched on."""
    torch.manual_seed(8)
    for module in network.modules():
        if isinstance(module, SliceMixing):
            torch.nn.init.normal_(module.mix.weight, std=0.1)
    return network


def test_a_new_network_reads_every_slice_alone(network):
    together = network(stack())
    alone = torch.cat([network(one[None]) for one in stack()])
    assert together.shape == (7, 3, 32, 48)
    assert torch.allclose(together, alone, atol=1e-5)


def test_context_travels_to_far_slices_once_it_is_learnt(network):
    mixed(network)
    changed = stack()
    changed[0] += 1
    moved = (network(changed) - network(stack())).abs().amax((1, 2, 3))
    assert float(moved[0]) > 0.1
    assert float(moved[3]) > 1e-4  # through two mixings on the way down and one on the way up
    assert not moved[4:].any()


def test_a_reversed_stack_is_another_stack(network):
    mixed(network)
    assert not torch.allclose(network(stack().flip(0)).flip(0), network(stack()), atol=1e-4)


def test_every_weight_is_used_and_stored_once(network):
    network.train().requires_grad_()
    network(stack()).square().mean().backward()
    unused = [name for name, value in network.named_parameters() if value.grad is None]
    assert not unused
    names = list(network.state_dict())
    assert len(names) == len(list(network.parameters()))


def test_stacks_read_at_once_do_not_see_each_other(network):
    mixed(network)
    one, two = stack(), stack().flip(0) + 1
    assert torch.allclose(network(torch.stack([one, two])), torch.stack([network(one), network(two)]), atol=1e-4)
