from __future__ import annotations

import json

import pytest

from spinemri.anatomy import Level
from spinemri.report.narrative import narrate
from spinemri.report.page_places import finding_place, place_of, start
from spinemri.report.page_review import review_groups, review_identity
from spinemri.report.viewer import places
from spinemri.review import AppliedReview, Review, Target


def groups(case):
    return {group.target: group for group in review_groups(case.analysis)}


def test_every_level_lesion_and_stated_finding_can_be_judged(lesion_case):
    found = groups(lesion_case)
    assert [item.id for item in found[Target.LEVEL].items] == ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    assert [item.id for item in found[Target.LESION].items] == ["lesion-1", "lesion-2"]
    ids = [item.id for item in found[Target.FINDING].items]
    assert {"L1.vertebral_height_loss", "L2-L3.thecal_sac_narrowing"} <= set(ids)
    assert len(ids) == len(set(ids))
    assert not any(id_.endswith("marrow_lesion") for id_ in ids)  # judged as lesions
    known = {finding.id: finding for finding in lesion_case.analysis.findings}
    assert {known[id_].certainty.value for id_ in ids} <= {"present", "borderline"}


def test_corrections_choose_among_true_levels_and_variants(lesion_case):
    found = groups(lesion_case)
    assert {"C1", "T13", "L6", "S1"} <= set(found[Target.LEVEL].levels)
    assert found[Target.FINDING].levels == ()


def test_without_lesions_there_is_nothing_to_judge_of_them(case):
    assert Target.LESION not in groups(case)


def test_an_exported_review_begins_with_the_analysis_it_is_of(case):
    identity = review_identity(case.analysis)
    review = Review.model_validate_json(json.dumps({**identity, "decisions": []}))
    assert review.analysis.study == case.analysis.study
    assert review.analysis.created == case.analysis.provenance.created
    assert review.analysis.made_with == case.analysis.provenance.made_with
    assert review.analysis.input_sha256 == case.analysis.provenance.input_sha256
    assert review.earlier is None


def test_it_says_where_bodies_and_lesions_lie(lesion_case):
    review = Review.model_validate(review_identity(lesion_case.analysis))
    spine = lesion_case.analysis.spine
    assert list(review.analysis.levels) == [str(level) for level in spine.levels]
    assert review.analysis.levels["L3"] == pytest.approx(spine.vertebra(Level("L3")).centre, abs=0.06)
    assert list(review.analysis.lesions) == [lesion.id for lesion in lesion_case.analysis.lesions]


def test_the_page_of_a_reviewed_analysis_hands_the_earlier_review_on(lesion_case):
    first = Review.model_validate(review_identity(lesion_case.analysis))
    reviewed = lesion_case.analysis.model_copy(update={"review": AppliedReview(review=first)})
    later = Review.model_validate_json(json.dumps(review_identity(reviewed)))
    assert later.in_turn == (first, later)


def test_sentences_of_the_impression_look_to_places_of_the_viewer(lesion_case):
    analysis = lesion_case.analysis
    found = [place_of(analysis, sentence) for sentence in narrate(analysis).impression.sentences]
    assert {"L1", "L2", "L2-L3"} <= set(found)
    assert set(found) - {""} <= set(places(lesion_case))
    assert start(analysis) == next(place for place in found if place)


def test_a_finding_of_the_whole_spine_has_no_place(case):
    whole = case.analysis.findings[0].model_copy(update={"levels": ()})
    assert finding_place(case.analysis, whole) == ""
    assert start(case.analysis.model_copy(update={"findings": (), "measurements": ()})) == ""
