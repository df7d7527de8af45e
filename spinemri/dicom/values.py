"""Values of header attributes, whatever a file holds: one that cannot be read counts as absent.

Where that would change what is measured (place, spacing, rescale), ``senseless`` says that something is there and makes
no sense, so that it is refused instead.
"""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from pydicom.config import disable_value_validation
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from spinemri.dicom.plain import Plain
from spinemri.together import together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

# What a malformed file makes pydicom raise; every one of them means "this cannot be read".
READ_ERRORS = (
    AttributeError,
    BytesLengthException,
    EOFError,
    IndexError,
    InvalidDicomError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_Expected = dict[str, tuple[str, str, "Callable[[tuple[float, ...]], bool]"]]
PLACE: _Expected = {  # name, what is expected, and whether the numbers found are that
    "ImagePositionPatient": (
        "Image Position (Patient)", "three numbers in mm", lambda v: len(v) == 3 and max(map(abs, v)) <= 1e4,
    ),
    "ImageOrientationPatient": (
        "Image Orientation (Patient)", "two perpendicular unit vectors", lambda v: len(v) == 6 and max(map(abs, v)) < 2,
    ),
    "PixelSpacing": (
        "Pixel Spacing", "two numbers of 0.02 to 20 mm", lambda v: len(v) == 2 and 0.02 <= min(v) <= max(v) <= 20,
    ),
}  # fmt: skip
RESCALE: _Expected = {
    "RescaleSlope": ("Rescale Slope", "a number other than 0", lambda v: len(v) == 1 and 0 < abs(v[0]) < 1e12),
    "RescaleIntercept": ("Rescale Intercept", "a number", lambda v: len(v) == 1 and abs(v[0]) < 1e12),
}
_SINGLE = frozenset({str, int, float})
_SHOWN = 6  # numbers that a message repeats


@contextmanager
def lenient() -> Iterator[None]:
    """Silence pydicom's remarks about values that break the standard while a file is read; they repeat the values."""
    with together("lenient", _silence):
        yield


@contextmanager
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def items(dataset: Dataset | Plain, keyword: str) -> list[Dataset]:
    """Items of a sequence; empty when it is absent or unreadable."""
    found = value(dataset, keyword)
    return list(found) if isinstance(found, Sequence) else []


def value(dataset: Dataset | Plain, keyword: str) -> object:
    """Value of an attribute, None when absent, empty or unreadable."""
    if isinstance(dataset, Plain):
        return dataset.value(keyword)
    try:
        found = dataset[_tag(keyword)].value
    except READ_ERRORS:  # a KeyError where it is absent
        return None
    return None if found is None or found == "" else found


@cache
def _tag(keyword: str) -> BaseTag:
    """Tag of a keyword: looked up once, not once for each attribute of each file."""
    return Tag(keyword)


def text(dataset: Dataset | Plain, keyword: str) -> str:
    """Attribute as stripped text; several values joined by a backslash, empty when absent."""
    found = value(dataset, keyword)
    if found is None or type(found) is str:
        return found.strip() if found else ""
    if isinstance(found, MultiValue | tuple):
        return "\\".join(str(v).strip() for v in found)
    return str(found).strip()


def words(dataset: Dataset | Plain, keyword: str) -> tuple[str, ...]:
    """Attribute as upper-case words."""
    return tuple(word for word in text(dataset, keyword).upper().split("\\") if word)


def numbers(dataset: Dataset | Plain, keyword: str) -> tuple[float, ...]:
    """Attribute as finite floats; empty when absent or when one of them is no number."""
    found = value(dataset, keyword)
    if found is None:
        return ()
    try:
        if type(found) in _SINGLE:
            listed: tuple[float, ...] = (float(found),)  # type: ignore[arg-type]
        else:
            listed = tuple(float(str(v)) for v in (found if isinstance(found, MultiValue | list | tuple) else [found]))
    except ValueError:
        return ()
    return listed if all(map(math.isfinite, listed)) else ()


def number(dataset: Dataset | Plain, *keywords: str) -> float | None:
    """First attribute of those named that holds a number."""
    return next((found[0] for found in (numbers(dataset, k) for k in keywords) if found), None)


def integer(dataset: Dataset | Plain, *keywords: str) -> int | None:
    """First attribute of those named that holds a number, as an integer."""
    for keyword in keywords:
        if type(found := value(dataset, keyword)) is int:
            return found
        if listed := numbers(dataset, keyword):
            return int(listed[0])
    return None


def senseless(dataset: Dataset | Plain, expected: _Expected) -> str:
    """Which of some numeric attributes is there, not empty, and makes no sense; '' when none is."""
    for keyword, (name, wanted, makes_sense) in expected.items():
        if not makes_sense(numbers(dataset, keyword)) and (said := _raw(dataset, keyword)):
            return f"{name} is {_shown(said)}; expected {wanted}"
    return ""


def _shown(said: str) -> str:
    """Numbers as they are printed; text, which may be anything, is not repeated."""
    try:
        return ", ".join(f"{float(part):g}" for part in said.split(", ")[:_SHOWN])
    except ValueError:
        return "no number"


def _raw(dataset: Dataset | Plain, keyword: str) -> str:
    """An attribute as it is written, whether it can be read or not; '' when it is absent or empty."""
    if keyword not in dataset:
        return ""
    if found := text(dataset, keyword):
        return found.replace("\\", ", ")
    if isinstance(dataset, Plain):
        return ""
    try:
        return "" if dataset.get_item(keyword).is_empty else "unreadable"
    except READ_ERRORS:
        return "unreadable"
