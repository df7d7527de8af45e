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
AXIAL_SERIES = "axial {contrast}"
AXIAL = "Canal on axial slices"
AXIAL_SAC = (
    "Thecal sac {low:.0f} to {high:.0f} mm² at the {count} places that axial slices cross, smallest at {place}{size}."
)
AXIAL_SAC_ONE = "Thecal sac {low:.0f} mm² at {place}{size}, the one place that axial slices cross."
AXIAL_CORD = "Cord {low:.0f} to {high:.0f} mm² at {count} places, smallest at {place}{size}."
AXIAL_CORD_ONE = "Cord {low:.0f} mm² at {place}{size}."
AXIAL_SIZE = " ({ap:.1f} mm AP × {width:.1f} mm)"
AXIAL_WHAT = {"axial_sac_area": "thecal sac", "axial_cord_area": "cord"}
AXIAL_MISSING = "{places}: {what} not measured on axial slices ({reason})."
SPACE_LOST = "; on sagittal images at most {value:.0f} % of the space around the cervical cord is lost ({place})"
