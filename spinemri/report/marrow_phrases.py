"""Words on marrow and its lesions: the second part of ``phrases``; a translation is both files again.

Nothing found is said as far as it was looked for, never as "no metastasis"; no kind is given as a verdict.
"""

from __future__ import annotations

MARROW = "Marrow"
NOT_ASSESSED = "Bone marrow and marrow lesions: not assessed ({reason})."
NOT_ASSESSED_PREFIX = "marrow was not assessed: "
NOT_RUN = "the lesion model was not run"
LEVELS_NOT_ASSESSED = "{levels}: marrow not assessed ({reason})."
SCREENED = "{count} vertebrae ({levels}) were searched for focal marrow changes{contrasts}{partly}{limit}{point}."
SCREENED_ONE = "One vertebra ({levels}) was searched for focal marrow changes{contrasts}{partly}{limit}{point}."
SCREENED_PARTLY = ", {levels} only as far as the field of view shows it"
SCREENED_ON = " on {names}"
SCREENED_LIMIT = "; on such sequences 9 of 10 simulated lesions of {limit:.0f} mm are found"
SCREENED_POINT = "; changes are reported from a probability of {point:.0f} %"
AND = " and "

BENIGN = "Of benign appearance: {items}."
BENIGN_PLACE = "{place} ({size}{certainty})"
BENIGN_BORDERLINE = ", borderline"
UNCERTAIN = "Marrow changes of uncertain nature: {items}."
UNCERTAIN_PLACE = "{place}, {kinds}"
KIND_SHARE = "{kind} {share:.0f} %"
KIND_SHARE_NUMBERED = "{kind}: {share:.0f} %"
LESION = "{place}: marrow change{size}; {kinds}; probability {probability:.0f} % ({calibrated})."
LESION_SIZE = " of {size}"
CALIBRATED = "calibrated on simulated lesions"
PLACE = "{levels} {side}"
CONFIRMED = "{probability}, confirmed"

NAMES = {
    "lesion_volume": "volume",
    "lesion_diameter": "longest diameter",
    "lesion_body_share_pct": "share of the body",
    "lesion_posterior_share_pct": "share behind the posterior wall",
    "lesion_t1_to_marrow": "T1w / marrow",
    "lesion_t1_to_disc": "T1w / disc",
    "lesion_t1_to_muscle": "T1w / muscle",
    "lesion_stir_to_marrow": "STIR / marrow",
    "lesion_stir_to_muscle": "STIR / muscle",
    "lesion_t2_to_marrow": "T2w / marrow",
    "lesion_enhancement_pct": "enhancement",
    "lesion_opposed_phase_ratio": "opposed / in phase",
    "lesion_adc": "ADC",
    "lesion_pedicle_left": "left pedicle and arch",
    "lesion_pedicle_right": "right pedicle and arch",
    "lesion_convex_posterior_border": "convex posterior border",
    "lesion_expansion": "expansion",
    "lesion_epidural_volume": "epidural part",
    "lesion_foraminal_volume": "foraminal part",
    "lesion_paraspinal_volume": "paraspinal part",
    "lesion_prevertebral_volume": "prevertebral part",
    "lesion_endplate_contact_pct": "endplate contact",
    "lesion_disc_signal_ratio": "signal of the touched disc",
}
"""Short names for table headers and gaps; a lesion's measurements in the order of the report."""

SIGNALS = {
    "T1w signal": {
        "lesion_t1_to_marrow": "{value:.2f} × unaffected marrow",
        "lesion_t1_to_disc": "{value:.2f} × discs",
        "lesion_t1_to_muscle": "{value:.2f} × muscle",
    },
    "STIR signal": {
        "lesion_stir_to_marrow": "{value:.2f} × unaffected marrow",
        "lesion_stir_to_muscle": "{value:.2f} × muscle",
    },
    "T2w signal": {"lesion_t2_to_marrow": "{value:.2f} × unaffected marrow"},
    "Other signal": {
        "lesion_enhancement_pct": "enhances by {value:.0f} % against marrow",
        "lesion_opposed_phase_ratio": "opposed phase {value:.2f} × in phase",
        "lesion_adc": "ADC {value:.2f} × 10⁻³ mm²/s",
        "lesion_disc_signal_ratio": "touched disc {value:.2f} × other discs",
    },
}
"""Signal with what it is compared with: heading -> name of a measurement -> wording."""
FLUID_SENSITIVE = "STIR"
"""How headings name STIR or fat-suppressed T2w; the latter's own name takes its place in a study without STIR."""

EXTENT = {
    "lesion_posterior_share_pct": "{value} of it in the arch",
    "lesion_pedicle_left": "left pedicle and arch {value}",
    "lesion_pedicle_right": "right pedicle and arch {value}",
    "lesion_convex_posterior_border": "bulges {value} behind the posterior wall",
    "lesion_expansion": "{value} outside the bone",
    "lesion_epidural_volume": "epidural {value}{side}",
    "lesion_foraminal_volume": "foraminal {value}{side}",
    "lesion_paraspinal_volume": "paraspinal {value}{side}",
    "lesion_prevertebral_volume": "prevertebral {value}{side}",
    "lesion_endplate_contact_pct": "touches {value} of the endplate",
}
"""Where a lesion reaches; left out where it does not."""
EXTENT_SIDE = " ({side})"
OF_BODY = "{value} of the body of {level}"
SIDES = {"left": "left", "right": "right", "both": "both sides"}

LESION_ROW_REFERENCES = (
    "lesion_t1_to_marrow",
    "lesion_t1_to_disc",
    "lesion_stir_to_marrow",
    "lesion_stir_to_muscle",
)
NO_VALUE = "{names} ({reason})"
NO_VALUE_ANY = "Measured for no lesion: {items}."

PICTURE_CAPTION = "Slice {number} of {count}{note}"
PICTURE_MOVED = "; outline moved with the patient, {shift:.1f} mm"
PICTURE_UNVERIFIED = "; no outline, as the match between the series could not be verified here"
PICTURE_ALTERNATIVE = "{series}, sagittal slice {number} of {count} around {place}{outline}{size}."
PICTURE_OUTLINED = ", {lesion} outlined"
PICTURE_SIZE = ", longest diameter {size}"

TABLE_HEADERS = ("Lesion", "Place", "mm", "mm³", "Body %", "Prob. %", "Kinds")
TABLE_TITLE = "Marrow lesions"
TABLE_NOTE = (
    "mm: longest diameter in one sagittal slice. Body: share of the vertebral body that is replaced. Prob.: that it is "
    "a lesion at all, calibrated on simulated lesions. Kinds: share of the network's evidence."
)
PAGE = {
    "lesions": "Marrow lesions",
    "overlay": "Show outlines and lengths",
    "overlay_key": "Outlines: red for what may be tumour, infection or fracture; dashed white for what looks benign.",
    "size": "Size",
    "probability": "Probability",
    "probability_of": "a lesion at all",
    "probability_note": CALIBRATED,
    "kinds": "What it may be",
    "kinds_note": "share of the network's evidence",
    "extent": "Extent",
    "all": "All lesions",
    "more": "Pictures of the first {shown} of {count} lesions; the table holds all of them.",
    "caption": "One row per lesion, the most probable tumour first. Ratios: signal of the lesion to that of a tissue.",
    "lesion": "Lesion",
    "level": "Level",
    "side": "Side",
    "diameter": "Diameter",
    "volume": "Volume",
    "share": "Of body",
    "remark": "Not measured",
    "scale": "2 cm",
    "mark": "{lesion}: {kind}",
}
