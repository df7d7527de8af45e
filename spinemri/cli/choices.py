"""Values that users type on the command line, checked with a message that lists what is allowed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from spinemri.errors import InputError
from spinemri.language import languages

if TYPE_CHECKING:
    from spinemri.synthesis.acquisitions import Acquisition
    from spinemri.synthesis.numbering import Numbering

_Choice = TypeVar("_Choice", bound=StrEnum)

Language = Annotated[str, typer.Option(help=f"Language of everything that is said: {', '.join(languages())}.")]
"""The option ``--language``: as many as there are files of phrases."""


def acquisition_named(text: str) -> Acquisition:
    """The acquisition of this name, whatever its case. Raises InputError for an unknown name."""
    from spinemri.synthesis.acquisitions import Acquisition

    return _one_of(Acquisition, "acquisition", text)


def numbering_named(text: str) -> Numbering:
    """The numbers of vertebrae of this name, whatever its case. Raises InputError for an unknown name."""
    from spinemri.synthesis.numbering import Numbering

    return _one_of(Numbering, "numbering", text)


def _one_of(choices: type[_Choice], what: str, text: str) -> _Choice:
    known = {choice.value.lower(): choice for choice in choices}
    if text.lower() not in known:
        allowed = ", ".join(choice.value for choice in choices)
        raise InputError(f"{what} {text!r}: expected one of {allowed}")
    return known[text.lower()]
