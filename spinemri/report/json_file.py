"""``report.json``: the ``Analysis`` and nothing else, with sorted keys, so that two runs can be compared line by line.

``docs/report.schema.json`` is the published JSON Schema of this file; it comes from the type itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from spinemri.analysis import Analysis

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.case import Case

FILE_NAME = "report.json"


def write_json(case: Case, folder: Path) -> None:
    """Write ``report.json``."""
    (folder / FILE_NAME).write_text(to_json(case.analysis), encoding="utf-8")


def to_json(analysis: Analysis) -> str:
    """The analysis as JSON text. Raises ValueError when a number is not finite: JSON has no NaN."""
    return dumped(analysis.model_dump(mode="json"))


def json_schema() -> str:
    """JSON Schema (2020-12) of ``report.json`` as text; kept current in ``docs/report.schema.json``."""
    return dumped(Analysis.model_json_schema(mode="serialization"))


def dumped(document: object) -> str:
    """A document as the JSON text of all our files: keys sorted, a line feed at its end; ValueError for NaN."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
