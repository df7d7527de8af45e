"""Stacks of one size are read at once, each as if it were alone; steps are shown again, a little changed."""

from __future__ import annotations

from itertools import islice

import torch

from spinemri.training.loop import together
from spinemri.training.replay import changed_stacks, changed_step, replayed
from spinemri.training.synthetic import sizes

CPU = torch.device("cpu")


def sample(number: int, rows: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """A stack of 3 slices with 5 neighbours, one of them absent, and classes that say which it is."""
    image = torch.randn(3, 5, rows, 20, generator=torch.Generator().manual_seed(number)) + 3
    image[0, :2] = 0
    classes = torch.full((3, rows, 20), number)
    classes[0, 0] = 99
    return image, classes


def test_samples_of_one_size_become_one() -> None:
    groups = together([sample(1), sample(2, 32), sample(3)], CPU)
    assert [tuple(image.shape) for image, _ in groups] == [(2, 3, 5, 16, 20), (1, 3, 5, 32, 20)]
    assert groups[0][1][:, 1, 1, 1].tolist() == [1, 3]
    assert torch.equal(groups[0][0][1], sample(3)[0])


def test_workers_agree_on_sizes_that_come_several_times_in_a_row() -> None:
    drawn = list(islice(sizes(5), 40))
    assert drawn == list(islice(sizes(5), 40))
    assert drawn != list(islice(sizes(6), 40))
    assert all(len(set(drawn[n : n + 4])) == 1 for n in range(0, 40, 4))
    assert len(set(drawn)) > 4


def test_steps_come_once_and_then_again() -> None:
    steps = [(together([sample(number)], CPU), together([], CPU)) for number in range(4)]
    shown = [int(synthetic[0][1][0, 1, 1, 1]) for synthetic, _ in replayed(steps, 2, changed_step, seed=1)]
    assert shown[::3] == [0, 1, 2, 3]
    assert all(again <= new for n, new in enumerate(shown[::3]) for again in shown[3 * n : 3 * n + 3])


def test_what_is_shown_again_keeps_its_truth_and_what_is_absent() -> None:
    (group,) = together([sample(1), sample(2)], CPU)
    turned = set()
    for seed in range(12):
        image, classes = changed_stacks(group, torch.Generator().manual_seed(seed))
        flipped = bool((classes[:, 2, 0] == 99).all())
        turned.add(flipped)
        before, truth = (group[0].flip(1, 2), group[1].flip(1)) if flipped else group
        assert torch.equal(classes, truth)
        assert torch.equal(image == 0, before == 0)
        apart = (image - before)[before != 0]
        assert 0.01 < float(apart.abs().mean()) < 2
        assert float(torch.corrcoef(torch.stack([image[before != 0], before[before != 0]]))[0, 1]) > 0.8
    assert turned == {False, True}
