"""What looks like the rest of its vertebra is no lesion; where nothing can be compared nothing is ruled out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spinemri.segment.lesion_contrast import stand_out
from spinemri.segment.lesion_input import CHANNELS
from tests.segment.test_lesion_input import seen_of

T1W, STIR = CHANNELS.index("T1w"), CHANNELS.index("STIR")


def seen(**changes):
    """The built column's input, flat on T1w; ``changes`` are (mask, logarithm) of a channel."""
    made = seen_of()
    volume = torch.zeros_like(made.volume)
    volume[len(CHANNELS) :] = made.volume[len(CHANNELS) :]
    noise = torch.from_numpy(np.random.default_rng(3).normal(0, 0.1, volume.shape[1:]).astype(np.float32))
    volume[T1W] = noise + 1e-3
    for name, (mask, size) in changes.items():
        channel = CHANNELS.index(name)
        if channel != T1W:
            volume[channel] = noise.flip(0) + 1e-3
        volume[channel][torch.from_numpy(mask)] += size
    return replace(made, volume=volume)


def in_body(number, radius=7.0):
    """A ball in the middle of a body, and the number of its vertebra."""
    made = seen_of()
    body = (made.volume[len(CHANNELS)].numpy() > 0) & (made.zones == number)
    middle = np.argwhere(body).mean(axis=0)
    away = (np.indices(body.shape) - middle.reshape(3, 1, 1, 1)) * np.array(made.geometry.spacing).reshape(3, 1, 1, 1)
    return body & (np.linalg.norm(away, axis=0) < radius)


@pytest.mark.parametrize(("size", "stands"), [(-0.3, True), (0.3, True), (-0.2, True), (-0.1, False), (0.0, False)])
def test_a_candidate_must_differ_from_the_rest_of_its_vertebra(size, stands):
    mask = in_body(1)
    assert stand_out([mask], [1], seen(T1w=(mask, size))) == [stands]


def test_one_sequence_that_shows_it_is_enough():
    mask = in_body(1)
    assert stand_out([mask], [1], seen(T1w=(mask, 0.0), STIR=(mask, 0.5))) == [True]
    assert stand_out([mask], [1], seen(T1w=(mask, 0.0), STIR=(mask, 0.05))) == [False]


def test_shading_of_a_whole_vertebra_is_no_lesion_within_it():
    vertebra = seen_of().zones == 2
    assert stand_out([in_body(2)], [2], seen(T1w=(vertebra, -0.5))) == [False]


def test_most_of_a_body_needs_no_rest():
    body = (seen_of().volume[len(CHANNELS)].numpy() > 0) & (seen_of().zones == 1)
    assert stand_out([body], [1], seen()) == [True]


def test_another_candidate_is_not_the_rest():
    one, two = in_body(1, 9.0), in_body(1, 5.0)
    ring = one & ~two
    given = seen(T1w=(one, -0.4))
    assert stand_out([two, ring], [1, 1], given) == [True, True]


def test_where_too_little_shows_nothing_is_ruled_out():
    mask = in_body(1)
    given = seen(T1w=(mask, 0.0))
    dark = given.volume.clone()
    dark[T1W][torch.from_numpy((given.zones == 1) & ~mask)] = 0
    assert stand_out([mask], [1], replace(given, volume=dark)) == [True]
    assert stand_out([], [], given) == []
