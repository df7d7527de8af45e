"""Measurements as tables: the long CSV for statistics, and one row per level for people.

A value that could not be measured stays in the table with its status and its reason; it never becomes an empty cell
without explanation, and never a zero.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.anatomy import StructureKind
from spinemri.measurement import SAC_LOSSES, Status, deciding_loss, minimal_detectable_change
from spinemri.report.phrases import phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level
    from spinemri.measurement import Measurement
    from spinemri.spine import Vertebra

HEIGHTS = ("anterior_height", "middle_height", "posterior_height")
COLUMN_LOSSES = ("height_loss_anterior_pct", "height_loss_middle_pct", "height_loss_posterior_pct")
HEIGHT_LOSS = "height_loss_pct"
SAC_AP = "dural_sac_ap"
SAC_COMPROMISE = "dural_sac_compromise_pct"
RATIOS = ("wedge_ratio", "biconcavity_ratio")

COLUMNS = (
    "study",
    "level",
    "name",
    "value",
    "unit",
    "status",
    "reason",
    "interval_low",
    "interval_high",
    "detectable_change",
    "reference_levels",
    "series",
    "id",
    "flags",
)
NUMBERS = ("value", "interval_low", "interval_high", "detectable_change")
"""Columns that hold numbers in the unit of their row."""


@dataclass(frozen=True)
class LevelRow:
    """What was measured at one vertebra and at the disc below it; None where nothing was even attempted."""

    vertebra: Vertebra
    heights: tuple[Measurement | None, Measurement | None, Measurement | None]
    height_loss: Measurement | None
    sac_at_body: Measurement | None
    sac_at_disc: Measurement | None
    compromise: Measurement | None

    @property
    def level(self) -> Level:
        """The vertebra's level."""
        return self.vertebra.level

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """Every measurement of the row."""
        cells = (*self.heights, self.height_loss, self.sac_at_body, self.sac_at_disc, self.compromise)
        return tuple(m for m in cells if m is not None)

    @property
    def gaps(self) -> tuple[str, ...]:
        """Reasons of the measurements of this row that have no value, each once, in order."""
        return tuple(dict.fromkeys(m.reason for m in self.measurements if m.value is None))


def level_rows(analysis: Analysis) -> tuple[LevelRow, ...]:
    """One row per vertebra, head to foot."""
    return tuple(_row(analysis, vertebra) for vertebra in analysis.spine.vertebrae)


def named(analysis: Analysis, *names: str) -> tuple[Measurement, ...]:
    """Measurements with one of the names, head to foot; a disc comes after the vertebra above it."""
    chosen = [m for m in analysis.measurements if m.name in names]
    return tuple(sorted(chosen, key=position))


def position(measurement: Measurement) -> tuple[int, bool]:
    """Sort key from head to foot."""
    return measurement.level.rank if measurement.level else 0, measurement.lower is not None


def measured(measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """Those that have a value."""
    return tuple(m for m in measurements if m.status is Status.MEASURED)


def series_labels(analysis: Analysis) -> dict[str, str]:
    """Label of every series by its ``series_uid``."""
    return {record.series.series_uid: record.series.label for record in analysis.series}


def measured_in(analysis: Analysis, vertebra: Vertebra) -> str:
    """Label of the series in which a body is measured, and that of its thecal sac where it is another one."""
    labels = series_labels(analysis)
    body = labels.get(vertebra.series_uid, phrases.EMPTY)
    sac = labels.get(vertebra.sac_series_uid or vertebra.series_uid, body)
    return body if sac == body else phrases.MEASURED_IN_TWO.format(body=body, sac=sac)


def not_measured_in(analysis: Analysis, vertebra: Vertebra) -> str:
    """Which other series show a body, and why it is not measured there."""
    labels = series_labels(analysis)
    told = [(labels.get(other.series_uid, phrases.EMPTY), other.reason) for other in vertebra.others]
    return "; ".join(phrases.NOT_MEASURED_IN.format(label=label, reason=reason) for label, reason in told)


def measurement_rows(analysis: Analysis) -> Iterator[tuple[str | float | None, ...]]:
    """The long table under ``COLUMNS``, head to foot; numbers as measured, None for none, ``;`` within a cell."""
    labels = series_labels(analysis)
    for m in sorted(analysis.measurements, key=lambda m: (position(m), m.id)):
        references = ";".join(str(level) for level in m.reference_levels)
        cells = (analysis.study, m.place or m.kind.value, m.name, m.value, m.unit, m.status.value, m.reason)
        interval = (*(m.interval or (None, None)), minimal_detectable_change(m))
        yield (*cells, *interval, references, labels.get(m.series_uid or "", ""), m.id, ";".join(m.flags))


def measurements_csv(analysis: Analysis) -> str:
    """The long table as text; decimal point, comma separated, an empty cell means none."""
    rows = []
    for row in measurement_rows(analysis):
        unit = str(row[COLUMNS.index("unit")])
        rows.append([number(cell, unit) if isinstance(cell, float) or cell is None else cell for cell in row])
    return csv_text([COLUMNS, *rows])


def csv_text(rows: Iterable[Iterable[object]], delimiter: str = ",") -> str:
    """Rows as the text of a CSV file, comma separated unless said otherwise; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


def number(value: float | None, unit: str = "") -> str:
    """A value for a cell of a CSV file, '' for none: four decimals, seven of a diffusion coefficient."""
    digits = 7 if unit == "mm2/s" else 4
    return "" if value is None else f"{value:.{digits}f}".rstrip("0").rstrip(".")


def _row(analysis: Analysis, vertebra: Vertebra) -> LevelRow:
    here = [m for m in analysis.measurements if m.level == vertebra.level]
    body = _finder(m for m in here if m.kind is StructureKind.VERTEBRAL_BODY)
    at_body = _finder(m for m in here if m.kind is StructureKind.THECAL_SAC and m.lower is None)
    at_disc = _finder(m for m in here if m.kind is StructureKind.THECAL_SAC and m.lower is not None)
    compromises = [m for m in (deciding_loss(at_body), deciding_loss(at_disc)) if m is not None]
    return LevelRow(
        vertebra=vertebra,
        heights=(body(HEIGHTS[0]), body(HEIGHTS[1]), body(HEIGHTS[2])),
        height_loss=body(HEIGHT_LOSS),
        sac_at_body=at_body(SAC_AP),
        sac_at_disc=at_disc(SAC_AP),
        compromise=max(compromises, key=lambda m: -1.0 if m.value is None else m.value, default=None),
    )


def sac_losses(analysis: Analysis) -> tuple[Measurement, ...]:
    """The loss that decides at every place that has a value, head to foot."""
    places: dict[str, list[Measurement]] = {}
    for m in named(analysis, *SAC_LOSSES):
        places.setdefault(m.place, []).append(m)
    chosen = (deciding_loss(_finder(found)) for found in places.values())
    return measured(m for m in chosen if m is not None)


def _finder(measurements: Iterable[Measurement]) -> Callable[[str], Measurement | None]:
    by_name = {m.name: m for m in measurements}
    return by_name.get
