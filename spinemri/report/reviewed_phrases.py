"""Words on what a person changed in a review; a translation is all ``*phrases`` files again."""

from __future__ import annotations

REVIEW = "Review by a person"
SUMMARY = "{who} judged an earlier analysis of these images on {time}: {counts}. The whole report rests on that."
WHO = "A reader"
COUNT = "{count} {verdict}"
VERDICTS = {"accept": "accepted", "reject": "rejected", "correct": "corrected"}
NOTHING_JUDGED = "no verdict"
COMMENT = "Remark on the whole study: “{text}”."
OTHER_VERSION = (
    "The analysis that was read was made with {other}, this one with {own}; vertebrae and lesions were matched by "
    "their place."
)

LEVELS = "Level names"
RENAMED = "{was} is {now}"
RENAMED_ALL = "Named anew: {items}."
NO_VERTEBRA = "{level} is no vertebra"
FOLLOWS = "Names that the reader did not judge follow in the count."
LEVELS_ACCEPTED = "Accepted: {levels}."
LEVEL_REJECTED = "{level}: name rejected, not measured{text}."
LEVEL_WITH_LESION = "{lesions} in {level}, whose name was rejected: level and location in SINS are not certain."
LEVEL_TEXT = "{level}: “{text}”."

LESIONS = "Marrow lesions"
FINDINGS = "Findings"
ACCEPTED = "Accepted: {items}."
REJECTED = "Rejected: {what}{text}."
CORRECTED_LEVEL = "{id}: the level is {level}; the software said: {what}{text}."
CORRECTED = "Corrected: “{text}”; the software said: {what}."
LESION = "{id} ({what})"
TEXT = " – “{text}”"

MASKS = "Corrected masks"
MASK = (
    "Series {series}: a mask that a person gave back is measured in place of the software's; {added} ml drawn besides, "
    "{removed} ml taken away, {relabelled} ml named otherwise."
)
MASK_UNCHANGED = "Series {series}: the mask that a person gave back is what the software draws."
MASK_RENAMED = "Series {series}, named anew: {items}; the other series follow."
MASK_STRUCTURE = "{place}{kind}: {before} → {after} ml, Dice {dice}"
MASK_STRUCTURES = "Changed: {items}."
MASK_MORE = "and {count} more, all in report.json"
MASK_KINDS = {
    "vertebral_body": "body",
    "posterior_elements": "posterior elements",
    "disc": "disc",
    "thecal_sac": "thecal sac",
    "cord": "cord",
    "sacrum": "sacrum",
    "lesion": "outline",
}

NOT_APPLIED = "Not applied"
NOT_APPLIED_ITEM = "{target} {id}, {verdict}: {reason}."
TARGETS = {"level": "level", "lesion": "lesion", "finding": "finding"}

READER_SAYS = "{text} Reader on {place}: “{words}”."

DISCLAIMER = (
    "Made by software; what a person changed is listed under “{title}” and was not verified. For research; not a "
    "medical device, not for diagnosis or treatment. Absence of a statement is not evidence of absence."
)
