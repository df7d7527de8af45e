"""The clinician's file: every key may be left out, and what is wrong is named with what was expected."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

from spinemri.anatomy import Level
from spinemri.clinical import Answer, BoneQuality, Clinical, Pain, Question, clinical_schema, read_clinical
from spinemri.errors import InputError

SCHEMA = Path(__file__).resolve().parents[1] / "docs" / "clinical.schema.json"
FULL = {
    "indication": "known breast cancer, new back pain: metastases?",
    "question": ["metastasis", "fracture", "cord_compression"],
    "age_years": 61,
    "pain": "mechanical",
    "primary": "breast",
    "cancer_history": "yes",
    "bone_quality": "lytic",
    "bone_quality_levels": ["L1", "th12"],
    "osteoporosis": "no",
    "neurological_deficit": "no",
    "fever_or_infection_signs": "unknown",
    "de_novo_deformity": "no",
    "de_novo_deformity_levels": [],
    "new_translation": "yes",
    "new_translation_levels": ["L4", "L5"],
}


def written(folder, document) -> Path:
    path = folder / "clinical.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def message(folder, document) -> str:
    with pytest.raises(InputError) as caught:
        read_clinical(written(folder, document))
    assert str(folder) not in str(caught.value)
    return str(caught.value)


def test_the_published_schema_is_current():
    assert SCHEMA.read_text(encoding="utf-8") == clinical_schema(), (
        "the Clinical type has changed: write docs/clinical.schema.json again with spinemri.clinical.clinical_schema"
    )


def test_a_full_file_and_an_empty_one_are_read(tmp_path):
    said = read_clinical(written(tmp_path, FULL))
    assert said.question == (Question.METASTASIS, Question.FRACTURE, Question.CORD_COMPRESSION)
    assert (said.pain, said.bone_quality, said.primary) == ("mechanical", "lytic", "breast")
    assert [str(level) for level in said.bone_quality_levels] == ["L1", "T12"]
    assert set(FULL) == set(Clinical.model_fields)
    nothing = read_clinical(written(tmp_path, {}))
    assert nothing == Clinical()
    assert {nothing.osteoporosis, nothing.known_cancer, nothing.new_translation} == {Answer.UNKNOWN}


def test_the_schema_accepts_what_is_read_and_refuses_what_is_not(tmp_path):
    validator = jsonschema.Draft202012Validator(json.loads(clinical_schema()))
    for pain in get_args(Pain):
        for bone in get_args(BoneQuality):
            document = FULL | {"pain": pain, "bone_quality": bone, "bone_quality_levels": ["L1", "T12"]}
            validator.validate(document)
            read_clinical(written(tmp_path, document))
    for wrong in ({"pain": "a lot"}, {"name": "X"}, {"question": "metastasis"}, {"osteoporosis": True},
                  {"bone_quality": "lytic", "bone_quality_levels": ["L9"]}):  # fmt: skip
        assert list(validator.iter_errors(wrong))
        message(tmp_path, wrong)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"pain": "severe"},
         "pain: found something else (8 characters), expected mechanical or occasional_not_mechanical or pain_free"),
        ({"bone_quality": 3}, "bone_quality: found 3, expected lytic or mixed or blastic"),
        ({"osteoporosis": True}, "osteoporosis: found true, expected yes or no or unknown"),
        ({"question": ["metastasis", "x"]}, 'question.1: found "x", expected a list of metastasis, myeloma, fracture'),
        ({"question": "fracture"}, "question: found something else (10 characters), expected a list of"),
        ({"primary": "x" * 81}, "primary: found something else (83 characters), expected text of at most 80"),
        ({"bone_quality": "lytic", "bone_quality_levels": ["L9"]},
         'bone_quality_levels.0: found "L9", expected a list of levels such as L3'),
        ({"new_translation": "yes", "new_translation_levels": "L3"},
         'new_translation_levels: found "L3", expected a list of levels such as L3'),
        ({"bone_quality_levels": ["L3"]}, "bone_quality_levels: levels are given, but bone_quality is not answered"),
        ({"de_novo_deformity": "unknown", "de_novo_deformity_levels": ["L3"]},
         "de_novo_deformity_levels: levels are given, but de_novo_deformity is not answered"),
        ({"indication": 5}, "indication: found 5, expected text of at most 500 characters"),
        ({"primary": "lung", "cancer_history": "no"}, "primary: a tumour is named, but cancer_history is 'no'"),
        ([1], "found a list, expected an object like"),
        ("{'pain': 1}", "no JSON: .* in line 1, column 2"),
        ("", "no JSON"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_was_expected(tmp_path, document, said):
    told = message(tmp_path, document)
    assert told.startswith("clinical file clinical.json: ")
    assert re.search(said if said.startswith("no JSON") else re.escape(said), told), told
    assert len(told) < 400


def test_an_unknown_key_is_refused_without_repeating_its_value(tmp_path):
    told = message(tmp_path, {"patient_name": "MUSTERMANN"})
    assert "patient_name: unknown key, expected one of indication, question, age_years, pain" in told
    assert "MUSTERMANN" not in told


@pytest.mark.parametrize(
    "document",
    [{"MUSTERMANN": 1}, {"pain": "MUSTERMANN"}, {"question": ["MUSTERMANN"]}, {"age_years": 4711471147}, ["MUSTERMANN"],
     {"primary": "MUSTERMANN " * 10}, {"bone_quality": "lytic", "bone_quality_levels": ["MUSTERMANN"]}],
    ids=str,
)  # fmt: skip
def test_no_message_repeats_what_may_be_a_name_or_an_id(tmp_path, document):
    told = message(tmp_path, document)
    assert not [word for word in ("MUSTER", "4711") if word in told]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^clinical file none.json: cannot be read \(No such file"):
        read_clinical(tmp_path / "none.json")
    latin = tmp_path / "latin.json"
    latin.write_bytes('{"primary": "Magenkrebs älter"}'.encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_clinical(latin)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ({}, Answer.UNKNOWN),
        ({"primary": "none"}, Answer.UNKNOWN),
        ({"primary": " Unknown "}, Answer.UNKNOWN),
        ({"cancer_history": "no", "primary": "none"}, Answer.NO),
        ({"cancer_history": "yes"}, Answer.YES),
        ({"primary": "breast"}, Answer.YES),
    ],
)
def test_a_cancer_is_known_from_its_history_or_its_primary(said, known):
    assert Clinical(**said).known_cancer is known


@pytest.mark.parametrize(
    ("levels", "at_l1", "at_l3", "scope"),
    [
        ((), True, True, "given by the user without a level, for the whole spine"),
        (("L1",), True, False, "given by the user for L1"),
        (("L1", "L3"), True, True, "given by the user for L1, L3"),
    ],
)
def test_an_answer_holds_at_its_levels_or_everywhere(levels, at_l1, at_l3, scope):
    answers = {"bone_quality": "lytic", "de_novo_deformity": "yes", "new_translation": "yes"}
    said = Clinical(**answers, **{f"{key}_levels": levels for key in answers})
    for level, holds in (("L1", at_l1), ("L3", at_l3)):
        assert said.bone_quality_at(Level(level)) == ("lytic" if holds else None)
        assert said.deformity_at(Level(level)) is (Answer.YES if holds else Answer.UNKNOWN)
        assert said.translation_at(Level(level)) is (Answer.YES if holds else Answer.UNKNOWN)
    assert {said.scope_of(key) for key in answers} == {scope}
    assert said.levels_of("pain") == ()
