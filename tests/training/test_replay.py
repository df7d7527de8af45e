"""What is shown again is what was shown, a little changed where a sequence shows something and nowhere else."""

from __future__ import annotations

from itertools import islice

import torch

from spinemri.segment.lesion_input import ANATOMY, CHANNELS
from spinemri.training.replay import changed, packed, replayed

SIZE = (4, 16, 16)


def batch(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two samples with T1w and STIR; the kinds say which batch it is, and the first slice is marked."""
    image = torch.zeros(2, len(CHANNELS) + len(ANATOMY), *SIZE)
    image[:, :2] = torch.randn(2, 2, *SIZE, generator=torch.Generator().manual_seed(number)) + 0.5
    image[:, :2, :, :4] = 0
    image[:, len(CHANNELS), 0] = 1
    kinds = torch.full((2, *SIZE), number % 17, dtype=torch.int64)
    kinds[:, 0, 0, 0] = 255
    return image, kinds


def test_batches_come_once_and_then_again() -> None:
    assert [int(k[0, 1, 1, 1]) for _, k in islice(replayed(map(batch, range(5)), 0, changed), 9)] == [0, 1, 2, 3, 4]
    shown = [int(k[0, 1, 1, 1]) for _, k in replayed(map(batch, range(5)), 2, changed, keep=packed)]
    assert shown[::3] == [0, 1, 2, 3, 4]
    assert all(
        again <= first for first, *more in zip(shown[::3], shown[1::3], shown[2::3], strict=True) for again in more
    )
    same = [k for _, k in replayed(map(batch, range(5)), 2, changed, keep=packed)]
    assert all(
        torch.equal(a, b)
        for a, b in zip(same, [k for _, k in replayed(map(batch, range(5)), 2, changed, keep=packed)], strict=True)
    )


def test_the_oldest_make_room() -> None:
    late = [int(k[0, 1, 1, 1]) for _, k in replayed(map(batch, [3] * 70 + [9] * 200), 1, changed)]
    assert set(late[-20:]) == {9}


def test_only_what_is_shown_is_changed_and_a_turned_image_has_a_turned_truth() -> None:
    turned = set()
    for seed in range(12):
        image, kinds = batch(5)
        again, truth = changed(packed((image, kinds)), torch.Generator().manual_seed(seed))
        flipped = bool(again[0, len(CHANNELS), -1].all())
        turned.add(flipped)
        assert bool((truth[:, -1 if flipped else 0, 0, 0] == 255).all())
        before = image.flip(2) if flipped else image
        assert torch.equal(again[:, len(CHANNELS) :], before[:, len(CHANNELS) :])
        assert torch.equal(again[:, 2 : len(CHANNELS)], before[:, 2 : len(CHANNELS)])
        shown = before[:, :2] != 0
        assert not again[:, :2][~shown].any()
        apart = (again[:, :2] - before[:, :2])[shown]
        assert 0.02 < float(apart.abs().mean()) < 0.5
        assert float(torch.corrcoef(torch.stack([again[:, 0][shown[:, 0]], before[:, 0][shown[:, 0]]]))[0, 1]) > 0.9
    assert turned == {False, True}
