"""The walk down the levels: variants are rungs with their prevalence, evidence adds up, probabilities are right."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinemri.anatomy import Level
from spinemri.segment.chain import decode
from spinemri.segment.ladder import EXTRA_LUMBAR, EXTRA_THORACIC, FEWER_LUMBAR, FEWER_THORACIC, LADDER, RUNG, steps_down


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
    rows = np.random.default_rng(seed).normal(0, 2, (3, len(LADDER)))
    found = decode(rows, [0, 1, 3], [0.01, 0.02])
    tables = [steps_down(1, doubt=0.01), steps_down(2, doubt=0.02)]
    start = decode(np.zeros((1, len(LADDER))), [0]).posterior[0]
    expected = np.zeros((3, len(LADDER)))
    for a, b in itertools.product(range(len(LADDER)), repeat=2):
        weight = start[a] * tables[0][a, b] * tables[1][b] * np.exp(rows[0, a] + rows[1, b] + rows[2])
        expected[0, a] += weight.sum()
        expected[1, b] += weight.sum()
        expected[2] += weight
    assert found.posterior == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=5e-4)
    assert found.posterior.sum(axis=1) == pytest.approx(1.0)
    assert found.confidence == pytest.approx([found.posterior[n, RUNG[v]] for n, v in enumerate(found.levels)])


THORACIC = {
    11: FEWER_THORACIC,
    12: (1 - FEWER_THORACIC) * (1 - EXTRA_THORACIC),
    13: (1 - FEWER_THORACIC) * EXTRA_THORACIC,
}
LUMBAR = {4: FEWER_LUMBAR, 5: (1 - FEWER_LUMBAR) * (1 - EXTRA_LUMBAR), 6: (1 - FEWER_LUMBAR) * EXTRA_LUMBAR}


def spine(thoracic: int, lumbar: int) -> list[str]:
    counts = (("C", range(2, 8)), ("T", range(1, thoracic + 1)), ("L", range(1, lumbar + 1)), ("S", range(1, 6)))
    return [f"{region}{n}" for region, numbers in counts for n in numbers]


@given(st.integers(0, 2**32 - 1))
def test_looks_mostly_count_for_the_usual_level_as_far_from_the_sacrum_whatever_the_number(seed):
    rng = np.random.default_rng(seed)
    rows, looks = rng.normal(0, 1, (3, len(LADDER))), rng.normal(0, 2, (2, 3, len(LADDER)))
    usual, expected = spine(12, 5), np.zeros((3, len(LADDER)))
    for (thoracic, a), (lumbar, b) in itertools.product(THORACIC.items(), LUMBAR.items()):
        names = spine(thoracic, lumbar)
        counted = [usual[n if n <= names.index("T6") else n - thoracic - lumbar + 17] for n in range(len(names))]
        for first, (like, share) in itertools.product(range(len(names) - 3), ((names, 0.2), (counted, 0.8))):
            walk = [first, first + 1, first + 3]
            rungs = [RUNG[Level(names[n])] for n in walk]
            seen = [RUNG[Level(like[n])] for n in walk]
            fit = np.exp(looks[:, range(3), seen].sum(axis=1)).sum()
            expected[range(3), rungs] += a * b * share * np.exp(rows[range(3), rungs].sum()) * fit
    found = decode(rows, [0, 1, 3], [0.0, 0.0], looks)
    assert found.posterior == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-9)
    assert found.levels[-1].rank - found.levels[0].rank >= 2


def test_what_lumbar_bodies_look_like_leaves_most_of_the_doubt_that_variants_bring():
    looks = np.full((1, 6, len(LADDER)), -20.0)
    for place, name in enumerate(("L1", "L2", "L3", "L4", "L5", "S1")):
        looks[0, place, RUNG[Level(name)]] = 0.0
    found = decode(np.zeros((6, len(LADDER))), range(6), [0.0] * 5, looks)
    assert named(found) == ["L1", "L2", "L3", "L4", "L5", "S1"]
    most = {"L6": 0.8 * LUMBAR[6], "L4": 0.8 * LUMBAR[4], "L5": LUMBAR[5] * (THORACIC[12] + 1 - THORACIC[12])}
    above = {name: found.posterior[4, RUNG[Level(name)]] for name in most}
    assert above == pytest.approx({name: share / sum(most.values()) for name, share in most.items()}, abs=1e-3)
    assert found.confidence[:5] == pytest.approx(above["L5"], abs=1e-6)
    assert found.expected_share == pytest.approx(1.0, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(-50, 50))
def test_adding_the_same_to_a_row_changes_nothing(seed, shift):
    rows = np.random.default_rng(seed).normal(0, 3, (4, len(LADDER)))
    moved = rows.copy()
    moved[2] += shift
    one, two = decode(rows, range(4)), decode(moved, range(4))
    assert named(one) == named(two)
    assert one.posterior == pytest.approx(two.posterior, abs=1e-9)
