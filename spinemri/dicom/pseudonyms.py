"""What stands for a patient and the UIDs and dates of their studies: the same under the same key, whatever the run.

Who holds the key can find the pseudonym of a patient; who holds a pseudonym alone can find nothing. Reports name the
patient by the same token as the de-identified copy does, so both can be joined.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import date, timedelta

from spinemri.analysis import token

_DAYS_LEAST, _DAYS_SPAN = 30, 3650


@dataclass(frozen=True)
class Pseudonyms:
    """The stand-ins of one patient.

    Parameters
    ----------
    key : the salt of the tokens
    patient : what tells the patient apart (``series.patient_key``)
    """

    key: bytes
    patient: str

    @property
    def name(self) -> str:
        """Token that stands for name and ID: that of the patient's reports under the same key."""
        return token(self.patient, self.key)

    def uid(self, original: str) -> str:
        """UID under the root for UUIDs; equal wherever the original stands, in any file of any run."""
        return f"2.25.{int.from_bytes(self._mac('uid', original)[:16], 'big')}"

    @property
    def days(self) -> int:
        """By how many days every date of the patient is moved into the past, so that intervals survive."""
        return _DAYS_LEAST + int.from_bytes(self._mac("days", self.patient)[:8], "big") % _DAYS_SPAN

    def shifted(self, text: str) -> str:
        """A date, or the date that a date and time begins with, moved; empty when it is no whole date."""
        if not re.fullmatch(r"\d{8}(\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?([+-]\d{4})?", text):
            return ""
        try:
            day = date(int(text[:4]), int(text[4:6]), int(text[6:8])) - timedelta(days=self.days)
        except (ValueError, OverflowError):
            return ""
        return f"{day:%Y%m%d}".rjust(8, "0") + text[8:]

    def _mac(self, purpose: str, text: str) -> bytes:
        return hmac.new(self.key, f"{purpose}\0{text}".encode(), hashlib.sha256).digest()
