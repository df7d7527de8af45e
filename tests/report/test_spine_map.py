from __future__ import annotations

import pytest

from spinemri.anatomy import Level
from spinemri.finding import Certainty
from spinemri.report.phrases import page_phrases as words
from spinemri.report.spine_map import GROUPS, map_key, spine_map


def by_level(analysis):
    return {row.level: row for row in spine_map(analysis) if not row.gap}


def texts(row):
    return [item.text for item in row.items]


def with_levels(analysis, *names):
    """The analysis with only some of its vertebrae."""
    kept = tuple(v for v in analysis.spine.vertebrae if str(v.level) in names)
    return analysis.model_copy(update={"spine": analysis.spine.model_copy(update={"vertebrae": kept})})


def test_a_level_has_the_colour_of_the_weightiest_thing_found(lesion_case):
    rows = by_level(lesion_case.analysis)
    kinds = {name: row.kind for name, row in rows.items()}
    assert kinds == {
        "T11": "gap", "T12": "nothing", "L1": "fracture", "L2": "lesion", "L3": "nothing", "L4": "benign",
        "L5": "nothing", "S1": "nothing",
    }  # fmt: skip
    assert texts(rows["L1"]) == ["height loss 35 % (grade 2)"]
    assert texts(rows["L2"]) == ["lesion-1, 22 mm: tumour-like", "L2-L3 thecal sac narrowed: moderate"]
    assert [item.kind for item in rows["L2"].items] == ["lesion", "narrowing"]
    assert texts(rows["L4"]) == ["lesion-2, 13 mm: focal fat", "height not measured"]


def test_items_lead_to_the_tables_and_into_the_images(lesion_case):
    rows = by_level(lesion_case.analysis)
    lesion, narrowing = rows["L2"].items
    assert (lesion.href, lesion.place) == ("#lesion-1", "lesion-1")
    assert (narrowing.href, narrowing.place) == ("#level-L2", "L2-L3")


def test_what_was_not_assessed_is_never_nothing(case):
    row = by_level(case.analysis)["T11"]
    assert row.kind == "gap"
    assert words["MAP"]["cut"] in texts(row)
    sacrum = by_level(case.analysis)["S1"]
    assert sacrum.items == ()  # nobody expects a height of the sacrum


def test_levels_that_are_not_seen_are_named_above_between_and_below(case):
    gaps = [(row.gap, n) for n, row in enumerate(spine_map(case.analysis)) if row.gap]
    assert gaps == [("C1-T10 not in view", 0)]
    rows = spine_map(with_levels(case.analysis, "T11", "L2", "L3", "L5"))
    assert [row.gap or row.level for row in rows] == [
        "C1-T10 not in view", "T11", "T12-L1 not named", "L2", "L3", "L4 not named", "L5", "S1 not in view",
    ]  # fmt: skip


def test_relative_levels_have_no_gaps(case):
    spine = case.analysis.spine
    names = {v.level: Level(f"V{n}") for n, v in enumerate(spine.vertebrae, 1)}
    vertebrae = tuple(
        v.model_copy(update={"assignment": v.assignment.model_copy(update={"level": names[v.level]})})
        for v in spine.vertebrae
    )
    changed = case.analysis.model_copy(
        update={"spine": spine.model_copy(update={"vertebrae": vertebrae}), "measurements": (), "findings": ()}
    )
    assert [row.level for row in spine_map(changed)] == [f"V{n}" for n in range(1, 9)]
    assert {row.kind for row in spine_map(changed)} == {"gap"}


def test_an_empty_spine_has_an_empty_map(case):
    assert spine_map(with_levels(case.analysis)) == ()


@pytest.mark.parametrize(
    ("certainty", "shown"),
    [
        (Certainty.PRESENT, ["L5-S1 slip: Meyerding I"]),
        (Certainty.BORDERLINE, ["L5-S1 slip: Meyerding I, borderline"]),
        (Certainty.ABSENT, []),
        (Certainty.NOT_ASSESSABLE, []),
    ],
)
def test_only_what_is_present_or_borderline_is_on_the_map(case, certainty, shown):
    slip = case.analysis.findings[0].model_copy(
        update={
            "id": "L5-S1.spondylolisthesis", "kind": "spondylolisthesis", "grade": "I", "certainty": certainty,
            "levels": (Level("L5"), Level("S1")), "at_disc": True, "evidence": (), "cause": "",
        }
    )  # fmt: skip
    analysis = case.analysis.model_copy(update={"findings": (*case.analysis.findings, slip)})
    assert texts(by_level(analysis)["L5"]) == shown


def test_the_key_names_the_kinds_that_are_used_and_every_kind_has_a_name(lesion_case):
    rows = spine_map(lesion_case.analysis)
    assert map_key(rows) == ("fracture", "lesion", "narrowing", "benign", "gap", "nothing")
    assert set(GROUPS.values()) <= set(words["CLASSES"])
    assert set(GROUPS) - {"vertebral_height_loss"} <= set(words["FINDING_KINDS"])
