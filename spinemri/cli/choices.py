"""Values that users type on the command line, checked with a message that lists what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.errors import InputError
from spinemri.series import Contrast

if TYPE_CHECKING:
    from spinemri.synthesis.acquisitions import Acquisition


def contrast_named(text: str | None) -> Contrast | None:
    """The contrast of this name, whatever its case; None for None. Raises InputError for an unknown name."""
    if text is None:
        return None
    by_name = {contrast.value.lower(): contrast for contrast in Contrast}
    try:
        return by_name[text.lower()]
    except KeyError:
        allowed = ", ".join(contrast.value for contrast in Contrast)
        raise InputError(f"contrast {text!r}: expected one of {allowed}") from None


def acquisition_named(text: str) -> Acquisition:
    """The acquisition of this name, whatever its case. Raises InputError for an unknown name."""
    from spinemri.synthesis.acquisitions import Acquisition

    try:
        return Acquisition(text.lower())
    except ValueError:
        allowed = ", ".join(known.value for known in Acquisition)
        raise InputError(f"acquisition {text!r}: expected one of {allowed}") from None
