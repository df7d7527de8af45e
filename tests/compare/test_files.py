"""What is written: the document and its schema, sentences, table, page; complete, deterministic, anonymous."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from spinemri.compare.comparison import Comparison
from spinemri.compare.files import FILES, json_schema, to_json, to_text, write_comparison
from spinemri.compare.page import to_page
from spinemri.compare.study import Examination, compare_examinations
from spinemri.compare.words import interval, quantity
from spinemri.errors import InputError, OutputError
from tests.compare.conftest import DATES
from tests.languages import english_left

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "comparison.schema.json"


@pytest.fixture(scope="module")
def folder(three, tmp_path_factory):
    return write_comparison(three, tmp_path_factory.mktemp("compared") / "result")


def text_of(folder, name):
    return (folder / name).read_text(encoding="utf-8")


def test_the_published_schema_is_current():
    assert SCHEMA.read_text(encoding="utf-8") == json_schema(), (
        "the Comparison type has changed: write docs/comparison.schema.json again with compare.files.json_schema"
    )


def test_the_document_obeys_its_schema_and_reads_back_equal(three, folder):
    text = text_of(folder, "comparison.json")
    jsonschema.Draft202012Validator(json.loads(json_schema())).validate(json.loads(text))
    assert Comparison.model_validate_json(text) == three.comparison
    assert to_json(three.comparison) == text


def test_every_file_is_there_and_a_full_folder_is_refused(three, folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    with pytest.raises(OutputError, match="not empty"):
        write_comparison(three, folder)


def test_the_text_tells_each_change_with_level_numbers_and_units(three, folder):
    text = " ".join(text_of(folder, "comparison.txt").split())
    assert to_text(three.comparison) == text_of(folder, "comparison.txt")
    assert re.search(
        r"Lesion \w in L2 \(tumour-like\): grown\. Volume \d\.\d\d mL to \d\.\d\d mL \(\+\d\.\d\d mL, MDC", text
    )
    assert re.search(r"Lesion \w in T12 \(tumour-like\): new\. Longest diameter 1\d\.\d mm", text)
    assert re.search(r"Lesion \w in L4 \(tumour-like\): gone", text)
    assert re.search(r"L1: new fracture-level loss of height, -?\d+ % to \d+ % \(\+\d+ points, MDC 1\d points\)", text)
    assert "Examination 1, 82 days after the baseline: T1w" in text
    assert max(map(len, text_of(folder, "comparison.txt").splitlines())) <= 100


def test_the_table_holds_every_change_with_its_source(three, folder):
    rows = list(csv.DictReader(io.StringIO(text_of(folder, "comparison.csv"))))
    changes = [change for step in three.comparison.steps for change in step.changes]
    assert [row["id"] for row in rows] == [change.id for change in changes]
    assert all(row["source"] for row in rows if row["detectable_change"])
    assert all(row["reason"] for row in rows if row["verdict"] == "not comparable")
    assert {row["days"] for row in rows} == {"82", "235", "153"}


def test_the_page_shows_both_dates_on_one_scale_and_asks_for_nothing(folder):
    page = text_of(folder, "comparison.html")
    page = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    boxes = re.findall(r'<svg viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"', page)
    assert len(boxes) >= 2 * 4
    assert set(boxes) - {("220", "90")} == {("80.0", "80.0")}, "curves have a box of their own"
    assert page.count("<path") >= 6
    assert not re.search(r'(src|href)="(?!data:image/jpeg|#)', page)


def test_no_image_is_named_by_what_identifies_it(three, folder):
    named = [image.series.series_uid for case in three.cases for image in case.images]
    named += [image.geometry.frame_of_reference_uid for case in three.cases for image in case.images]
    for name in ("comparison.txt", "comparison.csv", "comparison.html", "comparison.json"):
        assert not [uid for uid in named if uid in text_of(folder, name)]


@pytest.mark.parametrize(
    ("value", "unit", "plain", "change"),
    [
        (1400.0, "mm3", "1.40 mL", "+1.40 mL"),
        (31.0, "mm3", "0.031 mL", "+0.031 mL"),
        (28.4, "%", "28 %", "+28 points"),
        (-0.04, "mm", "0.0 mm", "+0.0 mm"),
        (9.46, "mm", "9.5 mm", "+9.5 mm"),
        (0.7, "1", "0.70", "+0.70"),
        (None, "mm", "–", "–"),
    ],
)
def test_a_number_has_its_unit(value, unit, plain, change):
    assert quantity(value, unit) == plain
    assert quantity(value, unit, change=True) == change


def test_an_interval_names_its_unit_once():
    assert interval((12.6, 23.4), "%") == "13 to 23 %"
    assert interval((0.5, 0.75), "1") == "0.50 to 0.75"
    assert interval(None, "mm") == ""


def in_german(compared):
    """The examinations of a comparison as if they had been told in German: they hold no reason that would be quoted."""
    german = [replace(c, analysis=c.analysis.model_copy(update={"language": "de"})) for c in compared.cases]
    return [Examination(case, day) for case, day in zip(german, DATES, strict=True)]


def test_a_comparison_is_told_in_the_language_of_its_examinations(three):
    found = compare_examinations(in_german(three))
    text, page = " ".join(to_text(found.comparison).split()), to_page(found)
    assert found.comparison.language == "de"
    assert re.search(r"Läsion \w in L2 \(tumorverdächtig\): gewachsen\. Volumen \d,\d\d mL bis \d,\d\d mL", text)
    assert '<html lang="de">' in page
    quoted = {m.reason for case in three.cases for m in case.analysis.measurements} | {"lesion"}
    for reason in sorted(filter(None, quoted), key=len, reverse=True):
        text = text.replace(reason, "").replace(reason.rstrip("."), "")
    assert not english_left(text, "de")


def test_examinations_in_two_languages_are_refused(three):
    examinations = [Examination(three.cases[0], DATES[0]), *in_german(three)[1:]]
    with pytest.raises(InputError, match="examination 1 is told in 'de': expected 'en', as the baseline"):
        compare_examinations(examinations)
