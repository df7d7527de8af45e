from __future__ import annotations

import base64
import hashlib
import json
import re
import time

import pytest

from spinemri.report.figure import lines_to_draw
from spinemri.report.html_page import to_html
from tests.report import cases
from tests.report.pages import Page


@pytest.fixture(scope="module")
def source(result):
    return (result / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source):
    parsed = Page()
    parsed.feed(source)
    assert parsed.open == []
    return parsed


def test_the_page_is_one_small_file_that_asks_for_nothing(source, page):
    assert len(source.encode()) < 5_000_000
    assert not {"link", "iframe", "object", "embed", "base", "form", "img"} & {tag for tag, _ in page.elements}
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "srcset"):
            assert attributes.get(name, "data:").startswith(("data:", "#"))
    style = source[source.index("<style>") : source.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_names_the_one_script_and_the_one_style_by_their_checksums(source, page):
    (policy,) = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert page.all("script") == [{"type": "application/json", "id": "report-data"}, {}]
    for tag in ("script", "style"):
        ((text,), rule) = re.findall(rf"<{tag}>(.*?)</{tag}>", source, re.DOTALL), rules[f"{tag}-src"]
        assert rule == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    for rule in ("connect-src", "unsafe-eval", "http", "*"):
        assert rule not in policy


def test_what_the_script_is_handed_is_json_that_cannot_leave_its_element(source):
    (text,) = re.findall(r'<script type="application/json" id="report-data">(.*?)</script>', source, re.DOTALL)
    assert not set("<>&\u2028\u2029") & set(text)
    document = json.loads(text)
    assert [len(series["slices"]) for series in document["series"]] == [13, 11]
    assert document["review"]["analysis"]["study"] == "6c1fd0a9b2e84431"


def test_text_from_headers_is_shown_and_never_run(source, page):
    assert cases.XSS not in source
    assert cases.XSS in "".join(page.text)
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_a_picture_per_series_with_an_alternative_text(page):
    pictures = [attributes for attributes in page.all("svg") if "aria-label" in attributes]
    assert len(pictures) == 2
    assert all("T11-S1" in picture["aria-label"] for picture in pictures)
    for image in page.all("image"):
        kind, data = image["href"].split(",")
        assert kind == "data:image/jpeg;base64"
        assert base64.b64decode(data).startswith(b"\xff\xd8")


def test_names_stand_beside_the_bodies_from_head_to_foot(source):
    names = re.findall(
        r'<text class="name"[^>]*y="([\d.]+)"[^>]*>(?:<tspan class="remark">([^<]*)</tspan>)?(.*?)</text>', source
    )
    first = [(float(y), remark, re.sub("<[^>]+>", "", text)) for y, remark, text in names[:8]]
    assert [text for _, _, text in sorted(first)] == [str(level) for level in cases.LEVELS]
    assert [(text, remark) for _, remark, text in first if remark] == [("L1", "−35 %")]


def test_only_lengths_measured_on_a_series_are_drawn_on_it(case):
    on_t1 = {m.id for m in lines_to_draw(case.analysis, "tok-t1")}
    on_stir = {m.id for m in lines_to_draw(case.analysis, "tok-stir")}
    assert on_t1 == {"L1.anterior_height", "L1.middle_height", "L1.posterior_height"}
    assert on_stir == {"L2-L3.dural_sac_ap"}


def test_tables_have_captions_and_headers_with_a_scope(source, page):
    assert len(page.all("caption")) == len(page.all("table")) == 3
    assert all(header.get("scope") in ("col", "row", "colgroup") for header in page.all("th"))
    assert [a["id"] for a in page.all("tr") if "id" in a] == [f"level-{level}" for level in cases.LEVELS]


def test_every_control_has_a_label_and_every_region_a_name(page):
    assert page.controls_without_a_label() == []
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for _, attributes in page.elements:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids
        if attributes.get("role") == "region":
            assert "aria-labelledby" in attributes or "aria-label" in attributes


def test_what_was_refused_and_skipped_is_shown_with_its_reason(page):
    text = " ".join("".join(page.text).split())
    assert "a localizer; expected at least 5" in text
    assert "2 files: no DICOM file" in text
    assert "1 file: pixel data truncated" in text


def test_numbers_stay_with_their_units(page):
    text = "".join(page.text)
    assert "35\u00a0%\u00a0height" not in text
    assert "6.4\u00a0mm AP" in text
    assert "1.3 × 1.1\u00a0mm in plane" in text


def test_three_series_are_written_in_two_seconds(three_plane_case):
    start = time.process_time()
    to_html(three_plane_case)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("kind", ["fracture", "lesion", "narrowing", "other", "benign"])
def test_marks_of_the_map_stand_out(source, mode, kind):
    """What is no text needs a contrast of 3 (WCAG 1.4.11)."""
    themes = re.findall(r":root \{(.*?)\}", source, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", themes[mode]))
    assert contrast(colours[kind], colours["paper"]) >= 3


def test_light_dark_and_paper_have_styles(source):
    for rule in ("prefers-color-scheme: dark", "@media print", "max-width: 800px", ":focus-visible"):
        assert rule in source


@pytest.mark.parametrize(
    ("ink", "paper"), [(n, p) for n in ("ink", "muted", "accent", "bad", "warn") for p in ("paper", "card")]
)
@pytest.mark.parametrize("mode", [0, 1])
def test_colours_have_enough_contrast(source, mode, ink, paper):
    themes = re.findall(r":root \{(.*?)\}", source, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", themes[mode]))
    assert contrast(colours[ink], colours[paper]) >= 4.5


def contrast(first, second):
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    """Relative luminance after WCAG 2."""
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
