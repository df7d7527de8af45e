"""Every public code resolves against the DICOM code dictionary; every private one is really missing there."""

from __future__ import annotations

import runpy
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from pydicom.sr.codedict import codes

import spinemri.codes
from spinemri.anatomy import STANDARD_LEVELS, Level, Structure, StructureKind
from spinemri.assess import (
    alignment,
    canal_grades,
    counting,
    fracture_cause,
    infection,
    marrow,
    protocol,
    stability,
    study,
    urgency,
)
from spinemri.codes import (
    DISC,
    PRIVATE_SCHEME,
    TABLE,
    THECAL_SAC,
    UNITS,
    VERTEBRA,
    Code,
    disc_code,
    finding_code,
    level_code,
    measurement_code,
    site_code,
    structure_code,
    vertebra_code,
    word,
)
from spinemri.compare.comparison import Verdict
from spinemri.finding import Certainty, Urgency
from spinemri.measure.catalogue import LESION_MEASURES, MARROW_MEASURES, MEASURES
from tests.strategies import relative_levels, true_levels

VERTEBRAE = [level for level in STANDARD_LEVELS if level.region != "S"]
DISCS = list(pairwise(STANDARD_LEVELS[1:]))
KEYWORDS = {
    "VERTEBRA": "Vertebra",
    "ARCH_OF_VERTEBRA": "ArchOfVertebra",
    "SACRUM": "Sacrum",
    "SPINAL_CORD": "SpinalCord",
    "VERTEBRAL_CANAL": "VertebralCanal",
    "LESION": "Lesion",
    "ANATOMICAL_STRUCTURE": "AnatomicalStructure",
    "ABNORMAL_STRUCTURE": "MorphologicallyAbnormalStructure",
}
UNIT_KEYWORDS = {
    "mm": "Millimeter",
    "mm2": "SquareMillimeter",
    "mm3": "CubicMillimeter",
    "deg": "Degree",
    "%": "Percent",
    "1": "NoUnits",
    "mm2/s": "SquareMillimeterPerSecond",
}


def entry(scheme: str, keyword: str) -> Code:
    """What the dictionary says; AttributeError when it has no such keyword."""
    found = getattr(getattr(codes, scheme), keyword)
    return Code(found.value, found.scheme_designator, found.meaning)


def test_every_public_constant_is_checked_here():
    constants = {name for name, value in vars(spinemri.codes).items() if isinstance(value, Code)}
    assert constants == KEYWORDS.keys() | {"DISC", "THECAL_SAC"}
    assert UNITS.keys() == UNIT_KEYWORDS.keys()


@pytest.mark.parametrize(("name", "keyword"), KEYWORDS.items())
def test_constants_are_those_of_the_dictionary(name, keyword):
    assert getattr(spinemri.codes, name) == entry("SCT", keyword)


@pytest.mark.parametrize(("unit", "keyword"), UNIT_KEYWORDS.items())
def test_units_are_those_of_the_dictionary(unit, keyword):
    assert UNITS[unit] == entry("UCUM", keyword)
    assert UNITS[unit].value == unit


@pytest.mark.parametrize("level", VERTEBRAE, ids=str)
def test_a_vertebra_has_its_own_code(level):
    assert vertebra_code(level) == entry("SCT", f"{level}Vertebra")
    assert structure_code(Structure(StructureKind.VERTEBRAL_BODY, level)) == vertebra_code(level)
    assert site_code(Structure(StructureKind.LESION, level)) == vertebra_code(level)


@pytest.mark.parametrize(("upper", "lower"), DISCS, ids=str)
def test_a_disc_and_its_plane_have_their_own_codes(upper, lower):
    disc = Structure(StructureKind.DISC, upper, lower)
    assert structure_code(disc) == disc_code(upper, lower) == entry("SCT", f"{upper}{lower}Disc")
    sac = Structure(StructureKind.THECAL_SAC, upper, lower)
    assert site_code(sac) == entry("SCT", f"LevelOf{upper}{lower}IntervertebralDisc")


@pytest.mark.parametrize("name", ["T13", "L6", "S1", "S2", "S5"])
def test_a_variant_is_a_generic_vertebra(name):
    assert not hasattr(codes.SCT, f"{name}Vertebra")
    assert vertebra_code(Level(name)) == VERTEBRA
    assert site_code(Structure(StructureKind.VERTEBRAL_BODY, Level(name))) is None


@pytest.mark.parametrize(("upper", "lower"), [("L5", "L6"), ("L6", "S1"), ("T12", "T13"), ("T11", "L1"), ("V3", "V4")])
def test_a_disc_of_a_variant_is_a_general_disc(upper, lower):
    disc = Structure(StructureKind.DISC, Level(upper), Level(lower))
    assert not hasattr(codes.SCT, f"{upper}{lower}Disc")
    assert structure_code(disc) == DISC
    assert site_code(disc) is None


@pytest.mark.parametrize("keyword", ["IntervertebralDisc", "DuralSac", "ThecalSac", "VertebralBody"])
def test_what_has_a_private_code_or_none_is_missing_from_the_dictionary(keyword):
    assert not hasattr(codes.SCT, keyword)
    assert {DISC.scheme, THECAL_SAC.scheme} == {PRIVATE_SCHEME}


@given(true_levels() | relative_levels())
def test_every_structure_has_a_code_that_fits_into_dicom(level):
    for kind in StructureKind:
        code = structure_code(Structure(kind, level))
        assert 0 < len(code.value) <= 16  # SH
        assert 0 < len(code.scheme) <= 16  # SH
        assert 0 < len(code.meaning) <= 64  # LO


def test_structures_without_a_level_have_no_site():
    assert structure_code(Structure(StructureKind.CORD)) == entry("SCT", "SpinalCord")
    assert site_code(Structure(StructureKind.CORD)) is None


IN_DICTIONARY = {"SCT", "DCM", "NCIt", "RADLEX", "LN", "UMLS"}
HAND_TYPED = {"24935-9", "24980-5", "24968-0"}  # LOINC, read in its list of radiology procedures


@pytest.mark.parametrize("row", TABLE.items(), ids=lambda row: "-".join(row[0]))
def test_a_public_code_of_the_table_is_that_of_the_dictionary(row):
    code = row[1]
    if code.scheme == PRIVATE_SCHEME or code.value in HAND_TYPED:
        return
    assert code.scheme in IN_DICTIONARY
    scheme = getattr(codes, code.scheme)
    known = [scheme.__getattr__(keyword) for keyword in scheme.dir()]
    assert (code.value, code.meaning) in {(found.value, found.meaning) for found in known}


def test_codes_of_the_table_fit_into_dicom_and_mean_one_thing():
    for code in TABLE.values():
        assert 0 < len(code.value) <= 16
        assert 0 < len(code.meaning) <= 64
    private = [code for code in TABLE.values() if code.scheme == PRIVATE_SCHEME]
    assert len({code.value for code in private}) == len(private)
    assert len({code.meaning for code in private}) == len(private)


def test_every_measurement_has_a_row():
    names = {m.name for m in (*MEASURES, *LESION_MEASURES, *MARROW_MEASURES)}
    assert names == {name for of, name in TABLE if of == "measurement"}


def test_every_kind_of_finding_has_a_row():
    kinds = {kind for _, kind, _ in study.RULES}
    kinds |= {marrow.LESION, marrow.INVOLVEMENT, marrow.DIFFUSE, canal_grades.SCHIZAS, canal_grades.LEE}
    kinds |= {m.KIND for m in (counting, fracture_cause, infection, protocol, stability)}
    kinds |= {alignment.SLIP_KIND, alignment.CURVATURE_KIND, alignment.SCOLIOSIS_KIND}
    kinds |= {urgency.CORD, urgency.CAUDA, urgency.COLLECTION, urgency.UNSTABLE, urgency.FRACTURE, urgency.METASTASES}
    assert kinds <= {name for of, name in TABLE if of == "finding"}


def test_every_answer_has_a_word():
    for value in (*Certainty, *(u for u in Urgency if u is not Urgency.NONE)):
        assert word(value.value).meaning
    for verdict in Verdict:
        assert word(verdict.value).meaning
    for side in ("left", "right", "both sides", "midline"):
        assert word(side).scheme == "SCT"


def test_a_name_without_a_row_gets_a_code_of_its_own():
    new = measurement_code("a_measurement_that_nobody_wrote_a_row_for")
    assert (new.scheme, len(new.value) <= 16) == (PRIVATE_SCHEME, True)
    assert new == measurement_code("a_measurement_that_nobody_wrote_a_row_for")
    assert new.value != finding_code("another").value


@given(true_levels() | relative_levels())
def test_every_place_has_a_code_and_only_variants_a_private_one(level):
    code = level_code(level)
    assert (code.scheme == PRIVATE_SCHEME) == (vertebra_code(level) == VERTEBRA)
    assert str(level) in code.meaning
    between = level_code(level, level)  # no disc of the dictionary
    assert between.scheme == PRIVATE_SCHEME
    assert len(between.value) <= 16


def test_the_page_of_codes_is_current():
    script = Path(__file__).parents[1] / "docs" / "make_dicom_codes.py"
    made = runpy.run_path(str(script))
    assert made["PAGE"].read_text(encoding="utf-8") == made["page"]()
