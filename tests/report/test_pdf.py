"""The PDF says all that the narrative says, in fonts of its own, on two to four sheets, and nothing off the paper."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from pypdf import PdfReader
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth

from spinemri.report.narrative import narrate
from spinemri.report.pdf import MOST_PICTURED, to_pdf
from spinemri.report.pdf_style import BOLD, MARGIN, REGULAR, register_fonts
from spinemri.report.phrases import marrow_phrases, phrases
from spinemri.report.profiles import profiles
from spinemri.spine import Spine
from tests.report import cases

SIGNS = "– × ° ² ³ ≥ ≤ ± − ⁻ … µ Ł ß"


def squeezed(text):
    """Text without its line breaks, and without the frame of the pages."""
    text = re.sub(rf"{re.escape(phrases.RESEARCH_USE)} Study \S+\s*Page \d+ of \d+", " ", text)
    return re.sub(r"\s+", "", text)


def read(data):
    return PdfReader(io.BytesIO(data))


@pytest.fixture(scope="module")
def pages(lesion_case):
    return read(to_pdf(lesion_case)).pages


def pictured(pages):
    """How many pictures are drawn; one that is drawn twice lies in the file once."""
    return sum(len(re.findall(rb"\bDo\b", page.get_contents().get_data())) for page in pages)


def drawn(analysis):
    """How many profiles stand on paper."""
    return len(profiles(analysis)[:3])


def sentences(analysis):
    for section in narrate(analysis).sections:
        yield from section.sentences
        for part in section.parts:
            yield from part.sentences


def test_every_sentence_of_the_narrative_stands_in_the_pdf(pages, lesion_case):
    text = squeezed("\n".join(page.extract_text() for page in pages))
    missing = [s.text for s in sentences(lesion_case.analysis) if squeezed(s.text) not in text]
    assert not missing
    for told in (phrases.DISCLAIMER_TEXT, *(m.sha256 for m in lesion_case.analysis.provenance.models)):
        assert squeezed(told) in text


def test_urgent_findings_come_before_the_impression_and_that_before_everything_else(pages):
    first = pages[0].extract_text()
    at = [first.index(title) for title in (phrases.RESEARCH_USE, phrases.URGENT, phrases.IMPRESSION)]
    assert at == sorted(at)
    assert phrases.FINDINGS not in first


def test_two_to_four_sheets_each_with_study_use_and_number(pages, lesion_case):
    assert 2 <= len(pages) <= 4
    for number, page in enumerate(pages, start=1):
        text = page.extract_text()
        assert phrases.PDF_PAGE.format(number=number, count=len(pages)) in text
        assert lesion_case.analysis.study in text
        assert phrases.RESEARCH_USE in text


def test_no_text_lies_outside_the_margins(pages):
    register_fonts()
    width, height = A4
    for page in pages:
        found = []

        def seen(text, *how, found=found):
            matrix, place, font, size = how
            if text.strip() and font is not None:
                name = BOLD if "Bold" in str(font["/BaseFont"]) else REGULAR
                (a, _, _, _, e, f), (x, y) = matrix, place[4:]
                wide = max(stringWidth(line.strip(), name, size * place[0]) for line in text.splitlines())
                found.append((a * x + e, a * x + e + a * wide, y + f))

        page.extract_text(visitor_text=seen)
        assert len(found) > 5
        assert min(left for left, _, _ in found) >= MARGIN - 1
        assert max(right for _, right, _ in found) <= width - MARGIN + 3  # pypdf counts some gaps twice
        assert all(20 < low < height - 20 for _, _, low in found)


def test_fonts_lie_in_the_file_and_have_every_sign(case):
    strange = case.analysis.model_copy(update={"warnings": (f"Signs {SIGNS} end.",)})
    pdf = read(to_pdf(replace(case, analysis=strange)))
    fonts = [
        page["/Resources"]["/Font"][name].get_object() for page in pdf.pages for name in page["/Resources"]["/Font"]
    ]
    own = [font for font in fonts if "DejaVu" in font["/BaseFont"]]
    assert own
    assert all("/FontFile2" in font["/FontDescriptor"] for font in own)
    used = {font["/BaseFont"] for font in fonts} - {font["/BaseFont"] for font in own}
    assert used <= {"/Helvetica"}  # reportlab names it on every page and writes nothing in it
    assert squeezed(SIGNS) in squeezed("".join(page.extract_text() for page in pdf.pages))


def test_markup_from_a_header_is_text(case):
    said = f"Series 3: <b>{cases.XSS}</b> & more."
    strange = case.analysis.model_copy(update={"warnings": (said,)})
    assert squeezed(said) in squeezed(
        "".join(p.extract_text() for p in read(to_pdf(replace(case, analysis=strange))).pages)
    )


def test_every_used_series_and_the_first_lesions_are_pictured(pages, lesion_case):
    assert pictured(pages) == drawn(lesion_case.analysis) + len(lesion_case.images) * (
        1 + min(MOST_PICTURED, len(lesion_case.analysis.lesions))
    )


def test_of_many_lesions_the_first_are_pictured_and_all_stand_in_the_table(lesion_case):
    tumour = lesion_case.analysis.lesions[0]
    many = tuple(tumour.model_copy(update={"id": f"lesion-{n}"}) for n in range(1, 31))
    analysis = lesion_case.analysis.model_copy(update={"lesions": many})
    pdf = read(to_pdf(replace(lesion_case, analysis=analysis)))
    text = squeezed("".join(page.extract_text() for page in pdf.pages))
    assert squeezed(marrow_phrases["PAGE"]["more"].format(shown=MOST_PICTURED, count=30)) in text
    assert all(f"lesion-{n}" in text for n in range(1, 31))
    assert pictured(pdf.pages) == drawn(analysis) + len(lesion_case.images) * (1 + MOST_PICTURED)


def test_a_study_in_which_nothing_was_seen_makes_a_report_too(case):
    empty = case.analysis.model_copy(update={"spine": Spine(), "measurements": (), "findings": (), "alignments": ()})
    text = "".join(page.extract_text() for page in read(to_pdf(replace(case, analysis=empty))).pages)
    assert phrases.NOTHING_MEASURED in text
    assert squeezed(phrases.LEVELS_NONE) in squeezed(text)


def test_a_study_without_images_makes_a_report_without_pictures(case):
    records = tuple(record.model_copy(update={"used": False}) for record in case.analysis.series)
    bare = replace(case, analysis=case.analysis.model_copy(update={"series": records}), images=(), segmentations=())
    pdf = read(to_pdf(bare))
    assert pictured(pdf.pages) == drawn(bare.analysis) > 0, "the numbers are there still"
    assert phrases["PAGE"]["pictures"] not in pdf.pages[0].extract_text()


def test_the_same_case_gives_the_same_bytes(lesion_case):
    assert to_pdf(lesion_case) == to_pdf(lesion_case)
