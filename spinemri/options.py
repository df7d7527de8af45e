"""What a user may choose about one analysis; what contradicts itself is refused before the work begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.analysis import token
from spinemri.labels.study import check_files
from spinemri.language import ENGLISH, checked
from spinemri.revise.given import check_corrected
from spinemri.segment.levels import Anchor

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.clinical import Clinical
    from spinemri.review import Review
    from spinemri.series import Contrast


@dataclass(frozen=True)
class Options:
    """What a user may choose about one analysis.

    Parameters
    ----------
    patient : which patient, when a folder holds several
    contrast : contrast of NIfTI, NRRD and MetaImage files whose name does not say it
    anchor : the user's word on the level of one body, such as 'L5=2', counted from the bottom of the series that reach
        lowest; stations above take their names from those
    keep_identifiers : write UIDs, patient ID and series descriptions instead of salted tokens
    token_key : salt of the tokens; the same key gives the same tokens. None draws a new one.
    clinical : what the user says of the patient (``read_clinical``)
    labels, labels_from : masks by others that stand in for the network's, and the scheme of their numbers
    review : a person's verdicts on an earlier analysis of the same images (``read_review``), applied to this one
    corrected : masks that spinemri wrote of these images and a person changed; they are measured in place of its own
    language : of everything that is said about the study: a code of ISO 639-1, such as 'en' or 'de'

    Raises
    ------
    LevelError
        If the anchor is no 'LEVEL=N'.
    InputError
        If there are label files without a known and usable scheme, a scheme without label files, no such file, or one
        that is given twice, or an unknown language.
    """

    patient: str | None = None
    contrast: Contrast | None = None
    anchor: str | None = None
    keep_identifiers: bool = False
    token_key: bytes | None = None
    clinical: Clinical | None = None
    labels: tuple[Path, ...] = ()
    labels_from: str | None = None
    review: Review | None = None
    corrected: tuple[Path, ...] = ()
    language: str = ENGLISH

    def __post_init__(self) -> None:
        _ = self.named  # a typing error is told before the work begins
        check_files(self.labels, self.labels_from)
        check_corrected(self.corrected)
        checked(self.language)

    @property
    def named(self) -> Anchor | None:
        """The anchor, parsed."""
        return Anchor.parse(self.anchor) if self.anchor is not None else None

    @property
    def parameters(self) -> dict[str, str]:
        """What was chosen of that on which names and numbers hang."""
        chosen = {"anchor": self.anchor, "contrast": self.contrast}
        return {name: str(value) for name, value in chosen.items() if value is not None}

    def stand_in(self, uid: str | None) -> str | None:
        """What a UID of a file became when the study was read; None when that cannot be told."""
        if uid is None or self.keep_identifiers:
            return uid
        return token(uid, self.token_key) if self.token_key else None
