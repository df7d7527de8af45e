"""Every language says the same things: the same phrases with the same blanks, and nothing that is left in English.

What the program says stands in ``spinemri/phrases/``, one file per language. A sentence that is written into the code
instead could not be translated: it is looked for in the source, and in a whole report in another language.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from string import Formatter

import pytest

from spinemri.analysis import Analysis
from spinemri.errors import InputError
from spinemri.language import (
    ENGLISH,
    Phrases,
    catalogue,
    languages,
    listed,
    number,
    of_count,
    speaking,
    spoken,
)
from spinemri.networks import load_networks
from spinemri.pipeline import Options
from spinemri.report.html_page import to_html
from spinemri.report.json_file import to_json
from spinemri.report.notebook import as_html
from spinemri.report.text import to_text
from spinemri.terms import kind_of, name_of, term
from tests.languages import english_left, texts, words_of
from tests.report.cases import case, with_lesions
from tests.report.studies import studies

PACKAGE = Path(__file__).resolve().parents[1] / "spinemri"
OTHERS = [language for language in languages() if language != ENGLISH]
MACHINES = ("bids", "dicom_", "fhir", "masks", "rtstruct", "csv_files")  # formats that machines read
SAYING = ("assess", "measure", "merge", "register", "revise", "report", "compare")
NOT_SAID = {  # strings of two words or more that nobody reads as a sentence
    "no norm of people lying down",  # source of a finding
    "bone lesion",  # a component of SINS by its code
    ": category not determined",  # a grade by its code
    "lesion benign",  # classes of a style sheet
    '<div class="spinemri"><p><b>',
    '<font color="',
}
AT_HAND = {  # what tests/report/studies.py and cases.py write themselves
    "the wall cannot be followed", "no slice crosses it", "the field of view cuts it",
}  # fmt: skip


def blanks(text):
    """What is filled into a text, and how it is written; the order is the language's own matter."""
    return sorted((name, form, turned or "") for _, name, form, turned in Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_the_same_phrases_with_the_same_blanks(language):
    english, other = texts(ENGLISH), texts(language)
    assert other.keys() == english.keys()
    assert {at: blanks(text) for at, text in other.items()} == {at: blanks(text) for at, text in english.items()}
    empty = [at for at, text in english.items() if text.strip() and not other[at].strip()]
    assert not empty


@pytest.mark.parametrize("language", OTHERS)
def test_fragments_keep_the_spaces_and_signs_that_join_them(language):
    english, other = texts(ENGLISH), texts(language)
    for at, text in english.items():
        assert text[:1].isspace() <= (other[at][:1].isspace() or other[at][:1] in ",;"), at
        assert text[-1:].isspace() == other[at][-1:].isspace(), at


def test_every_phrase_is_used():
    source = "\n".join(
        path.read_text(encoding="utf-8") for ending in ("py", "html") for path in PACKAGE.rglob(f"*.{ending}")
    )
    used = set(re.findall(r"\.([A-Z][A-Z0-9_]*)\b|\[[\"']([A-Z][A-Z0-9_]*)[\"']\]", source))
    names = {name for pair in used for name in pair}
    unused = [
        (section, name) for section, entries in catalogue(ENGLISH).items() for name in entries if name not in names
    ]
    assert not unused


def test_every_blank_is_filled():
    """Where the code fills a phrase of its own section with named values, it gives just those that are asked for."""
    looked_at = 0
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        phrases = catalogue(ENGLISH).get(own_section(tree), {})
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = filled(call)
            if isinstance(phrases.get(name), str) and not call.args and all(word.arg for word in call.keywords):
                asked = {blank for blank, *_ in blanks(phrases[name])}
                assert {word.arg for word in call.keywords} == asked, f"{path.name}:{call.lineno} {name}"
                looked_at += 1
    assert looked_at > 300


def own_section(tree):
    """The section of which a module makes its ``phrases``; '' where it has none of its own."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and re.match(r"(phrases|_SAID|_WORDS) = Phrases\(", ast.unparse(node)):
            return ast.literal_eval(node.value.args[0])
    return ""


def filled(call):
    """'TITLE' of ``phrases.TITLE.format(…)``, else ''."""
    found = re.fullmatch(r"(?:phrases|_SAID|_WORDS)\.([A-Z0-9_]+)\.format", ast.unparse(call.func))
    return found[1] if found else ""


def test_no_sentence_is_written_into_the_code():
    codes = set(catalogue(ENGLISH)["terms"]["TERMS"])
    left = [
        (path.relative_to(PACKAGE).as_posix(), line, text)
        for folder in SAYING
        for path in sorted((PACKAGE / folder).glob("*.py"))
        if not path.name.startswith(MACHINES)
        for line, text in sentences(ast.parse(path.read_text(encoding="utf-8")))
        if text not in codes | NOT_SAID
    ]
    assert not left


def sentences(tree):
    """Strings with two English words in a row, in functions; not in docstrings, nor in what an error says."""
    found = []

    def walk(node, inside):
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            return
        inside = inside or isinstance(node, ast.FunctionDef)
        if inside and isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.extend([(node.lineno, node.value)] if re.search(r"[a-z]{2,} [a-z]{2,}", node.value) else [])
        for child in ast.iter_child_nodes(node):
            walk(child, inside)

    walk(tree, inside=False)
    return found


def told_in(language):
    """Analyses of synthetic studies, and a case with lesions, told in a language."""
    with speaking(language):
        made = [*studies(range(12)), by_hand(with_lesions(case()).analysis)]
    return [hidden(analysis.model_copy(update={"language": language})) for analysis in made]


def by_hand(analysis):
    """An analysis that was not made by rules but written by the tests, without their English statements and reasons."""
    document = re.sub(r'"(statement|reason|refusal|description)": "[^"]+"', r'"\1": "1"', to_json(analysis))
    return Analysis.model_validate_json(document)


def hidden(analysis):
    """The analysis without what the tests write in English themselves: reasons, notes and the user's words."""
    own = (
        AT_HAND
        | {*analysis.warnings, *analysis.spine.warnings, *analysis.marrow.warnings}
        | {record.reason for record in analysis.series}
    )
    document = to_json(analysis)
    for text in sorted(filter(None, own), key=len, reverse=True):
        document = document.replace(text, "1")
    return Analysis.model_validate_json(document).model_copy(update={"clinical": None})


@pytest.mark.parametrize("language", OTHERS)
def test_no_english_word_is_left_in_a_report(language):
    left = {}
    for analysis in told_in(language):
        lines = re.sub(r"\[[^\]]*\]", "", to_text(analysis)).split("\n")
        lines += [finding.statement for finding in analysis.findings]
        models = words_of(" ".join(model.name for model in analysis.provenance.models))
        for line in lines:
            if found := english_left(line, language) - models:
                left[line] = found
    assert not left


@pytest.mark.parametrize("language", OTHERS)
def test_numbers_of_a_report_have_the_sign_of_the_language(language):
    with speaking(language):
        sign = Phrases("language").DECIMAL_SIGN
    for analysis in told_in(language):
        report = re.sub(r"\[[^\]]*\]", "", to_text(analysis))
        values = re.findall(r"\d+([.,])\d+ (?:mm|%|ml|cm³|T\b|×|Grad\b)", report)
        assert values
        assert set(values) == {sign}


@pytest.mark.parametrize("language", OTHERS)
def test_the_page_says_its_language_and_nothing_in_english(language):
    with speaking(language):
        made = with_lesions(case())
    analysis = hidden(by_hand(made.analysis).model_copy(update={"language": language}))
    page = to_html(replace(made, analysis=analysis))
    assert f'<html lang="{language}">' in page
    hide = r"<(style|script)\b.*?</\1>|<code>.*?</code>|<section class=\"provenance\".*?</section>"
    body = re.sub(hide, " ", page, flags=re.DOTALL)
    shown = re.sub(r"<[^>]*>", " ", body)
    named = " ".join(re.findall(r'(?:aria-label|title|placeholder)="([^"]*)"', body))
    left = english_left(f"{shown} {named}", language) - {"lesion"}  # lesions are called lesion-1 …
    assert not left


def test_the_document_says_in_which_language_it_is_and_old_ones_are_english():
    analysis = case().analysis
    assert '"language": "en"' in to_json(analysis)
    older = re.sub(r'\s*"language": "en",', "", to_json(analysis), count=1)
    assert "language" not in older
    assert to_json(Analysis.model_validate_json(older)) == to_json(analysis)


def test_a_report_is_in_the_language_of_its_analysis_whatever_is_spoken():
    analysis = case().analysis
    plain = to_text(analysis), as_html(analysis)
    with speaking("de"):
        assert (to_text(analysis), as_html(analysis)) == plain
    german = analysis.model_copy(update={"language": "de"})
    assert "BEURTEILUNG" in to_text(german)
    assert spoken() == ENGLISH


def test_an_unknown_language_is_refused_before_the_work_begins():
    with pytest.raises(InputError, match=r"language 'xx': expected one of en, de"):
        Options(language="xx")


def test_numbers_lists_and_counts_are_the_languages_matter():
    assert (number(4.5, ".1f"), listed(["A"]), listed(["A", "B", "C"]), listed([])) == ("4.5", "A", "A, B and C", "")
    with speaking("de"):
        assert (number(4.5, ".2f"), listed(("A", "B"))) == ("4,50", "A und B")
        words = Phrases("dicom.load")
        said = [of_count(n, words.COPY_DROPPED, words.COPIES_DROPPED).format(copies=n) for n in (1, 2)]
        assert said == ["1 genaue Kopie von Schichten verworfen", "2 genaue Kopien von Schichten verworfen"]


def test_codes_have_words_and_what_is_no_word_stays():
    assert term("left, epidural tumour") == "left, epidural tumour"
    assert (term("II"), name_of("slip_mm"), kind_of("vertebral_height_loss")) == ("II", "slip", "vertebral height loss")
    with speaking("de"):
        assert term("left, epidural tumour") == "links, epiduraler Tumor"
        assert (term("II"), name_of("slip_mm")) == ("II", "Wirbelgleiten")


def test_a_phrase_that_does_not_exist_is_an_error_and_never_english():
    with speaking("de"), pytest.raises(AttributeError, match="no phrase NOWHERE in section report of language de"):
        _ = Phrases("report").NOWHERE


@pytest.mark.parametrize("language", languages())
def test_every_network_of_an_analysis_has_words(language):
    with speaking(language):
        words = Phrases("report")["MODEL_ROLES"]
        assert set(load_networks("cpu").models) == set(words)
