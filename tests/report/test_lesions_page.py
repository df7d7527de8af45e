from __future__ import annotations

import re
from dataclasses import replace

import pytest

from spinemri.report.html_page import to_html
from spinemri.report.lesions import MOST_CARDS, lesion_section, marks
from spinemri.report.phrases import marrow_phrases
from spinemri.series import Contrast
from tests.report import cases
from tests.report.pages import Page


def parsed(source):
    page = Page()
    page.feed(source)
    assert page.open == []
    return page


def told(page):
    return " ".join(" ".join(page.text).replace("\u00a0", " ").split())


def with_analysis(case, **changes):
    return replace(case, analysis=case.analysis.model_copy(update=changes))


def many(case, count):
    """The case with its first lesion repeated under other names."""
    first = case.analysis.lesions[0]
    lesions = tuple(first.model_copy(update={"id": f"lesion-{n}"}) for n in range(1, count + 1))
    return with_analysis(case, lesions=lesions)


@pytest.fixture(scope="module")
def source(lesion_result):
    return (lesion_result / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source):
    return parsed(source)


def test_a_card_per_lesion_in_the_order_of_the_analysis(page):
    cards = [a for a in page.all("article") if "card" in a["class"]]
    assert [card["id"] for card in cards] == ["lesion-1", "lesion-2"]
    assert ["abnormal" in card["class"] for card in cards] == [True, False]
    assert "benign" in cards[1]["class"]


def test_a_card_tells_place_size_certainty_kinds_evidence_and_the_sentence(page):
    text = told(page)
    for words in (
        "L2 left 22 mm lesion-1",
        cases.TUMOUR_STATEMENT,
        "tumour-like 71 % atypical haemangioma 18 %",
        "Probability calibrated on simulated lesions a lesion at all 93 %",
        "22 mm, 3.7 cm³, 31 % of the body of L2",
        "T1w signal 0.45 × unaffected marrow, 0.74 × discs, 1.02 × muscle",
        "STIR signal 2.11 × unaffected marrow, 3.48 × muscle",
        "epidural 140 mm³ (left)",
        "bulges 2 mm behind the posterior wall",
    ):
        assert words in text
    assert "red-marrow island" not in text  # less than a tenth of the evidence
    assert "foraminal" not in text  # nothing reaches there


def test_pictures_are_outlined_small_and_have_an_alternative_text(source, page):
    pictures = [a for a in page.all("svg") if "aria-label" in a]
    assert len(pictures) == 2 + 2 * 2
    assert "T1w (series 3), sagittal slice 10 of 13 around L2 left, lesion-1 outlined, longest diameter 22 mm." in [
        picture["aria-label"] for picture in pictures
    ]
    paths = [a for a in page.all("path") if a.get("class", "").startswith("lesion")]
    assert [a["class"] for a in paths] == [*["lesion benign"] * 2, *["lesion"] * 2, *["lesion benign"] * 2]
    assert len(source.encode()) < 1_000_000


def test_the_table_has_a_row_per_lesion_with_key_ratios_and_what_is_missing(source):
    row = re.search(r'<tr id="row-lesion-2">(.*?)</tr>', source, re.DOTALL)[1]
    cells = re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
    assert [" ".join(re.sub("<[^>]+>", " ", cell).replace("\u00a0", " ").split()) for cell in cells] == [
        "lesion-2", "L4", "midline", "13 mm", "1.1 cm³", "5 %", "88 %", "focal fat 86 %, typical haemangioma 12 %",
        "1.84", "3.04", "0.32", "–", "STIR / muscle (too little muscle behind it to compare with)",
    ]  # fmt: skip


def test_what_no_lesion_has_is_told_once(source):
    assert source.count("no ADC map shows it") == 1
    assert "Measured for no lesion: T2w / marrow (no T2w series shows it)" in source


def test_one_lesion_alone_has_its_gaps_in_its_row(lesion_case):
    section = lesion_section(with_analysis(lesion_case, lesions=lesion_case.analysis.lesions[:1]))
    assert section.gaps == ""
    assert "ADC (no ADC map shows it)" in section.rows[0].remark


def test_a_level_with_a_lesion_is_marked_in_the_table_and_in_the_picture_of_the_spine(source, lesion_case):
    found = {level: [mark.tone for mark in there] for level, there in marks(lesion_case.analysis).items()}
    assert found == {"L2": ["abnormal"], "L4": ["benign"]}
    assert '<a class="mark abnormal" href="#lesion-1" title="lesion-1: tumour-like"' in source
    assert re.findall(r'<tspan class="remark">([^<]*)</tspan><tspan[^>]*>(\w+)</tspan>', source) == [
        ("−35 %", "L1"), ("●", "L2"), ("○", "L4"),
        ("−35 %", "L1"), ("●", "L2"), ("○", "L4"),
    ]  # fmt: skip


def test_every_link_leads_somewhere(page):
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = [a["href"] for a in page.all("a")]
    assert [link for link in links if "lesion-" in link].count("#lesion-1") == 3  # map, table of levels, of lesions
    assert {link.removeprefix("#") for link in links} <= ids


def test_the_page_asks_for_nothing_and_keeps_its_form(page):
    assert not {"link", "iframe", "object", "embed", "base", "form", "img"} & {tag for tag, _ in page.elements}
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "srcset"):
            assert attributes.get(name, "data:").startswith(("data:", "#"))
    assert len(page.all("caption")) == len(page.all("table")) == 4
    assert all(header.get("scope") in ("col", "row", "colgroup") for header in page.all("th"))
    assert page.controls_without_a_label() == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        assert attributes.get("aria-labelledby", ids[0]) in ids


def test_a_statement_is_shown_and_never_run(lesion_case):
    findings = tuple(f.model_copy(update={"statement": cases.XSS}) for f in lesion_case.analysis.findings)
    found = lesion_case.analysis.measurements
    measurements = tuple(m.model_copy(update={"reason": cases.XSS}) if m.value is None else m for m in found)
    source = to_html(with_analysis(lesion_case, findings=findings, measurements=measurements))
    page = parsed(source)
    assert cases.XSS not in source
    assert cases.XSS in "".join(page.text)
    assert len(page.all("script")) == 2
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_more_lesions_than_cards_are_all_in_the_table(lesion_case):
    case = many(lesion_case, MOST_CARDS + 2)
    page = parsed(to_html(case))
    assert len(page.all("article")) == MOST_CARDS
    rows = [a["id"] for a in page.all("tr") if a.get("id", "").startswith("row-")]
    assert len(rows) == MOST_CARDS + 2
    assert f"Pictures of the first {MOST_CARDS} of {MOST_CARDS + 2} lesions; the table holds all of them." in told(page)
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {a["href"].removeprefix("#") for a in page.all("a")} <= ids


@pytest.mark.parametrize("screened", [True, False])
def test_without_a_lesion_there_is_no_section(case, lesion_case, screened):
    shown = with_analysis(case, marrow=lesion_case.analysis.marrow) if screened else case
    source = to_html(shown)
    assert lesion_section(shown) is None
    assert 'id="lesions"' not in source
    assert "<article" not in source
    assert (marrow_phrases.NOT_RUN in source) is not screened


def test_fat_suppressed_t2_has_its_own_name(lesion_case):
    def renamed(record):
        series = record.series
        contrast = Contrast.T2W_FS if series.contrast is Contrast.STIR else series.contrast
        return record.model_copy(update={"series": series.model_copy(update={"contrast": contrast})})

    section = lesion_section(with_analysis(lesion_case, series=tuple(map(renamed, lesion_case.analysis.series))))
    assert "T2w-FS signal" in [fact.title for fact in section.cards[0].facts]
    assert ("T2w-FS", "marrow") in section.ratio_titles
    assert [picture.title for picture in section.cards[0].pictures] == ["T1w (series 3)", "T2w-FS (series 4)"]


def test_the_lesion_model_is_named_with_its_checksum(page):
    text = told(page)
    assert "Lesion model marrow_lesion 0.1.0" in text
    assert "7b" * 32 in text
