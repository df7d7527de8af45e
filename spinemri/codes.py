"""Codes for what is segmented and measured: DICOM's own where the standard has one, ours where it has none.

SNOMED CT codes are those of the DICOM code dictionary and are checked against it by the tests; none is typed from
memory. The dictionary has no T13, L6 or S1 to S5, no L5-L6 disc, no thecal sac and no disc in general: a vertebra
without a code of its own is a generic vertebra, whose level the label must say; the others get a code in the private
scheme ``99SPINEMRI``. ``codes.csv`` has the codes of measurements and findings and the words of a structured report;
``docs/dicom_codes.md`` shows them to readers.
"""

from __future__ import annotations

import csv
import hashlib
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from spinemri.anatomy import StructureKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.anatomy import Level, Structure

PRIVATE_SCHEME = "99SPINEMRI"


class Code(NamedTuple):
    """A coded concept as DICOM and FHIR take it: value, coding scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


VERTEBRA = Code("51282000", "SCT", "Vertebra")
ARCH_OF_VERTEBRA = Code("40265002", "SCT", "Arch of vertebra")
SACRUM = Code("54735007", "SCT", "Sacrum")
SPINAL_CORD = Code("2748008", "SCT", "Spinal cord")
VERTEBRAL_CANAL = Code("61853006", "SCT", "Vertebral canal")
LESION = Code("52988006", "SCT", "Lesion")
ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")

DISC = Code("DISC", PRIVATE_SCHEME, "Intervertebral disc")
THECAL_SAC = Code("THECAL_SAC", PRIVATE_SCHEME, "Thecal sac")

UNITS = {
    "mm": Code("mm", "UCUM", "mm"),
    "mm2": Code("mm2", "UCUM", "square millimeter"),
    "mm3": Code("mm3", "UCUM", "cubic millimeter"),
    "deg": Code("deg", "UCUM", "Degree"),
    "%": Code("%", "UCUM", "Percent"),
    "1": Code("1", "UCUM", "no units"),
    "mm2/s": Code("mm2/s", "UCUM", "mm2/s"),
}
"""Unit of a ``Measurement`` -> its UCUM code."""

_VERTEBRAE = {
    "C1": "14806007",
    "C2": "39976000",
    "C3": "113205007",
    "C4": "5329002",
    "C5": "36978003",
    "C6": "36054005",
    "C7": "87391001",
    "T1": "64864005",
    "T2": "53733008",
    "T3": "1626008",
    "T4": "73071006",
    "T5": "56401006",
    "T6": "45296009",
    "T7": "62487009",
    "T8": "11068009",
    "T9": "82687006",
    "T10": "7610001",
    "T11": "12989004",
    "T12": "23215003",
    "L1": "66794005",
    "L2": "14293000",
    "L3": "36470004",
    "L4": "11994002",
    "L5": "49668003",
}

_DISCS = {  # the disc, and the plane through it as a place in the spinal canal
    "C2-C3": ("1078209008", "243902007"),
    "C3-C4": ("58820006", "243903002"),
    "C4-C5": ("49400002", "243904008"),
    "C5-C6": ("73959003", "243905009"),
    "C6-C7": ("75095006", "243906005"),
    "C7-T1": ("37414007", "243925008"),
    "T1-T2": ("40908007", "243908006"),
    "T2-T3": ("6004007", "243909003"),
    "T3-T4": ("2620004", "243910008"),
    "T4-T5": ("82965004", "243911007"),
    "T5-T6": ("72692000", "243912000"),
    "T6-T7": ("74401007", "243913005"),
    "T7-T8": ("28693002", "243914004"),
    "T8-T9": ("9188009", "243915003"),
    "T9-T10": ("113209001", "243916002"),
    "T10-T11": ("34959001", "243917006"),
    "T11-T12": ("1537001", "243918001"),
    "T12-L1": ("76206002", "243926009"),
    "L1-L2": ("80064006", "243920003"),
    "L2-L3": ("67459009", "243921004"),
    "L3-L4": ("62551000", "243922006"),
    "L4-L5": ("84020006", "243923001"),
    "L5-S1": ("715056000", "243927000"),
}

_WITHOUT_LEVEL = {
    StructureKind.POSTERIOR_ELEMENTS: ARCH_OF_VERTEBRA,
    StructureKind.THECAL_SAC: THECAL_SAC,
    StructureKind.CORD: SPINAL_CORD,
    StructureKind.SACRUM: SACRUM,
    StructureKind.LESION: LESION,
}


def vertebra_code(level: Level | None) -> Code:
    """The vertebra of a level; the generic vertebra for T13, L6, S1 to S5 and relative levels, which have no code."""
    value = _VERTEBRAE.get(str(level))
    return Code(value, "SCT", f"{level} vertebra") if value else VERTEBRA


def disc_code(level: Level, lower: Level) -> Code:
    """The disc between two levels; the private general disc where the dictionary has none (L5-L6, T12-T13 …)."""
    values = _DISCS.get(f"{level}-{lower}")
    return Code(values[0], "SCT", f"{level}/{lower} disc") if values else DISC


def structure_code(structure: Structure) -> Code:
    """What a structure is. A vertebral body has its vertebra's code, as the dictionary has none for bodies."""
    if structure.kind is StructureKind.VERTEBRAL_BODY:
        return vertebra_code(structure.level)
    if structure.kind is StructureKind.DISC:
        return disc_code(structure.level, structure.lower) if structure.level and structure.lower else DISC
    return _WITHOUT_LEVEL[structure.kind]


def site_code(structure: Structure) -> Code | None:
    """Where in the spine a structure or a measurement lies; None when it has no level or the level has no code.

    A disc level has the code of the plane through the disc, any other place that of the vertebra.
    """
    if structure.level is None:
        return None
    code = level_code(structure.level, structure.lower)
    return None if code.scheme == PRIVATE_SCHEME else code


def level_code(level: Level, lower: Level | None = None) -> Code:
    """The place of a vertebra, or of the plane through a disc; private where the dictionary has none (L6, S1, V3 …)."""
    if lower is None:
        code = vertebra_code(level)
        return code if code != VERTEBRA else Code(f"LEVEL_{level}", PRIVATE_SCHEME, f"{level} vertebra")
    values, meaning = _DISCS.get(f"{level}-{lower}"), f"Level of {level}/{lower} intervertebral disc"
    return Code(values[1], "SCT", meaning) if values else Code(f"LEVEL_{level}_{lower}", PRIVATE_SCHEME, meaning)


def place_codes(levels: Sequence[Level], spine: Sequence[Level]) -> tuple[Code, ...]:
    """Codes of the place of a measurement: a vertebra, the plane through the disc between two neighbours, else both.

    Two levels with another one of this spine between them (as of a lordosis, L1-S1) have no disc in common.
    """
    if len(levels) > 1 and not any(levels[0] < level < levels[-1] for level in spine):
        return (level_code(levels[0], levels[-1]),)
    return tuple(level_code(level) for level in levels)


def _read_table() -> dict[tuple[str, str], Code]:
    text = resources.files("spinemri").joinpath("codes.csv").read_text(encoding="utf-8")
    return {
        (row["of"], row["name"]): Code(row["value"], row["scheme"], row["meaning"])
        for row in csv.DictReader(text.splitlines())
    }


TABLE = MappingProxyType(_read_table())
"""('measurement', 'finding' or 'word', name) -> code."""


def measurement_code(name: str) -> Code:
    """What is measured, by ``Measurement.name``. A name without a row gets a code made from it."""
    return TABLE.get(("measurement", name)) or _made_from(name)


def finding_code(kind: str) -> Code:
    """What is stated, by ``Finding.kind``. A kind without a row gets a code made from it."""
    return TABLE.get(("finding", kind)) or _made_from(kind)


def word(name: str) -> Code:
    """A word of a structured report, such as 'present'. Raises KeyError if there is none."""
    return TABLE["word", name]


def _made_from(name: str) -> Code:
    value = hashlib.blake2b(name.encode(), digest_size=6).hexdigest().upper()
    return Code(f"X{value}", PRIVATE_SCHEME, name.replace("_", " ")[:64])
