from __future__ import annotations

import pytest

from spinemri.anatomy import Level
from spinemri.errors import InputError
from spinemri.revise.levels import columns, in_series, named_again
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra

LUMBAR = ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]


def vertebra(name: str, *series: str) -> Vertebra:
    assignment = LevelAssignment(level=Level(name), basis=LevelBasis.FROM_SACRUM, confidence=0.9)
    return Vertebra(assignment=assignment, centre=(0.0, 0.0, 0.0), series_uid=series[0], seen_in=series)


def spine(*names: str) -> Spine:
    return Spine(vertebrae=tuple(vertebra(name, "a") for name in names))


def named(names, words=None, rejected=(), frames=None) -> dict[str, str | None]:
    given = {Level(was): Level(now) for was, now in (words or {}).items()}
    shown = names if isinstance(names, Spine) else spine(*names)
    found = named_again(shown, frames or {"a": "1.2"}, given, [Level(v) for v in rejected])
    return {str(was): now and str(now) for was, now in found.items()}


def now(*arguments, **more) -> list[str | None]:
    return list(named(*arguments, **more).values())


def test_one_word_moves_the_whole_column_by_one_either_way():
    assert now(LUMBAR, {"L1": "T12"}) == ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"]
    assert now(LUMBAR, {"L1": "L2"}) == ["T12", "L1", "L2", "L3", "L4", "L5", "S1", "S2"]


def test_an_accepted_name_holds_the_others_against_a_corrected_one():
    assert now(LUMBAR, {"L1": "T12", "S1": "S1"}) == ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "S1"]  # four lumbar
    assert now(LUMBAR, {"L5": "L6", "S1": "S1"}) == ["T12", "L1", "L2", "L3", "L4", "L5", "L6", "S1"]
    assert now(LUMBAR, {"L1": "T13", "T11": "T11"}) == ["T11", "T12", "T13", "L1", "L2", "L3", "L4", "L5"]


def test_names_that_are_only_accepted_change_nothing_even_in_a_rare_spine():
    odd = ["T11", "L1", "L2", "L3", "L4", "S1"]
    assert now(odd, {"L1": "L1", "S1": "S1"}) == odd


def test_all_names_one_by_one_are_taken_as_they_are():
    right = ["T10", "T11", "T12", "T13", "L1", "L2", "L3", "L4"]
    assert now(LUMBAR, dict(zip(LUMBAR, right, strict=True))) == right


def test_relative_names_become_true_ones():
    assert now(["V1", "V2", "V3", "V5"], {"V2": "L1"}) == ["T12", "L1", "L2", "L4"]


def test_a_vertebra_that_was_missed_keeps_its_place_in_the_count():
    assert now(["T12", "L1", "L3", "L4"], {"L4": "L5"}) == ["L1", "L2", "L4", "L5"]


CONTRADICTIONS = [
    ({"L1": "T12", "L2": "L2"}, "L1 is T12, L2 is accepted"),
    ({"L1": "T12", "L3": "L3"}, "L1 is T12, L3 is accepted"),
    ({"L1": "T12", "L2": "T12"}, "L1 is T12, L2 is T12"),
    ({"L1": "L2", "L2": "L1"}, "L1 is L2, L2 is L1"),
    ({"L5": "C4"}, "L5 is C4: there is no room"),
]


@pytest.mark.parametrize(("words", "told"), CONTRADICTIONS, ids=[told for _, told in CONTRADICTIONS])
def test_words_that_no_count_holds_are_refused_by_name(words, told):
    with pytest.raises(InputError, match=told) as refusal:
        named(LUMBAR, words)
    assert "\n" not in str(refusal.value)
    assert now(LUMBAR, {"L1": "T12"})[2] == "T12"  # nothing is left of the refused words


def test_a_rejected_name_alone_changes_no_name():
    assert now(LUMBAR, rejected=["L1"]) == LUMBAR


def test_a_rejected_body_keeps_its_place_where_the_words_allow_it():
    assert now(LUMBAR, {"L1": "T12"}, ["T12"]) == ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"]


@pytest.mark.parametrize("words", [{"L2": "L1", "T12": "T12"}, {"T12": "L1", "L2": "L2"}])
def test_a_rejected_body_without_room_is_no_vertebra(words):
    found = named(LUMBAR, words, ["L1"])
    assert found["L1"] is None
    assert [found[was] for was in words] == list(words.values())
    kept = [level for level in found.values() if level]
    assert kept == sorted(kept, key=lambda name: Level(name).rank)


def test_only_the_column_that_is_spoken_of_moves():
    two = Spine(
        vertebrae=tuple(
            [vertebra(v, "a") for v in ("C3", "C4", "C5")] + [vertebra(v, "b", "c") for v in ("L3", "L4", "L5")]
        )
    )
    frames = {"a": "1.2", "b": "1.3", "c": "1.3"}
    assert [list(map(str, one)) for one in columns(two, frames)] == [["C3", "C4", "C5"], ["L3", "L4", "L5"]]
    assert now(two, {"L4": "L3"}, frames=frames) == ["C3", "C4", "C5", "L2", "L3", "L4"]


def test_series_of_other_frames_that_show_one_vertebra_are_one_column():
    joined = Spine(vertebrae=(vertebra("L3", "a"), vertebra("L4", "a", "b"), vertebra("L5", "b")))
    assert now(joined, {"L5": "L4"}, frames={"a": "1.2", "b": "1.3"}) == ["L2", "L3", "L4"]


def test_what_a_series_names_without_a_body_is_counted_on():
    names = named_again(spine("L3", "L4"), {"a": None}, {Level("L4"): Level("L5")}, ())
    found = in_series([Level(v) for v in ("L2", "L3", "L4", "L5", "S1")], names)
    assert {str(was): str(new) for was, new in found.items()} == {
        "L2": "L3", "L3": "L4", "L4": "L5", "L5": "S1", "S1": "S2",
    }  # fmt: skip
    same = named_again(spine("L3", "L4"), {"a": None}, {}, ())
    assert in_series([Level("L6"), Level("L4")], same)[Level("L6")] == Level("L6")
