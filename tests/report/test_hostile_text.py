"""Markup in every text that can reach the page, from headers, clinical file and review: none of it is ever run."""

from __future__ import annotations

import re
from itertools import cycle

import pydicom
import pytest

from spinemri.clinical import Clinical
from spinemri.dicom.values import lenient
from spinemri.pipeline import Options, finish
from spinemri.report.html_page import to_html
from tests.report.browser import CHROMIUM, browser
from tests.revise import reviewed

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: apt-get install chromium)")

PAYLOADS = (
    "<img src=x onerror='window.hit=1'>",
    "</script><script>window.hit=1</script>",
    '\'" onmouseover=window.hit=1 x="',
    "<svg/onload=window.hit=1>",
    "--><svg onload=window.hit=1><!--",
    "javascript:window.hit=1//{{7*7}}",
    "\u2028;window.hit=1;\u2028</title>",
)
TEXTS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT", "AS", "DA", "TM", "DT"})
READ = frozenset(
    {
        "PhotometricInterpretation",
        "SOPClassUID",
        "ImageType",
        "ScanningSequence",
        "SequenceVariant",
        "Modality",
        "SeriesInstanceUID",
    }
)
"""Not changed: without them the series would not be read at all."""


def poisoned(folder) -> None:
    """A study whose every text element holds a payload; elements that were absent are added."""
    reviewed.write_study(folder)
    absent = [
        "SeriesDescription",
        "ProtocolName",
        "BodyPartExamined",
        "SequenceName",
        "PatientName",
        "PatientComments",
        "StudyDescription",
        "InstitutionName",
        "ManufacturerModelName",
        "ContrastBolusAgent",
        "ImageComments",
        "AccessionNumber",
        "DeviceSerialNumber",
    ]
    for path in sorted(folder.iterdir()):
        turn, ascii_turn = cycle(PAYLOADS), cycle(text for text in PAYLOADS if text.isascii())
        with pydicom.config.disable_value_validation():
            dataset = pydicom.dcmread(path)
            for keyword in absent:
                setattr(dataset, keyword, "x")
            kinds = {e.keyword: e.VR for e in dataset if e.VR in TEXTS and e.keyword not in READ and e.keyword}
            for keyword, vr in kinds.items():
                setattr(dataset, keyword, next(turn if vr in {"LO", "LT", "PN", "SH", "ST"} else ascii_turn))
            dataset.SpecificCharacterSet = "ISO_IR 192"
            dataset.save_as(path)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> str:
    """The page of the poisoned study, with identifiers, a clinical file and a review as hostile as its headers."""
    folder = tmp_path_factory.mktemp("study")
    with lenient():
        poisoned(folder)
    said = Clinical(indication=" ".join(PAYLOADS), primary=PAYLOADS[0])
    loaded, reading = reviewed.read(folder, keep_identifiers=True, clinical=said)
    options = Options(token_key=reviewed.KEY, keep_identifiers=True, clinical=said)
    first = finish(loaded, reading, reviewed.networks(), options)
    ids = [finding.id for finding in first.analysis.findings][: len(PAYLOADS)]
    verdicts = [
        reviewed.decision("finding", id_, "correct", text=text) for id_, text in zip(ids, PAYLOADS, strict=False)
    ]
    verdicts += [
        reviewed.decision("finding", PAYLOADS[1], "reject", text=PAYLOADS[3]),
        reviewed.decision("lesion", PAYLOADS[0], "reject", text=PAYLOADS[4]),
        reviewed.decision("lesion", "lesion-1", "correct", text=PAYLOADS[1]),
    ]
    words = {"reviewer": PAYLOADS[1], "comment": " ".join(PAYLOADS)}
    review = reviewed.review_of(first.analysis, *verdicts, **words)
    last = Options(token_key=reviewed.KEY, keep_identifiers=True, clinical=said, review=review)
    return to_html(finish(loaded, reading, reviewed.networks(), last))


def test_no_payload_runs_even_without_the_pages_policy(source, tmp_path):
    """The policy would stop a script that got in; here it is taken away, so that only escaping protects."""
    bare, removed = re.subn(
        r"<meta http-equiv=.Content-Security-Policy.*?>", "", source, flags=re.DOTALL | re.IGNORECASE
    )
    assert removed == 1
    path = tmp_path / "report.html"
    with browser(tmp_path / "profile") as tab:
        for text in (bare, source):
            path.write_text(text, encoding="utf-8")
            tab.open(path)
            tab.run("document.querySelectorAll('th button, summary').forEach(e => e.click())")
            tab.run("document.querySelectorAll('main *').forEach(e => e.dispatchEvent(new MouseEvent('mouseover')))")
            assert tab.run("window.hit") is None
            assert tab.run("document.documentElement.classList.contains('js')")
            handlers = (
                "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => /^on/i.test(a.name))"
            )
            assert tab.run(f"{handlers}.length") == 0
            assert tab.run("document.querySelectorAll('main script, main img, main iframe, main object').length") == 0
            assert tab.run(
                "[...document.querySelectorAll('[href], [src]')]"
                ".every(e => !/javascript:/i.test(e.href || e.src || ''))"
            )
            assert tab.faults() == []


def test_the_payloads_did_reach_the_page_as_text(source, tmp_path):
    """A test of escaping shows nothing when the words are not there."""
    path = tmp_path / "report.html"
    path.write_text(source, encoding="utf-8")
    with browser(tmp_path / "profile") as tab:
        tab.open(path)
        shown = tab.run("document.body.textContent")
    seen = [payload for payload in PAYLOADS if payload.split("\u2028")[-1] in shown]
    assert len(seen) >= 5
