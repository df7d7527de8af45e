"""Tables of a BIDS derivative data set: lookup tables of segmentations, and measurements with their data dictionary.

Tab separated; what is missing is ``n/a``, never an empty cell and never 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spinemri.anatomy import StructureKind
from spinemri.codes import UNITS, measurement_code
from spinemri.lesion import LESION_QUANTITIES
from spinemri.report.masks import label_of
from spinemri.report.tables import COLUMNS, csv_text, measurement_rows, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Structure
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement

MISSING = "n/a"
LOOKUP = ("index", "name", "abbreviation", "mapping", "kind", "level")
"""Columns of a lookup table; the first four are those of BIDS."""

STANDARD = {
    StructureKind.VERTEBRAL_BODY: 4,
    StructureKind.POSTERIOR_ELEMENTS: 4,
    StructureKind.SACRUM: 4,
    StructureKind.DISC: 5,
    StructureKind.LESION: 7,
}
"""Kind -> value among BIDS's common image-derived labels (4 bone, 5 soft tissue, 7 lesion); cord and sac have none."""

_SHORT = {
    StructureKind.VERTEBRAL_BODY: "",
    StructureKind.POSTERIOR_ELEMENTS: "arch",
    StructureKind.DISC: "disc",
    StructureKind.THECAL_SAC: "sac",
    StructureKind.CORD: "cord",
    StructureKind.SACRUM: "sacrum",
}
LOOKUP_DICTIONARY = {
    "kind": {"Description": "kind of structure; of a lesion, the kind of marrow change with the largest share"},
    "level": {"Description": "vertebral level, or both levels beside a disc; vertebrae that a lesion lies in"},
}
"""Columns of a lookup table that BIDS does not define."""

_OF_ROW = "see column unit"
_DICTIONARY: dict[str, dict[str, Any]] = {
    "study": {"Description": "study, as a salted token unless identifiers were kept"},
    "level": {"Description": "vertebral level, both levels beside a disc, or the structure where there is no level"},
    "name": {"Description": "what is measured"},
    "value": {"Description": "the measurement", "Units": _OF_ROW},
    "unit": {"Description": "unit of value, interval and detectable change (UCUM)"},
    "status": {
        "Description": "whether it could be measured",
        "Levels": {
            "measured": "value holds the measurement",
            "not_assessable": "it could not be measured",
            "out_of_field": "the field of view does not hold what is to be measured",
            "excluded": "it must not be measured here",
        },
    },
    "reason": {"Description": "why there is no value"},
    "interval_low": {"Description": "lower end of the 95 % interval", "Units": _OF_ROW},
    "interval_high": {"Description": "upper end of the 95 % interval", "Units": _OF_ROW},
    "detectable_change": {"Description": "least change that a second study could show", "Units": _OF_ROW},
    "reference_levels": {"Description": "levels that the value was compared with", "Delimiter": ";"},
    "series": {"Description": "series that it was measured in: Series in the sidecar of that segmentation"},
    "id": {"Description": "unique within a study; a lesion's measurements begin with the lesion's name"},
    "flags": {"Description": "remarks on the measurement", "Delimiter": ";"},
}


def lookup_of_structures(structures: Mapping[int, Structure]) -> str:
    """Lookup table of anatomy: voxel value -> structure."""
    rows = []
    for value, structure in sorted(structures.items()):
        label = label_of(structure)
        short = f"{structure.place}{_SHORT[structure.kind]}"
        rows.append((value, label["name"], short, STANDARD.get(structure.kind), label["kind"], label["level"]))
    return tsv_text(LOOKUP, rows)


def lookup_of_lesions(lesions: Iterable[Lesion]) -> str:
    """Lookup table of lesions: voxel value -> the id that their measurements begin with, first kind, levels."""
    standard = STANDARD[StructureKind.LESION]
    rows = ((o.label, o.id, o.id, standard, o.kind.value, ";".join(map(str, o.levels))) for o in lesions)
    return tsv_text(LOOKUP, sorted(rows))


def measurements_tsv(analysis: Analysis) -> str:
    """The long table of measurements, as in ``measurements.csv``."""
    return tsv_text(COLUMNS, measurement_rows(analysis), COLUMNS.index("unit"))


def measurements_dictionary(analysis: Analysis) -> dict[str, Any]:
    """What the columns of the long table mean, with the names and units that occur in it."""
    units = {m.unit: UNITS[m.unit].meaning for m in analysis.measurements}
    names = {m.name: _meaning(m) for m in analysis.measurements}
    changes = {"name": {"Levels": dict(sorted(names.items()))}, "unit": {"Levels": dict(sorted(units.items()))}}
    return {column: {**_DICTIONARY[column], **changes.get(column, {})} for column in COLUMNS}


def _meaning(measurement: Measurement) -> str:
    """'Area of the cord [mm2]': what the code says, for many structures have an area."""
    known = LESION_QUANTITIES.get(measurement.name)
    kind = measurement.kind.value.replace("_", " ")
    text = known[1] if known else f"{measurement_code(measurement.name).meaning} ({kind})"
    return f"{text} [{measurement.unit}]"


def tsv_text(columns: Iterable[str], rows: Iterable[Iterable[object]], unit_at: int | None = None) -> str:
    """A tab-separated table, header first; ``unit_at`` is the column that holds the unit of a row's numbers."""
    told = ([_cell(cell, "" if unit_at is None else str(row[unit_at])) for cell in row] for row in map(tuple, rows))
    return csv_text([tuple(columns), *told], "\t")


def _cell(value: object, unit: str) -> str:
    """One line of text without tabs, ``n/a`` for what is missing."""
    text = number(value, unit) if isinstance(value, float) else "" if value is None else " ".join(str(value).split())
    return text or MISSING
