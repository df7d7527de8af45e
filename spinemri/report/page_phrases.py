"""Words of the interactive page: spine map, viewer, review, navigation. The third part of ``phrases``.

A translation is all ``*phrases`` files again. Words that the page's script shows are handed to it from here.
"""

from __future__ import annotations

NAVIGATION = "Sections"
SKIP = "Skip to the report"
SECTIONS = {
    "impression": "Impression",
    "spine": "Spine",
    "lesions": "Lesions",
    "levels": "Levels",
    "profiles": "Profiles",
    "report": "Report",
    "series": "Series",
    "review": "Review",
    "provenance": "Provenance",
}

PROFILES = {
    "title": "Profiles along the spine",
    "about": (
        "Every level with its 95 % interval. Red: beyond the norm, or beyond what the other bodies let expect; hollow "
        "where the interval reaches back. Levels differ in health too: a profile is no finding."
    ),
    "lesions": "Marrow lesions by level",
    "lesion": "{id}: {levels}, {kind}",
}
SPINE = "Spine"
MAP = {
    "title": "Map of levels",
    "about": "Choose a level to see it in the images; choose what was found to go to its place in the tables.",
    "key": "Key",
    "nothing": "nothing reported",
    "not_seen": "{levels} not in view",
    "not_named": "{levels} not named",
    "cut": "cut by the field of view",
    "excluded": "not measured: {reason}",
    "no_height": "height not measured",
    "no_marrow": "marrow not assessed",
    "no_sac": "canal not measured",
    "height_loss": "height loss {value:.0f} %{grade}",
    "grade": " ({grade})",
    "lesion": "{lesion}{size}: {kind}",
    "lesion_size": ", {size}",
    "finding": "{place}{kind}{grade}",
    "finding_grade": ": {grade}",
    "sided": "{kind} {side}",
    "borderline": "{text}, borderline",
    "show": "Show {level} in the images",
}
CLASSES = {
    "fracture": "Fracture or height loss",
    "lesion": "Marrow lesion",
    "narrowing": "Narrowing",
    "other": "Other finding",
    "benign": "Lesion that looks benign",
    "gap": "Not assessable",
    "nothing": "Nothing reported",
}
"""What colours a level, the most weighty first."""
GENANT = {"0": "equivocal", "1": "grade 1", "2": "grade 2", "3": "grade 3"}
FINDING_GRADES = {"spondylolisthesis": "Meyerding {grade}", "disc_degeneration": "Pfirrmann-like {grade}"}
FINDING_KINDS = {
    "thecal_sac_narrowing": "thecal sac narrowed",
    "foraminal_narrowing": "foramen narrow",
    "escc": "epidural cord compression (ESCC)",
    "escc_screen": "tumour in the canal",
    "cord_compression": "cord compressed",
    "cord_displacement": "cord displaced",
    "cord_signal": "cord signal changed",
    "spondylolisthesis": "slip",
    "disc_bulge": "disc bulge",
    "disc_degeneration": "disc degeneration",
    "posterior_ligament_signal": "posterior ligaments bright",
    "of_class": "AO Spine-DGOU class candidate",
    "infection": "infection to be considered",
}

LINE_NAMES = {
    "anterior_height": "anterior height",
    "middle_height": "middle height",
    "posterior_height": "posterior height",
    "dural_sac_ap": "thecal sac AP",
    "cord_ap": "cord AP",
    "disc_height": "disc height",
    "posterior_disc_height": "posterior disc height",
    "disc_bulge_mm": "disc bulge",
    "slip_mm": "slip",
    "retropulsion_mm": "retropulsion",
    "wedge_angle": "wedge angle",
    "local_kyphosis": "local kyphosis",
    "thoracic_kyphosis": "thoracic kyphosis",
    "lumbar_lordosis": "lumbar lordosis",
    "cervical_lordosis": "cervical lordosis",
    "coronal_curvature_estimate": "coronal curvature",
    "endplate_depression_superior_mm": "superior endplate depression",
    "endplate_depression_inferior_mm": "inferior endplate depression",
    "foraminal_height_left": "left foramen height",
    "foraminal_height_right": "right foramen height",
    "foraminal_ap_left": "left foramen AP",
    "foraminal_ap_right": "right foramen AP",
    "lesion_diameter": "longest diameter",
}
LINE_SIZES = {"mm": "{value:.1f} mm", "deg": "{value:.1f}°"}
LINE_TITLE = "{place} {name} {size}"

SERIES_TITLE = "{contrast} {plane}, series {label}"
VIEWER = {
    "title": "Images",
    "about": (
        "All series, linked by patient position. Click or tap an image to move every series there. Keys on an image: "
        "← → slice, ↑ ↓ level, + − zoom, 0 reset, O outlines. Drag: window and level; drag a zoomed image to move it."
    ),
    "no_script": "The viewer needs scripts, which are switched off; the pictures below show the middle of the spine.",
    "overlay": "Outlines",
    "opacity": "Opacity",
    "lines": "Lengths",
    "window": "Contrast",
    "level": "Brightness",
    "zoom_in": "Zoom in",
    "zoom_out": "Zoom out",
    "reset": "Reset",
    "controls": "Display",
    "series": "Series shown",
    "slice": "Slice",
    "position": "{series}, slice {number} of {count}",
    "count": "Slice {number} of {count}",
    "grey": "W {width} L {centre}",
    "unlinked": "Other frame of reference: not linked",
    "moved": "Patient moved {shift:.1f} mm against {series} at {level}",
    "unverified": "Match with {series} not verified at {level}",
    "notice": "For orientation; 8-bit images, no lossless copy. Measure on the originals.",
}
LINE_MODES = {"key": "Remarkable", "level": "This level", "all": "All", "none": "None"}
SORT = "Sort by {column}"
PRINTED = "On paper: the first {shown} of {count} lesions with pictures; the table holds all of them."

REVIEW = {
    "title": "Review",
    "about": (
        "A reader's verdict on what the software named and found. Nothing is sent or stored: the verdicts are in this "
        "page until they are exported as a file, which spinemri analyze --review applies to the same images."
    ),
    "no_script": "The review needs scripts, which are switched off.",
    "reviewer": "Reviewer",
    "reviewer_hint": "Name or initials",
    "comment": "Remark on the whole study",
    "levels": "Level names",
    "lesions": "Marrow lesions",
    "findings": "Findings",
    "show": "Show",
    "show_title": "Show {title} in the images",
    "verdict": "Verdict on {title}",
    "true_level": "Right level",
    "unchanged": "as it is",
    "text": "Correction or reason",
    "accept_open": "Accept remaining {group}",
    "export": "Export review",
    "remove": "Clear",
    "remove_ask": "Remove every verdict?",
    "count": "{done} of {total} judged: {accepted} accepted, {rejected} rejected, {corrected} corrected",
    "incomplete": "{title}: a correction needs the right level or a text.",
    "exported": "Exported as {file}.",
    "level_text": "{basis}, confidence {confidence:.0f} %",
    "lesion_text": "{place}{size}, probability {probability:.0f} %",
}
VERDICTS = {"accept": "Accept", "reject": "Reject", "correct": "Correct"}
