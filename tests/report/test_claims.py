"""Over many synthetic studies: no number without its unit, no measurement without its level, no claim without evidence.

What a number may stand beside is listed here by name; anything else must be followed by a unit, or share one with the
numbers that follow it ("heights anterior 16.9, middle 21.5, posterior 26.0 mm").
"""

from __future__ import annotations

import re

import pytest

from spinemri.report.narrative import narrate
from spinemri.report.phrases import oncology_phrases, phrases
from tests.report.studies import studies

SEEDS = range(100)
LEVEL = re.compile(r"\b[CTLSV]\d{1,2}\b")
NUMBER = r"[−+-]?\d+(?:\.\d+)?"
UNIT = r"(?:%|mm[²³]?(?:/s)?|cm³|ml|°|degrees|points|SD|ms|T|h|years|times|×)(?![\w])"
NAMES = (  # numbers that are part of a name, a code, a score or a reference
    r"\b(?:T[12]w|T2w-FS)\b",
    r"\bModic [123]\b",
    r"\bOF(?: >=)? ?\d\b",
    r"\bPMC\d+|\(PMID \d+\)|\(n = \d+\)|\d{4};\d+:\d+|et al\. \d{4}",
    r"\bESCC [23] at\b",
    r"\(ESCC\) (?:at least )?grade [123][abc]? on axial _ slices(?:, [123][abc]? to [123][abc]? within)?",
    r"\bCategory [123]\b|\bgrade \d(?: \(\d to \d within reader[^)]*\))?",
    r"\bseries \d+(?: and \d+)?|\bSeries \d+",
    r"\bratio -?\d+\.\d+|\bmean of \d+\.\d+",  # ratios of lengths and of signals have no unit
)
POINTS = (  # of SINS: intervals of points and its components
    r"\bSINS (?:interval )?\d+(?:-\d+)?(?: of \d+)?",
    r"\b(?:location|pain|bone lesion|alignment|collapse|posterolateral) \d(?:-\d)?(?= \()",
    r"not determined \(\d+-\d+\)",
    r"From \d+ on the score's",
)
COUNTS = (  # of things that are named
    r"\b\d+ of (?:the )?\d+\b(?! ?mm)",
    r"\b\d+(?: other)? (?:vertebrae|places?|levels|series|slices|patients|healthy adults|simulated)\b",
    r"\bthe other \d+ vertebrae|discs measured: \d+|fewer than \d+ vertebrae|expected at least \d+",
    r"\blesions: \d+ \((?:\d+ focal)?|\b\d+ of unknown size",
    r"\b(?:cervical|thoracic|lumbosacral|lumbar|sacral|unnamed) \d+",
    r"\b\d+ × \d+(?=, )",
)
QUANTITY = re.compile(rf"{NUMBER} ?{UNIT}")
AFTER = re.compile(rf" ?{UNIT}")
JOINED = re.compile(r"(?:,| to| \+-| x| ×| and)?(?: [a-z_-]+){0,3} ?")
"""What may stand between two numbers that share the unit behind the second."""
FIXED = (  # told of the software or of the examination as a whole, whatever was measured
    phrases.COMPARISON_NONE,
    phrases.INDICATION_NONE,
    phrases.ONLY_SAGITTAL,
    phrases.HEIGHT_LOSS_SHAPE,
    phrases.HEIGHT_LOSS_LIMITS,
    oncology_phrases.NO_CLEARANCE,
)
NO_LEVEL = (
    "No tumour-like lesion detected above",
    "Tumour-like lesions:",
    "The study lacks",
)  # counts, and what is lacking


@pytest.fixture(scope="module")
def analyses():
    return studies(SEEDS)


@pytest.fixture(scope="module")
def told(analyses):
    """Every sentence of every study: its study, the title of its section, itself."""
    return [
        (analysis, section.title, sentence)
        for analysis in analyses
        for section in narrate(analysis).sections
        for part in (section, *section.parts)
        for sentence in part.sentences
    ]


def bare_numbers(text):
    """Numbers of a text that have neither a unit nor a name."""
    for pattern in (LEVEL.pattern, *NAMES, *POINTS, *COUNTS):
        text = re.sub(pattern, "_", text)
    bare, after, good = [], "", True  # from the last number to the first: the next one may lend its unit
    for match in reversed(list(re.finditer(NUMBER, text))):
        rest = text[match.end() :]
        shared = good and after and JOINED.fullmatch(rest[: len(rest) - len(after)]) is not None
        good = AFTER.match(rest) is not None or bool(shared)
        after = text[match.start() :]
        bare = bare if good else [match[0], *bare]
    return bare


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("L1: 35 % height loss; heights anterior 16.9, middle 21.5, posterior 26.0 mm.", []),
        ("L1: height 16.9.", ["16.9"]),
        ("L2-L3: thecal sac 6.4 AP, 54 % lost.", ["6.4"]),
        ("3 of 7 vertebrae, T1w and STIR, Modic 1.", []),
        ("Cord 5.6 to 6.5 mm AP at the 5 places measured, narrowest at L1.", []),
        ("Cord 5.6 to 6.5 AP.", ["5.6", "6.5"]),
    ],
)
def test_a_number_without_a_unit_is_seen(text, bare):
    assert bare_numbers(text) == bare


def test_no_number_without_a_unit(told):
    texts = {sentence.text for _, title, sentence in told if title != phrases.EXAMINATION}  # tokens, and fixed cautions
    assert not {text: bare for text in texts if (bare := bare_numbers(text))}


def test_no_measurement_without_its_level(told):
    sections = (phrases.URGENT, phrases.FINDINGS, phrases.IMPRESSION)
    quantities = [s.text for _, title, s in told if title in sections and QUANTITY.search(s.text)]
    assert len(quantities) > 200
    assert not {text for text in quantities if not LEVEL.search(text) and not text.startswith(NO_LEVEL)}


def test_no_claim_without_evidence_and_no_evidence_that_is_not_there(told):
    headers = (phrases.EXAMINATION, phrases.TECHNIQUE, phrases.INDICATION)  # facts of headers and of the user
    claims = [(analysis, s) for analysis, title, s in told if title not in headers and s.text not in FIXED]
    claims = [(analysis, s) for analysis, s in claims if not s.text.startswith("This version does not assess")]
    assert len(claims) > 500
    assert not [s.text for _, s in claims if not s.evidence]
    for analysis, sentence in claims:
        own = (analysis.measurements, analysis.findings, analysis.lesions)
        known = {one.id for ones in own for one in ones} | {"marrow"}  # the screen of the marrow
        assert set(sentence.evidence) <= known, sentence.text


def test_no_blank_is_left_and_nothing_is_said_twice_in_the_impression(analyses, told):
    assert not [s.text for _, _, s in told if re.search(r"[{}]|\bnan\b|\bNone\b(?!\.)", s.text)]
    for analysis in analyses:
        said = [s.text for study, title, s in told if study is analysis and title == phrases.IMPRESSION]
        assert len(said) == len(set(said))
