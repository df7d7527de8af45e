"""Every norm and threshold in one table, each row with its source; the report carries the table's checksum.

``norms.csv`` marks each row: V was read in the publication named, M is quoted from memory and not read again, D is this
project's own choice. To change one, change its row: the code names none of these numbers a second time.
"""

from __future__ import annotations

import csv
import hashlib
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple

_CONTENT = resources.files("spinemri").joinpath("norms.csv").read_bytes()

NORMS_SHA256 = hashlib.sha256(_CONTENT).hexdigest()
"""Checksum of the table."""


class Norm(NamedTuple):
    """A row: what is normal at a place ('L4', 'L4-L5', a region such as 'C'), or a threshold ('' as place)."""

    name: str
    place: str
    value: float
    sd: float | None
    unit: str
    mark: str
    source: str
    meaning: str


def _read(content: bytes) -> dict[tuple[str, str], Norm]:
    rows = csv.DictReader(content.decode("utf-8").splitlines())
    return {(row["name"], row["place"]): _row(row) for row in rows}


def _row(row: dict[str, str]) -> Norm:
    words = (row[name] for name in ("unit", "mark", "source", "meaning"))
    return Norm(row["name"], row["place"], float(row["value"]), float(row["sd"]) if row["sd"] else None, *words)


NORMS = MappingProxyType(_read(_CONTENT))
"""(name, place) -> row."""


def norm(name: str, place: str) -> Norm | None:
    """The row of a place, else that of its region ('T' for 'T4'), else None: no source was read."""
    return NORMS.get((name, place)) or NORMS.get((name, place[:1]))


def threshold(name: str) -> float:
    """The value of a threshold by its name, such as 'height_loss.fracture_from'. Raises KeyError if there is none."""
    return NORMS[name, ""].value


def source_of(name: str) -> str:
    """Where a threshold was read. Raises KeyError if there is none."""
    return NORMS[name, ""].source
