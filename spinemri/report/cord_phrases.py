"""Every sentence of the reports on the spinal cord, and on grades of the canal that need axial images."""

from __future__ import annotations

CORD = "Spinal cord"
CORD_ITEM = "spinal cord (none was found)"
CORD_NOT_COMPRESSED = "No compression of the cord at {count} places compared ({levels})."
CORD_COMPRESSION_NONE = "Whether the cord is compressed was not measured: {reasons}."
CORD_SIGNAL_NORMAL = "T2w signal of the cord normal at {count} places ({levels})."
CORD_SIGNAL_NONE = "T2w signal of the cord not assessable: {reasons}."
CORD_RANGE = "Cord {low:.1f} to {high:.1f} mm AP at the {count} places measured, narrowest at {place}."
CORD_END = "The cord ends below {place}."
CORD_WHAT = {"cord_ap": "cord", "cord_compression_pct": "loss of cord diameter"}
CORD_MISSING = "{places}: {what} not measured ({reason})."
AXIAL_GRADES = {
    "schizas_grade": "Schizas (lumbar)",
    "lee_grade": "Lee (lumbar)",
    "kang_grade": "Kang (cervical)",
}
AXIAL_GRADES_MISSING = "Grades of the canal not assessable, no axial T2w images were read: {names}{lost}."
SPACE_LOST = "; on sagittal images at most {value:.0f} % of the space around the cervical cord is lost ({place})"
