"""Every public code resolves against the DICOM code dictionary; every private one is really missing there."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from pydicom.sr.codedict import codes

import spinemri.codes
from spinemri.anatomy import STANDARD_LEVELS, Level, Structure, StructureKind
from spinemri.codes import (
    DISC,
    PRIVATE_SCHEME,
    THECAL_SAC,
    UNITS,
    VERTEBRA,
    Code,
    disc_code,
    site_code,
    structure_code,
    vertebra_code,
)
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
