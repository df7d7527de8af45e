from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from spinemri.analysis import Analysis
from spinemri.report.json_file import json_schema, to_json

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"


def test_the_published_schema_is_current():
    assert SCHEMA.read_text(encoding="utf-8") == json_schema(), (
        "the Analysis type has changed: write docs/report.schema.json again with spinemri.report.json_file.json_schema"
    )


def test_the_document_obeys_its_schema_and_reads_back_equal(case, result):
    text = (result / "report.json").read_text(encoding="utf-8")
    jsonschema.Draft202012Validator(json.loads(json_schema())).validate(json.loads(text))
    read = Analysis.model_validate_json(text)
    assert read.measurements == case.analysis.measurements
    assert read.findings == case.analysis.findings
    assert to_json(read) == text


def test_the_schema_refuses_a_document_without_provenance(case):
    document = json.loads(to_json(case.analysis))
    del document["provenance"]
    with pytest.raises(jsonschema.ValidationError, match="provenance"):
        jsonschema.validate(document, json.loads(json_schema()))


def test_keys_are_sorted(result):
    document = json.loads((result / "report.json").read_text(encoding="utf-8"))
    assert list(document) == sorted(document)


def test_a_number_that_is_not_finite_is_no_json(case):
    broken = case.analysis.model_copy(update={"patient_age_years": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        to_json(broken)
