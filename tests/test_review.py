from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from spinemri.errors import InputError
from spinemri.review import Review, read_review, review_schema

SCHEMA = Path(__file__).resolve().parents[1] / "docs" / "review.schema.json"
IDENTITY = {"study": "6c1fd0a9", "software": "spinemri", "version": "0.1.0", "created": "2026-11-22T15:30:00+00:00"}
NOW = "2026-11-23T08:00:00.000Z"


NAME = "MUSTERMANN"


def review(*decisions, **changes):
    return {"review_version": "1.0", "analysis": IDENTITY, "decisions": list(decisions), **changes}


def decision(target="level", id_="L1", verdict="accept", **changes):
    return {"target": target, "id": id_, "verdict": verdict, "time": NOW, **changes}


def test_the_published_schema_is_current():
    assert SCHEMA.read_text(encoding="utf-8") == review_schema(), (
        "the Review type has changed: write docs/review.schema.json again with spinemri.review.review_schema"
    )


GOOD = [
    decision(),
    decision(verdict="reject", text="sacralised"),
    decision(verdict="correct", level="T13"),
    decision("lesion", "lesion-1", "correct", level="L2"),
    decision("lesion", "lesion-1", "correct", text="haemangioma"),
    decision("finding", "L1.vertebral_height_loss", "correct", text="grade 1"),
]


@pytest.mark.parametrize("one", GOOD, ids=[f"{d['target']} {d['verdict']}" for d in GOOD])
def test_a_decision_reads_back_and_obeys_the_schema(one):
    document = review(one)
    jsonschema.Draft202012Validator(json.loads(review_schema())).validate(document)
    read = Review.model_validate(document)
    assert Review.model_validate_json(read.model_dump_json()) == read
    assert read.decisions[0].id == one["id"]


BAD = [
    (decision(verdict="correct"), "needs its level"),
    (decision(verdict="correct", text="one lower"), "needs its level"),
    (decision(verdict="accept", level="L2"), "only a corrected"),
    (decision("finding", "x", "correct", level="L2", text="y"), "only a corrected"),
    (decision("finding", "x", "correct", text="  "), "needs a level or a text"),
    (decision("lesion", "lesion-1", "correct"), "needs a level or a text"),
    (decision(verdict="correct", level="Q9"), "expected C1-C7"),
    (decision(id_="pelvis"), "expected C1-C7"),
    (decision(verdict="correct", level="V2"), "must be true"),
    (decision(time="2026-11-23T08:00:00"), "timezone"),
    (decision(verdict="maybe"), "accept"),
    ({**decision(), "patient": "Doe"}, "Extra inputs"),
]


@pytest.mark.parametrize(("one", "why"), BAD, ids=[why for _, why in BAD])
def test_a_decision_that_says_nothing_definite_is_refused(one, why):
    with pytest.raises(ValidationError, match=why):
        Review.model_validate(review(one))


def test_nothing_is_judged_twice_but_equal_ids_of_other_things_are():
    with pytest.raises(ValidationError, match="judged twice"):
        Review.model_validate(review(decision(), decision(verdict="reject")))
    assert len(Review.model_validate(review(decision(), decision("finding", "L1"))).decisions) == 2


def test_a_review_says_of_which_analysis_it_is():
    with pytest.raises(ValidationError, match="created"):
        Review.model_validate(review(analysis={k: v for k, v in IDENTITY.items() if k != "created"}))
    with pytest.raises(ValidationError, match="review_version"):
        Review.model_validate(review(review_version="2.0"))


def test_earlier_reviews_come_first():
    first = review(decision())
    second = review(decision(verdict="reject"), earlier=first)
    third = Review.model_validate(review(earlier=second))
    assert [[d.verdict.value for d in one.decisions] for one in third.in_turn] == [["accept"], ["reject"], []]
    assert Review.model_validate_json(third.model_dump_json()) == third
    jsonschema.Draft202012Validator(json.loads(review_schema())).validate(third.model_dump(mode="json"))


def test_a_file_is_read_and_a_wrong_one_names_file_and_place(tmp_path):
    path = tmp_path / "review.json"
    path.write_text(json.dumps(review(decision(), decision("lesion", "lesion-1", "maybe"))), encoding="utf-8")
    with pytest.raises(InputError, match=r"^review file review\.json: decisions\.2\.verdict: .*'accept'"):
        read_review(path)
    for wrong in (decision("level", NAME), decision("lesion", NAME, "correct"), decision(verdict=NAME), {NAME: NAME}):
        path.write_text(json.dumps(review(wrong)), encoding="utf-8")
        with pytest.raises(InputError, match=r"^review file review\.json: decisions\.1") as refusal:
            read_review(path)
        assert NAME not in str(refusal.value)
    with pytest.raises(InputError, match=r"^review file none\.json: cannot be read"):
        read_review(tmp_path / "none.json")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        read_review(path)
    path.write_text(json.dumps(review(decision())), encoding="utf-8")
    assert read_review(path) == Review.model_validate(review(decision()))
