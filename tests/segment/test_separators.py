"""Where the column is parted: once in every disc, and also where a vertebra or a disc was missed."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.segment.separators import Profile, find_separators

BONE, DISC, NOTHING = 0.03, 1.0, 0.5


def column(*stretches: tuple[float, int]) -> np.ndarray:
    """Evidence per mm of stretches of so many mm each."""
    return np.concatenate([np.full(length, value) for value, length in stretches])


@pytest.mark.parametrize("tall_mm", [20, 24, 28])
def test_a_disc_that_has_sunk_into_the_body_below_parts_two_vertebrae_and_no_more(tall_mm):
    spine = [(BONE, 26), (DISC, 9)] * 3 + [(BONE, 26), (DISC, tall_mm), (BONE, 8)] + [(DISC, 9), (BONE, 27)] * 3
    found = find_separators(column(*spine), cut_above=False)
    ends = np.cumsum([length for _, length in spine])
    discs = [(end - length, end) for (value, length), end in zip(spine, ends, strict=True) if value == DISC]
    assert len(found) == len(discs)
    assert all(first <= place < end for place, (first, end) in zip(found, discs, strict=True))


@pytest.mark.parametrize("discs", [True, False], ids=["between discs", "its discs too"])
def test_a_vertebra_that_was_missed_keeps_its_place(discs):
    hole = [(DISC, 9), (NOTHING, 26), (DISC, 9)] if discs else [(NOTHING, 44)]
    spine = [(BONE, 26), (DISC, 9)] * 3 + [(BONE, 26), *hole] + [(BONE, 26), (DISC, 9)] * 2 + [(BONE, 26)]
    values = column(*spine)
    areas = (np.where(values == value, 800.0, 0.0) for value in (BONE, DISC))
    seen = Profile(0.0, *areas, np.zeros(len(values)), np.full(len(values), 800.0))
    found = find_separators(seen.separation, cut_above=False)
    assert len(found) == 7
    assert (np.diff(found) > 26).all()


def test_where_bone_begins_faintly_the_first_separator_may_lie_at_the_very_top():
    """The edge of what is seen is no hole: over a dens, most of the cross-section is empty."""
    faint = np.r_[np.full(8, 0.3), np.linspace(0.3, 0.9, 8)]
    body = 800 * np.r_[faint, np.ones(14), np.zeros(6), np.ones(14)]
    disc = 800 * np.r_[np.zeros(len(faint) + 14), np.ones(6), np.zeros(14)]
    seen = Profile(0.0, body, disc, np.zeros(len(body)), np.full(len(body), 800.0))
    assert (seen.separation[:8] > 0.3).all()
