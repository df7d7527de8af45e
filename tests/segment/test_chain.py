"""The walk down the levels: variants are rungs with their prevalence, evidence adds up, probabilities are right."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinemri.anatomy import Level
from spinemri.segment.chain import EXTRA_LUMBAR, FEWER_LUMBAR, LADDER, RUNG, decode, steps_down


def rows_for(count, **evidence):
    """Rows of nothing but hard evidence: place -> level."""
    rows = np.zeros((count, len(LADDER)))
    for place, name in evidence.items():
        rows[int(place[1:])] = np.where(np.arange(len(LADDER)) == RUNG[Level(name)], 0.0, -np.inf)
    return rows


def named(decoding):
    return [level.name for level in decoding.levels]


def test_from_the_sacrum_the_share_of_people_with_l6_and_without_l5_is_the_doubt():
    found = decode(rows_for(3, b2="S1"), range(3), [0.0, 0.0])
    assert named(found) == ["L4", "L5", "S1"]
    above = {level.name: found.posterior[1, RUNG[level]] for level in LADDER}
    weight = {"L5": 1 - EXTRA_LUMBAR, "L6": EXTRA_LUMBAR, "L4": FEWER_LUMBAR}
    # L5 is reached by those who have one, L6 by those who have L5 and L6; each starts with equal chance two bodies up
    paths = {"L5": (1 - FEWER_LUMBAR) * weight["L5"], "L6": (1 - FEWER_LUMBAR) * weight["L6"], "L4": weight["L4"]}
    for name, share in paths.items():
        assert above[name] == pytest.approx(share / sum(paths.values()), rel=0.03)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (24, ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]),
        (25, ["T12", "L1", "L2", "L3", "L4", "L5", "L6", "S1"]),
    ],
)
def test_between_c2_and_s1_an_extra_vertebra_is_a_state(count, expected):
    rows = rows_for(count, b0="C2") + rows_for(count, **{f"b{count - 1}": "S1"})
    found = decode(rows, range(count))
    assert named(found)[-8:] == expected


def test_one_fewer_is_most_often_eleven_thoracic_ones():
    rows = rows_for(23, b0="C2") + rows_for(23, b22="S1")
    found = decode(rows, range(23))
    assert {"T11", "L1", "L5"} <= set(named(found))
    assert "T12" not in named(found)


def test_a_place_without_a_body_counts():
    assert named(decode(rows_for(3, b2="S1"), [0, 2, 3])) == ["L3", "L5", "S1"]


def test_what_contradicts_the_count_has_no_walk():
    assert decode(rows_for(2, b0="L4") + rows_for(2, b1="C3"), range(2)) is None
    assert decode(np.zeros((40, len(LADDER))), range(40), [0.0] * 39) is None


@given(st.integers(0, 2**32 - 1))
def test_posteriors_are_the_sum_over_all_walks(seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 2, (2, 3, len(LADDER)))
    found = decode(rows, [0, 1, 3], [0.01, 0.02])
    tables = [steps_down(1, doubt=0.01), steps_down(2, doubt=0.02)]
    start = decode(np.zeros((1, len(LADDER))), [0]).posterior[0]
    expected = np.zeros((3, len(LADDER)))
    for a, b in itertools.product(range(len(LADDER)), repeat=2):
        both = start[a] * tables[0][a, b] * tables[1][b]
        weight = sum(both * np.exp(idea[0, a] + idea[1, b] + idea[2]) for idea in rows)
        expected[0, a] += weight.sum()
        expected[1, b] += weight.sum()
        expected[2] += weight
    assert found.posterior == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-9)
    assert found.posterior.sum(axis=1) == pytest.approx(1.0)
    assert found.confidence == pytest.approx([found.posterior[n, RUNG[v]] for n, v in enumerate(found.levels)])


@given(st.integers(0, 2**32 - 1), st.floats(-50, 50))
def test_adding_the_same_to_a_row_changes_nothing(seed, shift):
    rows = np.random.default_rng(seed).normal(0, 3, (4, len(LADDER)))
    moved = rows.copy()
    moved[2] += shift
    one, two = decode(rows, range(4)), decode(moved, range(4))
    assert named(one) == named(two)
    assert one.posterior == pytest.approx(two.posterior, abs=1e-9)
