"""Levels are ordered as in the body, parsed as people type them, and survive JSON."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from spinemri.anatomy import STANDARD_LEVELS, Level, Structure, StructureKind
from spinemri.errors import LevelError
from tests.strategies import relative_levels, true_levels

ADAPTER = TypeAdapter(Level)
HEAD_TO_FOOT = ["C1", "C2", "C7", "T1", "T2", "T9", "T10", "T11", "T12", "T13", "L1", "L5", "L6", "S1", "S5"]


@given(st.permutations(HEAD_TO_FOOT))
def test_levels_run_from_head_to_foot(names):
    assert [str(level) for level in sorted(map(Level, names))] == HEAD_TO_FOOT


def test_ten_comes_after_nine_and_the_sacrum_last():
    assert Level("T10") > Level("T9")
    assert Level("S1") >= Level("L6") > Level("L5")


def test_the_standard_spine_has_25_levels():
    assert [str(v) for v in STANDARD_LEVELS[:8]] == ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "T1"]
    assert [str(v) for v in STANDARD_LEVELS[18:]] == ["T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    assert sorted(STANDARD_LEVELS) == list(STANDARD_LEVELS)
    assert len(STANDARD_LEVELS) == 25


@given(true_levels(), true_levels())
def test_order_is_that_of_the_rank(a, b):
    assert (a < b) == (a.rank < b.rank)
    assert (a == b) == (a.rank == b.rank)


@given(relative_levels(), relative_levels())
def test_relative_levels_have_an_order_of_their_own(a, b):
    assert (a < b) == (a.number < b.number)
    assert a.is_relative


@given(true_levels(), relative_levels())
def test_a_relative_level_has_no_place_among_true_ones(level, relative):
    assert level != relative
    with pytest.raises(LevelError, match="no order"):
        sorted([level, relative])


@pytest.mark.parametrize(
    ("typed", "name"),
    [("L4", "L4"), ("l4", "L4"), (" s1 ", "S1"), ("th12", "T12"), ("D12", "T12"), ("c2", "C2"), ("v3", "V3")],
)
def test_levels_are_read_as_people_type_them(typed, name):
    assert Level.parse(typed) == Level(name)


@given(true_levels() | relative_levels())
def test_a_level_is_read_back_from_its_name(level):
    assert Level.parse(str(level)) == Level.parse(str(level).lower()) == level
    assert level.name == f"{level.region}{level.number}"


@pytest.mark.parametrize("name", ["", "L", "L0", "L7", "C8", "T14", "S6", "V0", "V31", "X1", "L4-L5", "4", "L٣", "TH0"])
def test_what_is_no_level_is_refused(name):
    with pytest.raises(LevelError, match="expected C1-C7, T1-T13, L1-L6, S1-S5"):
        Level.parse(name)


@pytest.mark.parametrize("name", ["l4", "L04", "L4 "])
def test_a_name_has_one_spelling(name):
    """Otherwise two equal levels would be two keys of one table."""
    with pytest.raises(LevelError):
        Level(name)


@given(true_levels() | relative_levels())
def test_a_level_survives_json(level):
    assert ADAPTER.validate_json(ADAPTER.dump_json(level)) == level
    assert ADAPTER.dump_python(level) == level.name


def test_json_keys_may_be_levels():
    heights = TypeAdapter(dict[Level, float])
    table = {Level("T12"): 24.5, Level("L1"): 25.25}
    assert heights.validate_json(heights.dump_json(table)) == table


@pytest.mark.parametrize("value", ["L9", 5, None, ["L4"]])
def test_json_that_holds_no_level_is_refused(value):
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(value)


@given(st.text("CTLSVX0123456789", max_size=4) | true_levels().map(str) | relative_levels().map(str))
def test_the_json_schema_accepts_exactly_the_levels(text):
    pattern = ADAPTER.json_schema()["pattern"]
    try:
        known = Level(text).name == text
    except LevelError:
        known = False
    assert (re.match(pattern, text) is not None) == known


def test_structures_are_named_by_kind_and_place():
    disc = Structure(StructureKind.DISC, Level("L4"), Level("L5"))
    assert (str(disc), disc.place) == ("disc L4-L5", "L4-L5")
    body = Structure(StructureKind.VERTEBRAL_BODY, Level("S1"))
    assert (str(body), body.place) == ("vertebral body S1", "S1")
    assert (str(Structure(StructureKind.THECAL_SAC)), Structure(StructureKind.CORD).place) == ("thecal sac", "")


def test_body_and_posterior_elements_of_a_level_are_two_structures():
    body, posterior = (
        Structure(kind, Level("L3")) for kind in (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)
    )
    assert body != posterior
    assert len({body, posterior, Structure(StructureKind.VERTEBRAL_BODY, Level("L3"))}) == 2
