"""Values that users type on the command line, checked with a message that lists what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spinemri.errors import InputError
from spinemri.language import languages

if TYPE_CHECKING:
    from spinemri.synthesis.acquisitions import Acquisition


Language = Annotated[str, typer.Option(help=f"Language of everything that is said: {', '.join(languages())}.")]
"""The option ``--language``: as many as there are files of phrases."""


def acquisition_named(text: str) -> Acquisition:
    """The acquisition of this name, whatever its case. Raises InputError for an unknown name."""
    from spinemri.synthesis.acquisitions import Acquisition

    try:
        return Acquisition(text.lower())
    except ValueError:
        allowed = ", ".join(known.value for known in Acquisition)
        raise InputError(f"acquisition {text!r}: expected one of {allowed}") from None
