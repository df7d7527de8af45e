from __future__ import annotations

from dataclasses import replace

import pytest

from spinemri.dicom.contrast import RULES, classify, contradiction
from spinemri.dicom.facts import SequenceFacts
from spinemri.series import Contrast

SE, GR, EP, IR = (frozenset({kind}) for kind in ("SE", "GR", "EP", "IR"))
IMAGE = ("ORIGINAL", "PRIMARY", "M")


def facts(tr: float | None, te: float | None, ti: float | None = None, **more: object) -> SequenceFacts:
    known = {"sequence": SE, "image_type": IMAGE, "field_strength": 1.5, **more}
    return SequenceFacts(repetition_time=tr, echo_time=te, inversion_time=ti, **known)


PHYSICS = {  # as scanners of three vendors write them; the names are added and taken away below
    "T1 TSE": (Contrast.T1W, facts(560, 10)),
    "T1 TSE at the upper TR": (Contrast.T1W, facts(1199, 29)),
    "T1-FLAIR": (Contrast.T1W, facts(2000, 12, 860, sequence=SE | IR)),
    "MP-RAGE": (Contrast.T1W, facts(8.9, 3.2, 900, sequence=GR)),
    "spoiled gradient echo": (Contrast.T1W, facts(110, 4, sequence=GR, flip_angle=70)),
    "T2 TSE": (Contrast.T2W, facts(3600, 105)),
    "T2 SPACE": (Contrast.T2W, facts(1500, 129, echo_train=60)),
    "T2 TSE with a spatial saturation band": (Contrast.T2W, facts(3600, 105, options=frozenset({"SAT_GEMS", "SP"}))),
    "T2 TSE, fat saturated": (Contrast.T2W_FS, facts(3600, 90, options=frozenset({"FS"}))),
    "T2 SPAIR": (Contrast.T2W_FS, facts(3600, 90, options=frozenset({"SPAIR"}))),
    "STIR 1.5 T": (Contrast.STIR, facts(4200, 58, 160, sequence=SE | IR)),
    "STIR 3 T": (Contrast.STIR, facts(4200, 45, 220, sequence=SE | IR, field_strength=3.0)),
    "STIR 0.35 T": (Contrast.STIR, facts(2500, 30, 95, sequence=SE | IR, field_strength=0.35)),
    "STIR without IR flag": (Contrast.STIR, facts(4200, 58, 160)),
    "T2-FLAIR": (Contrast.OTHER, facts(9000, 110, 2500, sequence=SE | IR)),
    "T2-FLAIR with a Siemens tir name": (
        Contrast.OTHER,
        facts(9000, 110, 2500, sequence=IR, sequence_name="*tir2d1_16"),
    ),
    "inversion recovery at 400 ms": (Contrast.OTHER, facts(3000, 40, 400, sequence=SE | IR)),
    "inversion recovery without inversion time": (Contrast.OTHER, facts(4200, 58, sequence=SE | IR)),
    "PD": (Contrast.PDW, facts(2500, 20)),
    "TE 60 at long TR": (Contrast.T2W, facts(3000, 60)),
    "TE 45 at long TR": (Contrast.PDW, facts(3000, 45)),
    "T2*": (Contrast.OTHER, facts(500, 17, sequence=GR, flip_angle=30)),
    "balanced": (Contrast.OTHER, facts(6, 3, sequence=GR, flip_angle=70, sequence_name="*tfi2d1")),
    "myelogram": (Contrast.OTHER, facts(8000, 900)),
    "DWI": (Contrast.DWI, facts(3000, 70, sequence=EP, b_value=600.0)),
    "b0 of a DWI": (Contrast.DWI, facts(3000, 70, sequence=EP, b_value=0.0)),
    "b-value 0 on a plain image": (Contrast.T2W, facts(3000, 100, b_value=0.0)),
    "ADC": (Contrast.ADC, facts(3000, 70, sequence=EP, image_type=("DERIVED", "PRIMARY", "ADC"))),
    "BOLD": (Contrast.OTHER, facts(2200, 30, sequence=EP | GR)),
    "Dixon water": (Contrast.DIXON_WATER, facts(3600, 90, image_type=(*IMAGE, "WATER"))),
    "Dixon fat": (Contrast.DIXON_FAT, facts(3600, 90, image_type=("ORIGINAL", "PRIMARY", "F", "F"))),
    "Dixon in": (Contrast.DIXON_IN, facts(3600, 90, image_type=(*IMAGE, "IN_PHASE"))),
    "Dixon opposed": (Contrast.DIXON_OPPOSED, facts(600, 9, image_type=("ORIGINAL", "PRIMARY", "OP"))),
    "fat fraction": (Contrast.OTHER, facts(600, 9, image_type=("DERIVED", "PRIMARY", "FF"))),
    "enhanced T1 without times": (Contrast.T1W, facts(None, None, acquisition_contrast="T1")),
    "nothing known": (Contrast.OTHER, facts(None, None)),
}
NAMES = ("", "sag T1 tse", "T2_TSE_SAG", "sag stir", "PD sag", "L2-S", "Serie 7")
TIED = {"TE 60 at long TR", "TE 45 at long TR", "inversion recovery without inversion time", "nothing known"}


@pytest.mark.parametrize("case", PHYSICS)
def test_contrast_from_physics_with_all_names_stripped(case: str):
    expected, known = PHYSICS[case]
    assert classify(known)[0] is expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", sorted(set(PHYSICS) - TIED - {"enhanced T1 without times"}))
def test_a_name_never_overrules_physics(case: str, name: str):
    expected, known = PHYSICS[case]
    assert classify(replace(known, name=name))[0] is expected


@pytest.mark.parametrize(
    ("known", "name", "expected"),
    [
        (facts(4200, 58, sequence=SE | IR), "SAG TIRM", Contrast.STIR),
        (facts(3000, 60), "SAG PD", Contrast.PDW),
        (facts(3000, 45), "sag T2", Contrast.T2W),
        (facts(1600, 12), "t1_tse_sag", Contrast.T1W),
        (facts(None, None), "sag stir", Contrast.STIR),
        (facts(None, 100), "T2 sag SPAIR", Contrast.T2W_FS),
        (facts(3600, 100), "T2_TSE_SAG_FS", Contrast.T2W_FS),
    ],
)
def test_a_name_breaks_ties(known: SequenceFacts, name: str, expected: Contrast):
    assert classify(replace(known, name=name))[0] is expected


@pytest.mark.parametrize(
    ("name", "agent", "after_plain", "contrast", "state"),
    [
        ("", False, False, Contrast.T1W, "none"),
        ("", False, True, Contrast.T1W, "none"),
        ("", True, True, Contrast.T1W_POST, "given"),
        ("T1 SAG +C", True, False, Contrast.T1W_POST, "given"),
        ("t1_tse_sag_KM", False, False, Contrast.T1W_POST, "uncertain"),
        ("SAG T1 POST GAD", False, True, Contrast.T1W_POST, "uncertain"),
        ("", True, False, Contrast.T1W, "uncertain"),
        ("T1 sag ohne KM", False, False, Contrast.T1W, "none"),
        ("T1 SAG PRE", False, True, Contrast.T1W, "none"),
        ("T1 posterior", False, True, Contrast.T1W, "none"),
        ("T1 C1-C7", False, True, Contrast.T1W, "none"),
    ],
)
def test_contrast_agent_needs_agreement(name: str, contrast: Contrast, state: str, *, agent: bool, after_plain: bool):
    found, reason, agent_state = classify(facts(560, 10, name=name, agent=agent), after_plain=after_plain)
    assert (found, agent_state) == (contrast, state)
    assert "TR 560, TE 10 ms" in reason


def test_contrast_agent_on_t2_does_not_change_its_contrast():
    assert classify(facts(3600, 100, agent=True), after_plain=True)[0::2] == (Contrast.T2W, "given")


def test_fat_suppressed_t1_without_agent_is_no_t1_reference():
    assert classify(facts(560, 10, options=frozenset({"FS"})))[0] is Contrast.OTHER
    assert classify(facts(560, 10, options=frozenset({"FS"}), agent=True), after_plain=True)[0] is Contrast.T1W_POST


@pytest.mark.parametrize(
    ("known", "name", "warns"),
    [
        (facts(560, 10), "sag T2 tse", True),
        (facts(4200, 58, 160, sequence=SE | IR), "T2_TSE_SAG", True),
        (facts(3600, 105), "sag stir", True),
        (facts(560, 10), "sag T1 +C", False),
        (facts(3600, 105), "T2 SPAIR", False),
        (facts(560, 10), "L2-S", False),
    ],
)
def test_a_contradicting_name_is_reported(known: SequenceFacts, name: str, *, warns: bool):
    named = replace(known, name=name)
    message = contradiction(named, classify(named)[0])
    assert (message is not None) is warns
    if message:
        assert "the header is used" in message


def test_the_last_rule_catches_everything():
    assert RULES[-1].applies(SequenceFacts())
