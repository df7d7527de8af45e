"""``measurements.csv``, and ``lesions.csv`` where marrow was looked at: one row per lesion for a spreadsheet.

A column of a measurement is headed by its name and its unit; the last column says why values are missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.lesion import LESION_QUANTITIES, MarrowChange
from spinemri.report.lesion_values import finding_of, first_kind, values_of
from spinemri.report.marrow import was_assessed
from spinemri.report.tables import csv_text, measurements_csv, number, series_labels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from spinemri.analysis import Analysis
    from spinemri.case import Case
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement

UNITS = {name: unit for name, (unit, _) in LESION_QUANTITIES.items()}
"""Measurements of a lesion with their UCUM units: the columns are the same in every study."""

_PLACE = ("study", "id", "label", "series", "seen_in", "level", "levels", "side", "x_mm", "y_mm", "z_mm")
_KINDS = tuple(f"share {kind.value}" for kind in MarrowChange)
_MEASURES = tuple(f"{name} [{unit}]" for name, unit in UNITS.items())
LESION_COLUMNS = (*_PLACE, "probability", "first_kind", *_KINDS, *_MEASURES, "flags", "missing")


def write_csv(case: Case, folder: Path) -> None:
    """Write ``measurements.csv``: one line per measurement; and ``lesions.csv`` unless nobody looked for lesions."""
    (folder / "measurements.csv").write_text(measurements_csv(case.analysis), encoding="utf-8", newline="")
    if was_assessed(case.analysis):
        (folder / "lesions.csv").write_text(lesions_csv(case.analysis), encoding="utf-8", newline="")


def lesions_csv(analysis: Analysis) -> str:
    """The wide table as text; decimal point, comma separated, ``;`` within a cell. The header alone without lesions."""
    rows: list[tuple[str, ...]] = [LESION_COLUMNS]
    labels = series_labels(analysis)
    for lesion in analysis.lesions:
        values = values_of(analysis, lesion)
        numbers = [number(values[name].value, unit) if name in values else "" for name, unit in UNITS.items()]
        rows.append((*_place(analysis, lesion, labels), *_shares(analysis, lesion), *numbers, *_remarks(values)))
    return csv_text(rows)


def _place(analysis: Analysis, lesion: Lesion, labels: Mapping[str, str]) -> tuple[str, ...]:
    levels = ";".join(str(level) for level in lesion.levels)
    centre = (f"{mm:.2f}" for mm in lesion.centre)
    series = labels.get(lesion.series_uid, "")
    seen = ";".join(lesion.seen_in)
    return analysis.study, lesion.id, str(lesion.label), series, seen, str(lesion.level), levels, lesion.side, *centre


def _shares(analysis: Analysis, lesion: Lesion) -> tuple[str, ...]:
    kind = first_kind(lesion, finding_of(analysis, lesion)).value
    return number(lesion.probability), kind, *(number(lesion.shares.get(kind, 0.0)) for kind in MarrowChange)


def _remarks(values: Mapping[str, Measurement]) -> tuple[str, str]:
    """Flags by measurement, and why values are missing."""
    flags = ";".join(f"{name}={flag}" for name, m in values.items() for flag in m.flags)
    return flags, ";".join(f"{name}: {m.reason.rstrip('.')}" for name, m in values.items() if m.value is None)
