"""The loss sees what is labelled and nothing else."""

from __future__ import annotations

import pytest
import torch

from spinemri.training.loss import (
    UNKNOWN,
    canal_border,
    full_loss,
    kept_loss,
    merged_weight,
    outer_border,
    partial_loss,
)

WEIGHTS = torch.tensor([0.5, 1.0, 1.5, 1.5])


def logits(classes: torch.Tensor, strength: float = 12.0) -> torch.Tensor:
    return torch.nn.functional.one_hot(classes, 4).movedim(-1, 1).float() * strength


def classes() -> torch.Tensor:
    truth = torch.zeros(2, 40, 56, dtype=torch.int64)
    truth[0, 5:20, 8:30] = 1
    truth[1, 10:30, 20:50] = 3
    return truth


def test_truth_costs_nothing_and_an_absent_class_is_not_punished():
    found = full_loss(logits(classes()), classes(), WEIGHTS)
    assert float(found.value) < 0.01
    assert found.present.tolist() == [True, False, True]
    assert found.dice.min() > 0.99


def test_soft_dice_is_that_of_the_batch():
    truth = torch.where(classes() == 1, 2, 0)
    wrong = truth.clone()
    wrong[0, 5:20, 8:19] = 0  # half of the 330 pixels of class 2
    found = full_loss(logits(wrong, 40.0), truth, WEIGHTS)
    assert float(found.dice[1]) == pytest.approx((2 * 165 + 20) / (165 + 330 + 20), abs=1e-3)


def test_soft_dice_is_that_of_the_decision_not_of_the_weighted_probabilities():
    truth = torch.where(classes() == 1, 2, 0)
    even = torch.zeros(2, 4, 40, 56)
    even[:, 1], even[:, 3] = -40, -40
    even[:, 2] = WEIGHTS[2].log() + torch.where(truth == 2, 0.4, -0.4)
    even[:, 0] = WEIGHTS[0].log()
    taken = torch.sigmoid(torch.where(truth == 2, 0.4, -0.4))
    expected = (2 * taken[truth == 2].sum() + 20) / (taken.sum() + 330 + 20)
    assert float(full_loss(even, truth, WEIGHTS).dice[1]) == pytest.approx(float(expected), abs=1e-3)


def test_the_outer_border_of_bodies_and_discs_counts_less_than_the_endplates():
    truth = torch.zeros(1, 40, 56, dtype=torch.int64)
    truth[:, 10:30, 10:25], truth[:, 10:30, 25:32] = 1, 3
    border = outer_border(truth)[0]
    assert border[20].nonzero().flatten().tolist() == [8, 9, 10, 11, 30, 31, 32, 33]
    costs = []
    for change in ((9, slice(14, 20), 1), (slice(14, 20), 25, 1)):  # one row outwards; one column into the disc
        wrong = truth.clone()
        wrong[0, change[0], change[1]] = change[2]
        costs.append(float(full_loss(logits(wrong), truth, torch.ones(4)).value))
    assert costs[0] < 0.4 * costs[1]


def partial(prediction: torch.Tensor, extent: torch.Tensor | None = None):
    labelled = torch.stack([(classes()[0] == 1).float(), (classes()[1] == 3).float()])
    everywhere = torch.ones_like(labelled) if extent is None else extent
    return partial_loss(prediction, labelled, everywhere, torch.tensor([1, 3]), WEIGHTS)


def test_which_other_class_a_pixel_has_does_not_matter():
    other = classes()
    other[0, 25:35] = 2
    other[1, 2:8] = 1
    assert float(partial(logits(other)).value) == pytest.approx(float(partial(logits(classes())).value), abs=1e-3)
    wrong = classes()
    wrong[0, 25:35] = 1
    assert float(partial(logits(wrong)).value) > 0.5


def test_nothing_outside_the_extent_counts():
    extent = torch.zeros(2, 40, 56)
    extent[:, :, 10:52] = 1
    prediction = logits(classes(), 3.0)
    spoiled = prediction.clone()
    spoiled[:, :, :, :10] = 0
    spoiled[:, 1, :, :10] = 30
    assert float(partial(prediction, extent).value) == pytest.approx(float(partial(spoiled, extent).value))
    spoiled.requires_grad_()
    partial(spoiled, extent).value.backward()
    assert float(spoiled.grad[:, :, :, :10].abs().max()) == 0
    assert float(spoiled.grad[:, :, :, 10:52].abs().max()) > 0


def test_a_pixel_that_is_something_else_weighs_what_it_is_taken_for():
    """Otherwise dividing by the class weights at prediction would shift borders that real images have taught."""
    probabilities = torch.tensor([[0.3, 0.4, 0.1, 0.2], [0.6, 0.4, 0.0, 0.0]]).view(2, 4, 1, 1)
    found = merged_weight(probabilities, torch.tensor([1, 1]), WEIGHTS)
    assert float(found[0]) == pytest.approx((0.3 * 0.5 + 0.1 * 1.5 + 0.2 * 1.5) / 0.6)
    assert float(found[1]) == pytest.approx(0.5)


def test_the_outline_of_sac_and_cord_together_is_two_pixels_to_either_side():
    classes = torch.zeros(1, 30, 40, dtype=torch.int64)
    classes[:, 10:20] = 4
    classes[:, 13:17] = 5
    rows = canal_border(classes)[0].amax(dim=1).nonzero().flatten().tolist()
    assert rows == [8, 9, 10, 11, 18, 19, 20, 21]


def test_an_error_at_the_outline_of_the_sac_costs_more_than_one_elsewhere():
    classes = torch.zeros(1, 30, 40, dtype=torch.int64)
    classes[:, 10:20] = 4
    right = torch.nn.functional.one_hot(classes, 7).movedim(-1, 1).float() * 8
    costs = []
    for row in (9, 3):
        wrong = right.clone()
        wrong[:, :, row] = 0
        wrong[:, 4, row] = 8
        costs.append(float(full_loss(wrong, classes, torch.ones(7)).value))
    assert costs[0] > 1.5 * costs[1]


def test_what_earlier_weights_saw_is_kept_where_it_is_known():
    seen = classes()
    seen[0] = UNKNOWN
    right, wrong, elsewhere = logits(classes()), logits(classes()), logits(classes())
    wrong[1, :, 12:20, 25:40] = 0
    elsewhere[0] = 0
    costs = [float(kept_loss(found, seen, WEIGHTS)) for found in (right, wrong, elsewhere)]
    assert costs[0] < 1e-3
    assert costs[1] > 0.05
    assert costs[2] == costs[0]
    assert float(kept_loss(wrong, torch.full_like(seen, UNKNOWN), WEIGHTS)) == 0
