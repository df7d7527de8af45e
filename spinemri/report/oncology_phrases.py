"""Words on urgency, stability, fractures and the question that was asked: the third part of ``phrases``.

That no flag is raised is never said without saying that it is no clearance.
"""

from __future__ import annotations

ONCOLOGY = "Oncologic assessment"
NO_CLEARANCE = (
    "Automated screen, not a substitute for a reader: that a flag is absent is no clearance. For research, not for "
    "diagnosis."
)
NOTHING_RAISED = "No flag was raised for what could be screened: {items}."
NOTHING_SCREENED = "No flag could be screened for."
UNSCREENED = "Not screened for {flag}: {why}."

FRACTURES = "Fracture-level or equivocal deformities: {items}. {caveat}"
FRACTURE_ITEM = "{level} {parts}"
FRACTURE_AGE_UNKNOWN = "age not assessable"
FRACTURE_CAUSE_UNKNOWN = "benign or malignant not assessable"
FRACTURE_CAVEAT = "Myeloma may look benign and an acute benign fracture malignant."
STABILITY = "{level} ({cause}): SINS {grade}{others}."
STABILITY_OTHERS = ", the highest of {count} levels scored"
TUMOUR_LIKE = "tumour-like lesion"
"""Cause of a score that holds whatever else is there."""
STABILITY_TUMOUR = ", the highest of those with a tumour-like lesion"
CAUSES = "Cause of the changes, to be considered: {causes}."
LACKS = "The study lacks: {items}."
LACKS_ITEM = "{what} ({why})"

STATED = "Stated by the user: {items}."
ASKED = "Question: {items}."
ANSWERS = {
    "age_years": "age",
    "pain": "pain",
    "primary": "primary tumour",
    "cancer_history": "history of cancer",
    "bone_quality": "lesion on CT",
    "osteoporosis": "osteoporosis",
    "neurological_deficit": "neurological deficit",
    "fever_or_infection_signs": "fever or signs of infection",
    "de_novo_deformity": "new deformity",
    "new_translation": "new translation",
}
"""Keys of the clinical file as they are printed; those that are not answered are left out."""
ANSWER = "{name} {value}"
UNANSWERED = ("", "unknown")
"""Answers that are not printed: they say nothing."""

FAILED = "Not assessable: {part}, because the program failed in it ({cause}). What follows does not cover it."
