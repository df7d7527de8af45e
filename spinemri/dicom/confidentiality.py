"""What the standard says of each attribute when a data set is de-identified: PS3.15 table E.1-1, edition 2026c.

``confidentiality.csv`` holds the table, ``docs/make_confidentiality.py`` says where it comes from. Where the action
depends on whether a module requires the attribute (X/Z, Z/D, X/D, X/Z/D), the one that keeps every object valid is
taken: an empty value rather than none, a dummy rather than an empty one.
"""

from __future__ import annotations

import csv
from enum import StrEnum
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

EDITION = "2026c"


class Option(StrEnum):
    """An option of the profile that is offered, by the name that a user types."""

    DESCRIPTORS = "descriptors"
    STRUCTURED = "structured"
    DATES = "dates"
    FULL_DATES = "full-dates"
    PATIENT = "patient"
    DEVICE = "device"
    INSTITUTION = "institution"
    UIDS = "uids"
    SAFE_PRIVATE = "safe-private"


DEFAULT = frozenset({Option.DESCRIPTORS, Option.STRUCTURED, Option.DATES, Option.PATIENT})
"""Options that hold unless a user chooses others: what the images need to be measured and compared."""


class Action(StrEnum):
    """What is done with an attribute."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    UID = "U"
    KEEP = "K"
    CLEAN = "C"


_BASIC = {
    "X": Action.REMOVE,
    "Z": Action.EMPTY,
    "X/Z": Action.EMPTY,
    "D": Action.DUMMY,
    "Z/D": Action.DUMMY,
    "X/D": Action.DUMMY,
    "X/Z/D": Action.DUMMY,
    "U": Action.UID,
    "X/Z/U*": Action.UID,
}
_COLUMNS = {
    Option.UIDS: "uids",
    Option.DEVICE: "device",
    Option.INSTITUTION: "institution",
    Option.PATIENT: "patient",
    Option.FULL_DATES: "full_dates",
    Option.DATES: "modified_dates",
    Option.DESCRIPTORS: "descriptors",
    Option.STRUCTURED: "structured",
}


def _read() -> Mapping[int, Mapping[str, str]]:
    text = resources.files("spinemri.dicom").joinpath("confidentiality.csv").read_text(encoding="utf-8")
    return MappingProxyType({int(row.pop("tag"), 16): row for row in csv.DictReader(text.splitlines())})


TABLE = _read()
"""Tag -> row: code of the Basic Profile, and of each option where it has one."""


def action_of(tag: int, options: Collection[Option]) -> Action | None:
    """What is done with an attribute; None when the table does not list it. An option comes before the profile."""
    row = TABLE.get(tag)
    if row is None:
        return None
    chosen = (row[column] for option, column in _COLUMNS.items() if option in options)
    return next((Action(code) for code in chosen if code), _BASIC[row["basic"]])


def removed_group(group: int) -> bool:
    """Whether a group goes whole: private ones, curves (50xx), overlays (60xx) and what is below group 8."""
    return group % 2 == 1 or group >> 8 in {0x50, 0x60} or group < 0x0008


def codes_of_methods(options: Collection[Option]) -> tuple[str, ...]:
    """Keywords of CID 7050 that say what was done: the profile, then each option."""
    return ("BasicApplicationConfidentialityProfile", *(_METHODS[option] for option in Option if option in options))


_METHODS = {
    Option.DESCRIPTORS: "CleanDescriptorsOption",
    Option.STRUCTURED: "CleanStructuredContentOption",
    Option.DATES: "RetainLongitudinalTemporalInformationModifiedDatesOption",
    Option.FULL_DATES: "RetainLongitudinalTemporalInformationFullDatesOption",
    Option.PATIENT: "RetainPatientCharacteristicsOption",
    Option.DEVICE: "RetainDeviceIdentityOption",
    Option.INSTITUTION: "RetainInstitutionIdentityOption",
    Option.UIDS: "RetainUidsOption",
    Option.SAFE_PRIVATE: "RetainSafePrivateOption",
}
