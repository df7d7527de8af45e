"""Every sentence and heading of the text and HTML reports: a translation is this file again, in another language.

Words on marrow and its lesions stand in ``marrow_phrases``, those on the cord in ``cord_phrases``.

Wording follows three rules: a number has its unit and its level; what was not looked at is said to be so; and the
absence of a finding is stated only as far as it was measured, never as "no fracture" or "no stenosis".
"""

from __future__ import annotations

LANGUAGE = "en"
DETAILED_STATEMENTS = True
"""Whether the findings section uses the findings' own statements, which are English; a translation says False."""

TITLE = "Spine MRI"
SUBTITLE = "Automated measurement report"
RESEARCH_USE = "Research use only. Not for diagnosis."

URGENT = "Urgent findings"
EXAMINATION = "Examination"
INDICATION = "Indication"
TECHNIQUE = "Technique and limits"
COMPARISON = "Comparison"
FINDINGS = "Findings"
MEASUREMENTS = "Measurements"
IMPRESSION = "Impression"
NOT_ASSESSED = "Not assessed"
PROVENANCE = "Provenance"
DISCLAIMER = "Disclaimer"

URGENT_NONE = (
    "Nothing was flagged. The automated screen covers vertebral body height and the width of the thecal sac only; "
    "it is no clearance."
)
URGENT_NONE_MARROW = (
    "Nothing was flagged. The automated screen covers vertebral body height, the width of the thecal sac and changes "
    "of bone marrow only; it is no clearance."
)
URGENCY = {
    "category 1 (minutes)": "Category 1, act within minutes",
    "category 2 (hours)": "Category 2, act within hours",
    "category 3 (days)": "Category 3, act within days",
}
URGENT_ITEM = "{urgency}: {text}"
INDICATION_NONE = "Not given."
COMPARISON_NONE = "None."

PATIENT = "Patient {patient}{details}. Study {study}."
AGE = "{years:.0f} years"
SEX = {"F": "female", "M": "male", "O": "other"}
IMAGED = "{count} series used: {names}."
IMAGED_NONE = "No series could be used."
LEVELS_SEEN = "{count} vertebrae seen, {levels}; {bases}."
BASIS = {
    "counted from C2": "counted from C2",
    "counted from the sacrum": "counted from the sacrum",
    "counted from another station": "counted from another station",
    "given by the user": "numbering given by the user",
    "assumed": "numbering assumed",
}
LEVELS_NONE = "No vertebra was recognised."
LEVELS_CUT = "Cut by the edge of the field of view, not measured: {levels}."
NUMBERING_CAUTION = (
    "Caution: the upper cervical spine is not in view. Numbering that starts at the sacrum was wrong in about 14 % of "
    "1049 patients when it was checked against a localizer of the whole spine; compare before any intervention."
)
NUMBERING_RELATIVE = (
    "Caution: nothing in the images anchors the count. V1, V2 … are positions from the top, not levels."
)

SERIES_SHORT = "{contrast} (series {label})"
SERIES = "Series {label}: {plane} {contrast}{details}."
SERIES_GRID = (
    "{slices} slices of {rows} × {columns}, {row_mm:.2g} × {column_mm:.2g} mm in plane, {slice_mm:.3g} mm apart"
)
SERIES_PART = "Series {label}, {part}."
MEASURED_IN_TWO = "{body}, sac {sac}"
NOT_MEASURED_IN = "not series {label}: {reason}"
SERIES_TIMES = "TR {tr:.0f} ms, TE {te:.3g} ms"
SERIES_INVERSION = "TI {ti:.0f} ms"
SERIES_FIELD = "{tesla:.2g} T"
CONTRAST_AGENT = {"none": "", "given": "contrast agent given", "uncertain": "contrast agent uncertain"}
REFUSED = "Series {label} ({plane} {contrast}) not used: {reason}."
ONLY_SAGITTAL = (
    "No axial series was used: lateral recesses, cervical foramina and the shape of the sac cannot be judged."
)
ALIGNED = "{moving} and {fixed} agree within {worst:.1f} mm at {levels}."
MISALIGNED = "The patient moved between {fixed} and {moving}: {low:.1f} to {high:.1f} mm at {levels}, {status}."
UNVERIFIED = "{moving} and {fixed}: the match could not be verified at {levels}."
ALIGNMENT_STATUS = {
    "aligned": "within tolerance",
    "registered": "corrected by registration",
    "unpaired": "the two are not read together there",
}
ALIGNMENT_WORD = {"aligned": "Aligned", "registered": "Registered", "unpaired": "Unpaired"}

REGIONS = {
    "C": "Cervical spine",
    "T": "Thoracic spine",
    "L": "Lumbar spine",
    "S": "Sacrum",
    "V": "Spine, levels relative",
}
COLUMN = {0: "anterior", 1: "middle", 2: "posterior"}
HEIGHT_LOSS = (
    "{level}: {value:.0f} % height loss{interval}{column}{heights}; reference {references}{grade}{borderline}."
)
HEIGHT_LOSS_COLUMN = ", {column} column"
HEIGHTS = "; heights anterior {0}, middle {1}, posterior {2} mm"
INTERVAL = " (95 % interval {low:.0f} to {high:.0f} %)"
GRADES = {
    ("vertebral_height_loss", "0"): "equivocal, below fracture level",
    ("vertebral_height_loss", "1"): "Genant-equivalent grade 1",
    ("vertebral_height_loss", "2"): "Genant-equivalent grade 2",
    ("vertebral_height_loss", "3"): "Genant-equivalent grade 3",
}
CAUSES = {"wedge": "wedge shape", "biconcave": "biconcave shape", "crush": "crush shape"}
GRADE = "; {grade}"
EQUIVOCAL = "Equivocal height loss, below fracture level: {items}."
EQUIVOCAL_ITEM = "{level} {value:.0f} %"
BORDERLINE = "; borderline, within the error of the measurement"
NO_REFERENCE = "none"
OF_CLASS = " AO Spine-DGOU class candidate {grade}{borderline}."
OF_BORDERLINE = ", borderline"
DISCS = "Discs"
DISCS_DEGENERATED = "Disc degeneration, Pfirrmann-like grade from T2w signal and height alone: {items}."
DISCS_BULGING = "Bulge of the disc beyond the endplate line: {items}."
DISC_BULGE = "{place} {value:.1f} mm"
DISC_BORDERLINE = "{item} (borderline)"
NO_HEIGHT_LOSS = "No height loss of {threshold:.0f} % or more in the {count} vertebrae measured ({levels})."
NO_OTHER_HEIGHT_LOSS = "No height loss of {threshold:.0f} % or more in the other {count} vertebrae measured ({levels})."
NO_HEIGHT_LOSS_ONE = "No height loss of {threshold:.0f} % or more in the one vertebra measured ({levels})."
NO_OTHER_HEIGHT_LOSS_ONE = "No height loss of {threshold:.0f} % or more in the one other vertebra measured ({levels})."
HEIGHTS_NONE = "Height loss could not be measured at any level."
MID_BODY = "{level} mid-body"
SAC = "{place}: thecal sac {value:.1f} mm AP{compromise}{grade}{borderline}."
SAC_COMPROMISE = ", {value:.0f} % of its {what} lost against its reference ({references})"
SAC_WHAT = {
    "axial_sac_area_compromise_pct": "area on axial slices",
    "dural_sac_area_compromise_pct": "area",
    "dural_sac_compromise_pct": "AP diameter",
}
SAC_WHAT_BOTH = "area (of its AP diameter where the area was not compared)"
SAC_LESSER = "Lesser narrowing of the thecal sac: {items}."
SAC_LESSER_ITEM = "{place} {value:.0f} % of its {what} ({grade})"
SAC_LESSER_BORDERLINE = "{grade}, borderline"
SAC_RANGE = "Thecal sac {low:.1f} to {high:.1f} mm AP at the {count} places measured, narrowest at {place}."
SAC_ONE = "Thecal sac {low:.1f} mm AP at {place}, the one place measured."
SAC_NORMAL = (
    "Thecal sac: not more than {limit:.0f} % of its {what} lost against its reference at the {count} places compared "
    "({levels})."
)
SAC_OTHERS = (
    "Elsewhere ({levels}) the thecal sac has lost not more than {limit:.0f} % of its {what} against its reference "
    "({count} places)."
)
SAC_NO_REFERENCE = "Narrowest thecal sac {value:.1f} mm AP at {place}; no reference to judge it by."
SAC_NONE = "The width of the thecal sac could not be measured."
ALIGNMENT = "Alignment"
NO_SLIP = "No slip that reaches the limit; discs measured: {count} ({levels})."
NO_OTHER_SLIP = "No other slip that reaches the limit; other discs measured: {count} ({levels})."

LIGAMENTS = "Posterior ligaments"
LIGAMENTS_RAISED = (
    "Signal between the spinous processes raised against muscle: {items}: oedema or degeneration; an injury of the "
    "complex is not proved."
)
LIGAMENT_ITEM = "{place} {value:.1f} times"
LIGAMENTS_NORMAL = "Signal between the spinous processes not raised: {places}."
LIGAMENTS_MISSING = "Posterior ligaments not assessed: {items}."
FORAMINA = "Neural foramina"
FORAMINA_NORMAL = "Neural foramina not narrow: {places}."
FORAMINA_DOUBTFUL = "Neural foramina perhaps narrow: {items}."
FORAMINA_MISSING = "Neural foramina not assessed: {items}."
MISSING = "{place}: {names} {status} ({reason})."
STATUS = {
    "measured": "measured",
    "not_assessable": "not assessable",
    "out_of_field": "out of the field of view",
    "excluded": "excluded",
}
UNKNOWN_FINDING = "{place}: {kind}{grade}."

NAMES = {
    "anterior_height": "anterior height",
    "middle_height": "middle height",
    "posterior_height": "posterior height",
    "height_loss_pct": "height loss",
    "dural_sac_ap": "thecal sac AP width",
    "disc_signal_to_csf": "disc signal against CSF",
    "dural_sac_compromise_pct": "thecal sac narrowing",
    "dural_sac_area": "thecal sac area",
    "slip_mm": "slip",
    "coronal_curvature_estimate": "coronal curvature",
}
BODY_HEIGHTS = "body heights"
KINDS = {
    "diffuse_marrow": "diffuse marrow change",
    "marrow_involvement": "marrow lesions",
    "marrow_lesion": "marrow lesion",
    "vertebral_height_loss": "vertebral height loss",
    "of_class": "AO Spine-DGOU class",
    "thecal_sac_narrowing": "thecal sac narrowing",
    "escc": "epidural cord compression (ESCC)",
    "escc_screen": "tumour in the canal",
    "cord_compression": "cord compression",
    "cord_displacement": "cord displacement",
    "cord_signal": "cord signal",
    "spondylolisthesis": "slip",
    "coronal_curvature": "coronal curvature",
    "sagittal_curvature": "sagittal curvature",
}
"""Kinds of findings as the impression orders them, other things equal."""

NOTHING_MEASURED = "Nothing could be measured in this examination."
NOT_ASSESSED_ITEMS = (
    "nerve roots and cauda equina beyond the width of the sac",
    "lateral recesses, and nerve roots in the neural foramina",
    "disc herniation, facet joints, and ligaments beyond the signal between the spinous processes",
    "posterior elements, and stability beyond the components of SINS",
    "soft tissues",
)
NOT_ASSESSED_LINE = "This version does not assess: {items}."
HEIGHT_LOSS_LIMITS = (
    "Height loss is a shape: whether it is recent, and whether it comes from a fracture, a Schmorl node, Scheuermann's "
    "disease or another deformity, is not assessed."
)
HEIGHT_LOSS_SHAPE = (
    "Height loss is a shape: whether it comes from a fracture, a Schmorl node, Scheuermann's disease or another "
    "deformity, is not assessed."
)
SOME_MISSING = "Not measured: {items}."

PROVENANCE_LINE = "{software} {version}, {models}, {device}, {created}."
MODEL_USED = "{role} {model} {version} (SHA-256 {sha})"
MODEL_ROLES = {"anatomy": "model", "levels": "level model", "lesions": "lesion model", "axial": "model of axial slices"}
NO_MODEL = "no model"
DISCLAIMER_TEXT = (
    "Made by software without review by a physician. For research; not a medical device, not for diagnosis or "
    "treatment. Absence of a statement is not evidence of absence."
)
PDF_FOOT, PDF_PAGE = "{use} Study {study}.", "Page {number} of {count}"
TABLE_HEADERS = (
    "Level", "Ha", "Hm", "Hp", "Loss %", "Reference", "Sac body", "Sac disc", "Narrowing %", "Series", "Remark",
)  # fmt: skip
TABLE_NOTE = (
    "Ha, Hm, Hp: anterior, middle, posterior body height, mm. Loss: largest of the three against the reference levels. "
    "Sac: AP width of the thecal sac in mm at mid-body and at the disc below. Narrowing: area of the sac lost "
    "against its reference (AP width where the area was not compared), the worse of the two places."
)
NOT_MEASURED = "not measured"
CUT = "cut by the field of view"
EMPTY = "–"

BASIS_SHORT = {
    "counted from C2": "from C2",
    "counted from the sacrum": "from sacrum",
    "counted from another station": "other station",
    "given by the user": "by user",
    "assumed": "assumed",
}
FIGURE_CAPTION = "Sagittal slice {number} of {count}; head up, anterior on the left."
FIGURE_ALTERNATIVE = (
    "Mid-sagittal slice {number} of {count} of {series} with outlines of the segmented structures; "
    "vertebral bodies named: {levels}. The measured values are in the table of levels."
)
PAGE = {
    "pictures": "Mid-sagittal pictures",
    "overlay": "Show outlines and names",
    "levels": "Levels",
    "levels_caption": "One row per vertebra, head to foot",
    "level": "Level",
    "numbering": "Numbered",
    "body": "Vertebral body",
    "loss": "Loss",
    "reference": "Reference",
    "sac": "Thecal sac AP",
    "mid_body": "Mid-body",
    "disc_below": "Disc below",
    "compromise": "Narrowing",
    "measured_in": "Series",
    "remark": "Remark",
    "report": "Report",
    "alignment": "Match between series",
    "alignment_caption": "How far two series lie apart at each vertebra when their headers are trusted",
    "shift": "Shift",
    "rotation": "Rotation",
    "handling": "Handling",
    "series": "Series",
    "series_caption": "Every series of the study, used or not, and why",
    "number": "No.",
    "contrast": "Contrast",
    "plane": "Plane",
    "description": "Description",
    "grid": "Slices, voxel",
    "used": "Used",
    "not_used": "Not used",
    "why": "Why",
    "skipped": "Files that are no usable MR image",
    "files": "{count} files",
    "file": "1 file",
    "software": "Software",
    "checksum": "SHA-256",
    "norms": "Norms SHA-256",
    "device": "Device",
    "created": "Made",
    "libraries": "Libraries",
    "parameters": "Parameters",
    "times": "Seconds per step",
    "patient": "Patient",
    "study": "Study",
    "vertebrae": "Vertebrae",
    "measured": "Heights measured",
    "of": "{count} of {total}",
}
