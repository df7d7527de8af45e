"""Which study a review belongs to: that of the same images, whatever tokens stand for its identifiers.

Tokens are equal between runs only under the same key, so the checksum of the images decides where the review has one;
a review without it must bear the study's token. Another version of software or models is no other study: vertebrae and
lesions are then found by their place, and that is said.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spinemri.errors import InputError
from spinemri.image import checksum
from spinemri.language import Phrases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.analysis import Provenance
    from spinemri.image import Image
    from spinemri.review import AppliedReview, Review, ReviewedAnalysis

_CHECKSUM = re.compile(r"[0-9a-f]{12,64}")
phrases = Phrases("revise.identity")

_SHOWN = 12  # characters of a checksum in a message


def check_review(review: Review | None, images: Sequence[Image], study: str) -> None:
    """Refuse a review of other images; without a review do nothing.

    Parameters
    ----------
    images : the series that were read
    study : the study's token, or its UID

    Raises
    ------
    InputError
        The review, or an earlier one in it, was made on another study, on other series of this study, or cannot be
        tied to these images.
    """
    if review is None:
        return
    found = checksum(images)
    for one in review.in_turn:
        _check(one.analysis, found, study)


def _check(read: ReviewedAnalysis, found: str, study: str) -> None:
    known = read.study == study
    if read.input_sha256:
        if read.input_sha256 != found:
            what = phrases.OTHER_SERIES_OR_FILES_THIS if known else phrases.ANOTHER_STUDY_OR_OTHER_SERIES
            said = read.input_sha256[:_SHOWN] if _CHECKSUM.fullmatch(read.input_sha256) else phrases.ANOTHER_KIND
            sums = phrases.CHECKSUM_THESE_IMAGES.format(stated=said, found=found[:_SHOWN])
            raise InputError(f"review: it was made on {what} ({sums})")
    elif not known:
        raise InputError(
            "review: it has no checksum of its images and the token of another study; if it is of this study, run with "
            "the --token-key of the analysis that was read, or export it again from a new report"
        )


def remarks(applied: AppliedReview | None, made: Provenance) -> tuple[str, ...]:
    """Warnings: verdicts that could not be applied, and that the review was made on another version.

    Parameters
    ----------
    applied : the review as it was applied; None without one
    made : what made this analysis
    """
    if applied is None:
        return ()
    others = dict.fromkeys(one.analysis.made_with or _version(one.analysis) for one in applied.review.in_turn)
    here = (made.made_with, f"{made.software} {made.version}")
    versions = [
        phrases.REVIEW_MADE_THIS_VERTEBRAE_LESIONS.format(other=other, made_with=made.made_with)
        for other in others
        if other not in here
    ]
    lost = [o for o in applied.outcomes if o.reason]
    told = [
        phrases.REVIEW_NOT_APPLIED.format(
            target=o.decision.target.value, id=o.decision.id, verdict=o.decision.verdict.value, reason=o.reason
        )
        for o in lost
    ]
    return (*versions, *told)


def _version(read: ReviewedAnalysis) -> str:
    return f"{read.software} {read.version}"
