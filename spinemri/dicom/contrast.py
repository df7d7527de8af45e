"""Contrast from the header: physics decides, names only break ties.

The rows of ``RULES`` are read from the top; the first that applies decides. Thresholds: inversion recovery is STIR only
when the inversion time nulls fat (120-260 ms; from 80 ms below 1 T, where fat relaxes faster), so that T1-FLAIR and
T2-FLAIR never pass for it. T1: TR < 1200 ms, TE < 30 ms. T2: TE >= 70 ms. PD: TE < 40 ms, TR > 2000 ms. Between these
bands the name may choose. A *spatial* saturation band (ScanOptions SAT, SP) is no fat suppression.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.language import Phrases, number
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Callable

    from spinemri.dicom.facts import SequenceFacts

phrases = Phrases("dicom.contrast")

_FAT_SUPPRESSION = frozenset({"FS", "FATSAT", "FAT_SAT", "FATSAT_GEMS", "SPIR", "SPAIR", "SFS", "WE"})
_WATER, _FAT = frozenset({"W", "WATER"}), frozenset({"F", "FAT"})
_IN = frozenset({"IP", "IN_PHASE", "INPHASE", "IN-PHASE"})
_OPPOSED = frozenset({"OP", "OPP_PHASE", "OUT_PHASE", "OUTPHASE", "OPPOSED_PHASE", "OUT-OF-PHASE"})
_WORD = r"(?<![A-Z0-9])(?:{})(?![A-Z0-9])"

# What a name may say, in the languages seen; read only to break ties and to report contradictions.
_NAMES: tuple[tuple[Contrast, str], ...] = (
    (Contrast.ADC, _WORD.format("ADC")),
    (Contrast.DWI, _WORD.format("DWI|DIFF|DIFFUSION|TRACEW?|RESOLVE")),
    (Contrast.STIR, r"STIR|TIRM|TURBO ?IR" + "|" + _WORD.format("T2 ?IR")),
    (Contrast.OTHER, r"FLAIR.*T2|T2.*FLAIR|DARK.?FLUID|MYELO|T2\*|T2_?STAR|MEDIC|MERGE|CISS|FIESTA|TRUFI"),
    (Contrast.PDW, r"(?<![A-Z])PDW?(?![A-Z])|PROTON"),
    (Contrast.T2W_FS, r"T2.*(?:(?<![A-Z])FS(?![A-Z])|FAT|SPAIR|SPIR)|(?:(?<![A-Z])FS(?![A-Z])|SPAIR|SPIR).*T2"),
    (Contrast.T2W, r"T2"),
    (Contrast.T1W, r"T1"),
)
_POST = re.compile(
    r"\+ ?C(?![A-Z])|(?<![A-Z])C ?\+|" + _WORD.format("GD|GAD|GADO[A-Z]*|POST|KM|CONTRAST|CE") + r"|\+ ?(?:GD|KM)"
)
_PRE = re.compile(_WORD.format(r"PRE|NATIV[A-Z]*|OHNE ?KM|O\.? ?KM|NO ?CONTRAST|W/?O|WITHOUT|SANS|SIN|NON"))
_FS_NAME = re.compile(r"(?<![A-Z])(?:FS|FATSAT|SPAIR|SPIR|FAT.?SAT|FSAT|WE)(?![A-Z])")
_ANGIO = re.compile(_WORD.format("TOF|MRA|ANGIO|PCA"))
_FAMILY = {Contrast.T1W_POST: Contrast.T1W, Contrast.T2W_FS: Contrast.T2W}  # names rarely tell these apart


@dataclass(frozen=True)
class Rule:
    """One row: ``contrast`` when ``applies``; ``because`` is what the reader is told."""

    contrast: Contrast
    because: str
    applies: Callable[[SequenceFacts], bool]


def named_contrast(facts: SequenceFacts) -> Contrast | None:
    """What Series Description and Protocol Name say; None when they say nothing."""
    name = facts.name.upper().replace("_", " ")
    return next((contrast for contrast, pattern in _NAMES if re.search(pattern, name)), None)


def _between(value: float | None, low: float, high: float) -> bool:
    return value is not None and low <= value < high


def _says(*contrasts: Contrast) -> Callable[[SequenceFacts], bool]:
    return lambda f: named_contrast(f) in contrasts


def _inverted(f: SequenceFacts) -> bool:
    inverting = "IR" in f.sequence or "TIR" in f.sequence_name.upper() or "IR" in f.options
    return inverting or (f.inversion_time or 0) > 0


def _fat_nulling(f: SequenceFacts) -> bool:
    shortest = 80 if _between(f.field_strength, 0.05, 1.0) else 120
    return _inverted(f) and _between(f.inversion_time, shortest, 260.001)


def _fat_suppressed(f: SequenceFacts) -> bool:
    return bool(f.options & _FAT_SUPPRESSION) or bool(_FS_NAME.search(f.name.upper().replace("_", " ")))


def _t1_timing(f: SequenceFacts) -> bool:
    if "IR" in f.sequence or (f.inversion_time or 0) > 0:
        return _between(f.inversion_time, 600, 1100.001) and _between(f.echo_time, 0, 30)
    return _between(f.repetition_time, 0, 1200) and _between(f.echo_time, 0, 30)


def _gradient(f: SequenceFacts) -> bool:
    return "GR" in f.sequence and "SE" not in f.sequence


def _untimed(f: SequenceFacts) -> bool:
    return f.repetition_time is None or f.echo_time is None


def _long_echo(f: SequenceFacts) -> bool:
    return _between(f.echo_time, 70, 400) and (f.repetition_time or 0) >= 1000


def _middle(f: SequenceFacts) -> bool:
    """Between the bands: TE 40-70 ms at long TR, or TR 1200-2000 ms at short TE."""
    long_tr = (f.repetition_time or 0) > 2000 and _between(f.echo_time, 40, 70)
    return long_tr or (_between(f.repetition_time, 1200, 2000.001) and _between(f.echo_time, 0, 70))


def _type_in(kinds: frozenset[str]) -> Callable[[SequenceFacts], bool]:
    return lambda f: bool(kinds & set(f.image_type[2:]))


def _acquired_as(word: str) -> Callable[[SequenceFacts], bool]:
    return lambda f: f.acquisition_contrast == word


def _all(*tests: Callable[[SequenceFacts], bool]) -> Callable[[SequenceFacts], bool]:
    return lambda f: all(test(f) for test in tests)


RULES: tuple[Rule, ...] = (
    Rule(Contrast.ADC, "ImageType ADC", _type_in(frozenset({"ADC", "ADC_UNSPECIFIED"}))),
    Rule(Contrast.DWI, "a b-value above 0", lambda f: (f.b_value or 0) > 0),
    Rule(
        Contrast.DWI,
        "ImageType or contrast says diffusion",
        lambda f: "DIFFUSION" in {*f.image_type, f.acquisition_contrast},
    ),
    Rule(
        Contrast.DWI,
        "echo planar with b-value or diffusion name",
        lambda f: "EP" in f.sequence and (f.b_value is not None or named_contrast(f) is Contrast.DWI),
    ),
    Rule(Contrast.OTHER, "echo planar", lambda f: "EP" in f.sequence),
    Rule(Contrast.OTHER, "a fat fraction map", _type_in(frozenset({"FF", "FAT_FRACTION", "FATFRACTION"}))),
    Rule(Contrast.DIXON_WATER, "Dixon water image", _type_in(_WATER)),
    Rule(Contrast.DIXON_FAT, "Dixon fat image", _type_in(_FAT)),
    Rule(Contrast.DIXON_IN, "Dixon in-phase image", _type_in(_IN)),
    Rule(Contrast.DIXON_OPPOSED, "Dixon opposed-phase image", _type_in(_OPPOSED)),
    Rule(
        Contrast.OTHER,
        "flow, perfusion or tagging",
        lambda f: f.acquisition_contrast in {"FLOW_ENCODED", "PERFUSION", "TAGGED", "TOF"},
    ),
    Rule(
        Contrast.OTHER,
        "angiography: time of flight or phase contrast",
        lambda f: f.flow or "TOF" in f.options | f.variant or (_gradient(f) and bool(_ANGIO.search(f.name.upper()))),
    ),
    Rule(Contrast.STIR, "inversion time nulls fat", _fat_nulling),
    Rule(
        Contrast.STIR, "Acquisition Contrast STIR", lambda f: f.acquisition_contrast == "STIR" and not f.inversion_time
    ),
    Rule(Contrast.T1W, "inversion recovery with TI 600-1100 ms and short TE", _all(_inverted, _t1_timing)),
    Rule(
        Contrast.OTHER,
        "fluid-attenuated inversion recovery",
        lambda f: f.acquisition_contrast == "FLUID_ATTENUATED" or (_inverted(f) and (f.inversion_time or 0) >= 1400),
    ),
    Rule(
        Contrast.STIR,
        "inversion recovery; name says STIR",
        _all(_inverted, lambda f: not f.inversion_time, _says(Contrast.STIR)),
    ),
    Rule(
        Contrast.OTHER,
        "inversion recovery whose inversion time fits no spine contrast",
        lambda f: "IR" in f.sequence or (f.inversion_time or 0) > 260,
    ),
    Rule(
        Contrast.OTHER,
        "gradient echo, T2*-weighted",
        lambda f: (
            f.acquisition_contrast == "T2_STAR"
            or (_gradient(f) and _between(f.echo_time, 9, 1000) and (f.flip_angle is None or f.flip_angle <= 60))
        ),
    ),
    Rule(
        Contrast.OTHER,
        "balanced steady state",
        lambda f: (
            _gradient(f) and bool(re.search(r"TFI|TRUFI|FIESTA|CISS|CI3D|B-?FFE|BALANCED", f.sequence_name.upper()))
        ),
    ),
    Rule(Contrast.T1W, "short TR, short TE", _t1_timing),
    Rule(Contrast.OTHER, "very long TE (myelographic)", lambda f: _between(f.echo_time, 400, 1e6)),
    Rule(Contrast.T2W_FS, "long TE, fat suppressed", _all(_long_echo, _fat_suppressed)),
    Rule(Contrast.T2W, "long TE", _long_echo),
    Rule(Contrast.PDW, "long TR, short TE", lambda f: (f.repetition_time or 0) > 2000 and _between(f.echo_time, 0, 40)),
    Rule(Contrast.T1W, "TR and TE between the bands; name says T1", _all(_middle, _says(Contrast.T1W))),
    Rule(Contrast.PDW, "TR and TE between the bands; name says PD", _all(_middle, _says(Contrast.PDW))),
    Rule(
        Contrast.T2W_FS,
        "TE between PD and T2, fat suppressed",
        _all(_middle, _fat_suppressed, lambda f: _between(f.echo_time, 40, 70)),
    ),
    Rule(
        Contrast.T2W, "TR and TE between the bands; name says T2", _all(_middle, _says(Contrast.T2W, Contrast.T2W_FS))
    ),
    Rule(Contrast.T2W, "TE nearer to T2 than to PD", _all(_middle, lambda f: _between(f.echo_time, 55, 70))),
    Rule(Contrast.PDW, "TE nearer to PD than to T2", _all(_middle, lambda f: _between(f.echo_time, 40, 55))),
    Rule(Contrast.T1W, "TR nearer to T1 than to PD", _all(_middle, lambda f: _between(f.repetition_time, 1200, 1500))),
    Rule(Contrast.PDW, "TR nearer to PD than to T1", _all(_middle, lambda f: _between(f.repetition_time, 1500, 2001))),
    Rule(Contrast.T1W, "no TR or TE; Acquisition Contrast T1", _all(_untimed, _acquired_as("T1"))),
    Rule(Contrast.T2W, "no TR or TE; Acquisition Contrast T2", _all(_untimed, _acquired_as("T2"))),
    Rule(Contrast.PDW, "no TR or TE; Acquisition Contrast PD", _all(_untimed, _acquired_as("PROTON_DENSITY"))),
    Rule(Contrast.STIR, "no TR or TE; name says STIR", _all(_untimed, _says(Contrast.STIR))),
    Rule(Contrast.PDW, "no TR or TE; name says PD", _all(_untimed, _says(Contrast.PDW))),
    Rule(Contrast.T2W_FS, "no TR or TE; name says T2 with fat suppression", _all(_untimed, _says(Contrast.T2W_FS))),
    Rule(Contrast.T2W, "no TR or TE; name says T2", _all(_untimed, _says(Contrast.T2W))),
    Rule(Contrast.T1W, "no TR or TE; name says T1", _all(_untimed, _says(Contrast.T1W))),
    Rule(Contrast.OTHER, "no rule fits", lambda _: True),
)


def classify(facts: SequenceFacts, *, after_plain: bool = False) -> tuple[Contrast, str, str]:
    """Contrast, the reason for it, and the contrast-agent state of a series.

    Parameters
    ----------
    facts : from the header
    after_plain : whether it was acquired after a series of the same study that has no contrast-agent attribute

    Returns
    -------
    contrast, reason, agent : agent is 'none', 'given' or 'uncertain'. T1w becomes post-contrast T1w when the agent is
        given, or when only the name says so ('uncertain'); a bare agent attribute without agreement, often copied to
        plain series, leaves it T1w and 'uncertain'.
    """
    rule = next(rule for rule in RULES if rule.applies(facts))
    reason = f"{phrases['BECAUSE'][rule.because]} ({timing(facts)})"
    agent = agent_state(facts, after_plain=after_plain)
    if rule.contrast is not Contrast.T1W:
        return rule.contrast, reason, agent
    if agent == "given" or (agent == "uncertain" and _named_post(facts)):
        return Contrast.T1W_POST, phrases.CONTRAST_AGENT.format(reason=reason, agent=phrases["AGENTS"][agent]), agent
    if _fat_suppressed(facts):
        return Contrast.OTHER, phrases.T1_TIMING_BUT_FAT_SUPPRESSED.format(timing=timing(facts)), agent
    return Contrast.T1W, reason, agent


def agent_state(facts: SequenceFacts, *, after_plain: bool) -> str:
    """'given' when two of attribute, time and name agree, 'uncertain' when only attribute or name says so."""
    if facts.agent and (after_plain or _named_post(facts)):
        return "given"
    return "uncertain" if facts.agent or _named_post(facts) else "none"


def contradiction(facts: SequenceFacts, contrast: Contrast) -> str | None:
    """Warning when the name says another contrast than the physics; None when they agree or the name is silent."""
    said = named_contrast(facts)
    if said is None or Contrast.OTHER in {said, contrast} or contrast.value.startswith("Dixon"):
        return None
    if _FAMILY.get(said, said) is _FAMILY.get(contrast, contrast):
        return None
    return phrases.NAME_SAYS_HEADER_SAYS_HEADER.format(name=said.value, header=contrast.value, timing=timing(facts))


def timing(facts: SequenceFacts) -> str:
    """TR, TE and TI for a reader: 'TR 560, TE 10 ms'."""
    known = [("TR", facts.repetition_time), ("TE", facts.echo_time), ("TI", facts.inversion_time or None)]
    return (
        ", ".join(f"{name} {number(value, 'g')}" for name, value in known if value is not None) + phrases.MS
        if any(value is not None for _, value in known)
        else phrases.NO_TIMES
    )


def _named_post(facts: SequenceFacts) -> bool:
    name = facts.name.upper().replace("_", " ")
    return bool(_POST.search(name)) and not _PRE.search(name)
