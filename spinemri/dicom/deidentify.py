"""One data set without identifiers, by PS3.15 Annex E: made anew from what may stay, never by taking out what must go.

An attribute that the standard's table does not list stays only when its value is of a kind that holds no free text: a
number, a known UID, a coded string of the standard, a code of a known dictionary, or words of ``vocabulary.py``. So
text in a place where nobody expects it goes too. Nothing of private groups stays but, on request, numbers of the
standard's list of safe private attributes.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pydicom._uid_dict import UID_dictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.sr._concepts_dict import concepts

from spinemri.codes import PRIVATE_SCHEME, TABLE, UNITS
from spinemri.dicom.confidentiality import Action, Option, action_of, removed_group
from spinemri.dicom.values import READ_ERRORS
from spinemri.dicom.vocabulary import cleaned, is_term

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spinemri.dicom.pseudonyms import Pseudonyms

SAFE_PRIVATE = {  # PS3.15 2026d, table E.3.10-1, of it the numbers that tell diffusion and scale of MR images
    ("SIEMENS MR HEADER", 0x0019, 0x0C),  # b-value
    ("SIEMENS MR HEADER", 0x0019, 0x0E),  # direction of the diffusion gradient
    ("SIEMENS MR HEADER", 0x0019, 0x27),  # b-matrix
    ("Philips Imaging DD 001", 0x2001, 0x03),  # b-factor
    ("Philips MR Imaging DD 001", 0x2005, 0x0D),  # scale intercept
    ("Philips MR Imaging DD 001", 0x2005, 0x0E),  # scale slope
    ("GEMS_PARM_01", 0x0043, 0x39),  # b-value
}
_PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010, 0x00283006, 0x00281201, 0x00281202, 0x00281203}
_CODE_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")
_NUMBERS = {"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT", "US or SS"}
_BYTES = {"OB", "OW", "OF", "OD", "OL", "OV", "OB or OW"}
_DATES = {"DA", "DT", "TM"}
_NOT_EMPTY = {*_NUMBERS, *_BYTES, "UN"}
_DUMMY_TEXT = "REMOVED"
_DUMMIES = {"DA": "19000101", "DT": "19000101000000", "TM": "000000", "AS": "000Y", "DS": "0", "IS": "0"}
_OLDEST = 90
_OUR_CODE = re.compile(r"DISC|THECAL_SAC|LEVEL_[A-Z]\d{1,2}(_[A-Z]\d{1,2})?|X[0-9A-F]{12}")
_STACK_ID, _CONTENT_LABEL, _TEMPLATE = 0x00209056, 0x00700080, 0x0040DB00
_SOURCE_OF_TEXT = {Option.DEVICE, Option.INSTITUTION}


@dataclass(frozen=True)
class Rules:
    """Whose data set it is, which options hold, and the words of the patient's name."""

    who: Pseudonyms
    options: frozenset[Option]
    names: frozenset[str] = frozenset()


def without_identifiers(dataset: Dataset, rules: Rules) -> Dataset:
    """A new data set with what may stay; items of sequences likewise, at any depth.

    Parameters
    ----------
    dataset : as it was read; it stays as it is
    rules : pseudonyms of the patient, and options
    """
    made = Dataset()
    for element in _readable(dataset):
        kept = _kept(element, rules)
        if kept is not None:
            made.add(kept)
    return made


def _readable(dataset: Dataset) -> Iterator[DataElement]:
    """Elements in order; one that cannot be read is none, and nobody can say what it holds."""
    for tag in sorted(dataset.keys()):
        try:
            element = dataset[tag]
            _ = element.value
        except READ_ERRORS:
            continue
        yield element


def _kept(element: DataElement, rules: Rules) -> DataElement | None:
    if element.tag.element == 0:
        return None
    if removed_group(element.tag.group):
        return element if _safe_private(element, rules) else None
    action = action_of(int(element.tag), rules.options)
    if action is Action.REMOVE:
        return None
    if element.VR == "SQ":
        return _sequence(element, action, rules)
    value = _EMPTY if action is Action.EMPTY else _value(element, action, rules)
    if value is None and element.VR not in _NOT_EMPTY:
        value = _EMPTY  # rather than nothing: a module may require that it is there
    return None if value is None else DataElement(element.tag, element.VR, value)


_EMPTY = ""


def _safe_private(element: DataElement, rules: Rules) -> bool:
    """A number that the standard lists as safe, or the creator of one, when that option holds."""
    if Option.SAFE_PRIVATE not in rules.options or element.tag.group % 2 == 0:
        return False
    creators = {creator for creator, group, _ in SAFE_PRIVATE if group == element.tag.group}
    if element.tag.is_private_creator:
        return str(element.value) in creators
    place = (element.private_creator, element.tag.group, element.tag.element & 0xFF)
    return place in SAFE_PRIVATE and element.VR in {*_NUMBERS, "DS", "IS"} and _number(element) is not None


def _sequence(element: DataElement, action: Action | None, rules: Rules) -> DataElement | None:
    """A sequence with cleaned items; without those that are a code of no known dictionary."""
    if action is Action.EMPTY:
        return DataElement(element.tag, "SQ", Sequence())
    items = [made for item in element.value if (made := _item(item, rules)) is not None]
    return DataElement(element.tag, "SQ", Sequence(items)) if items or not element.value else None


def _item(item: Dataset, rules: Rules) -> Dataset | None:
    """An item; None when it is an unknown code, or a content item that had a name or a code and lost it."""
    if any(keyword in item for keyword in _CODE_VALUES):
        return _code(item)
    made = without_identifiers(item, rules)
    for keyword in ("ConceptNameCodeSequence", "ConceptCodeSequence"):
        if keyword in item and keyword not in made:
            return None
    if "ValueType" in item and "TextValue" in item:
        made.TextValue = _DUMMY_TEXT
    return made


def _code(item: Dataset) -> Dataset | None:
    """A code with the meaning that its dictionary gives it, whatever the file says it means."""
    value, scheme = str(item.get("CodeValue", "")), str(item.get("CodingSchemeDesignator", ""))
    meaning = _meanings().get((scheme, value))
    if meaning is None and scheme == PRIVATE_SCHEME and _OUR_CODE.fullmatch(value):
        meaning = value
    if meaning is None:
        return None
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning[:64]
    return made


@cache
def _meanings() -> dict[tuple[str, str], str]:
    """(scheme, value) -> meaning, of the standard's dictionaries and our own."""
    dictionaries: dict[str, dict[str, dict[str, tuple[str, list[int]]]]] = concepts  # type: ignore[assignment]
    known = {
        (scheme, code): meaning
        for scheme, by_keyword in dictionaries.items()
        for codes in by_keyword.values()
        for code, (meaning, _) in codes.items()
    }
    return known | {(code.scheme, code.value): code.meaning for code in (*TABLE.values(), *UNITS.values())}


def _value(element: DataElement, action: Action | None, rules: Rules) -> object:
    """The value that stays, or a dummy where something must; None for nothing."""
    kind = element.VR
    if kind in _NUMBERS:
        return 0 if action is Action.DUMMY else element.value
    if kind in _BYTES:
        return element.value if int(element.tag) in _PIXELS else None
    if kind in _DATES:
        return _date(element, action, rules)
    if kind == "UI":
        return _uid(element, action, rules)
    if action is Action.DUMMY:
        return _DUMMIES.get(kind, _DUMMY_TEXT) if kind != "UN" else None
    found = _text(element, action, rules)
    if found is None or found == "":  # not 0, which is a number
        return _DUMMY_TEXT if element.value and _needed(element) else None
    return found


def _needed(element: DataElement) -> bool:
    """Whether a dummy stands for a text of which nothing is left: a module may require that there is one."""
    tag = int(element.tag)
    return tag == _CONTENT_LABEL or (element.VR in {"LO", "SH", "UT"} and action_of(tag, ()) in {None, Action.DUMMY})


def _text(element: DataElement, action: Action | None, rules: Rules) -> object:
    """What remains of numbers that are written out, ages, coded strings and short texts; '' or None for nothing."""
    kind, tag = element.VR, int(element.tag)
    if kind in {"DS", "IS"}:
        return _number(element)
    if kind == "AS":
        return _age(str(element.value))
    if kind == "CS":
        template = tag == _TEMPLATE and re.fullmatch(r"\d{1,5}", str(element.value))
        return element.value if template else _coded(element)
    if kind not in {"LO", "SH"}:
        return None
    if tag == _STACK_ID:
        text = str(element.value).strip()
        return text if re.fullmatch(r"\d{1,4}", text) else rules.who.uid(text)[-8:]
    if action is Action.KEEP and _kept_as_it_stands(tag, rules):
        return element.value
    return _each(element, lambda words: cleaned(words, rules.names))


def _kept_as_it_stands(tag: int, rules: Rules) -> bool:
    """Whether the user asked for what names a device or an institution."""
    return action_of(tag, rules.options & _SOURCE_OF_TEXT) is Action.KEEP


def _date(element: DataElement, action: Action | None, rules: Rules) -> str | None:
    """Shifted, kept or a dummy, as the options say; None for nothing, and for what is no date."""
    if action is Action.DUMMY:
        return _DUMMIES[element.VR]
    text = str(element.value).strip()
    if element.VR == "TM":
        whole = text if re.fullmatch(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?", text) else ""
        return whole or None if rules.options & {Option.DATES, Option.FULL_DATES} else None
    if Option.FULL_DATES in rules.options and (action in {None, Action.KEEP}):
        return text if rules.who.shifted(text) else None
    return rules.who.shifted(text) or None if Option.DATES in rules.options else None


def _uid(element: DataElement, action: Action | None, rules: Rules) -> object:
    """Known UIDs (classes, syntaxes) stay; others become those of the pseudonym."""
    if action is Action.KEEP or (Option.UIDS in rules.options and action is None):
        return element.value
    return _each(element, lambda text: text if not text or text in UID_dictionary else rules.who.uid(text))


def _each(element: DataElement, change: Callable[[str], str]) -> object:
    """The value, or each of several, changed; empty when nothing is left of any."""
    value = element.value
    if isinstance(value, MultiValue | list | tuple):
        made = [change(str(one).strip()) for one in value]
        return made if any(made) else ""
    return change(str(value or "").strip())


def _number(element: DataElement) -> object:
    """A finite number or several, as they stand; None when one of them is something else."""
    value = element.value
    listed = list(value) if isinstance(value, MultiValue | list | tuple) else [value]
    try:
        finite = all(math.isfinite(float(str(one))) for one in listed)
    except ValueError:
        return None
    return value if finite and listed else None


def _age(text: str) -> str | None:
    """An age; above 89 years it is 90, since few people are that old."""
    if not re.fullmatch(r"\d{3}[DWMY]", text.strip()):
        return None
    old = text[3] == "Y" and int(text[:3]) > _OLDEST
    return f"{_OLDEST:03d}Y" if old else text.strip()


def _coded(element: DataElement) -> object:
    """Coded strings that are defined somewhere; of several the others become 'OTHER', so that each keeps its place."""
    value = element.value
    several = isinstance(value, MultiValue | list | tuple)
    return _each(element, lambda text: text if is_term(text) or not text else "OTHER" if several else "")
