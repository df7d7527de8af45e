from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.analysis import ModelUsed, Provenance
from spinemri.errors import InputError
from spinemri.geometry import Geometry
from spinemri.image import Image, checksum
from spinemri.review import AppliedReview, Outcome, Review
from spinemri.revise.identity import check_review, remarks
from spinemri.series import Contrast, Series

NOW = "2026-11-23T08:00:00Z"
ANALYSIS = {"study": "6c1fd0a9", "software": "spinemri", "version": "0.1.0", "created": "2026-11-22T15:30:00+00:00"}


def image(seed: int, contrast: Contrast = Contrast.T2W, uid: str = "1.2.3") -> Image:
    voxels = np.random.default_rng(seed).integers(0, 900, (3, 6, 5)).astype(np.int16)
    direction = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    grid = Geometry(voxels.shape, (4.4, 0.9, 0.8), (-3.0, 20.0, 11.0), direction, f"{uid}.9")
    return Image(voxels, grid, Series(series_uid=uid, study_uid=f"{uid}.1", contrast=contrast, description=uid))


IMAGES = [image(1), image(2, Contrast.T1W)]


def review(**changes) -> Review:
    return Review.model_validate({"analysis": {**ANALYSIS, **changes}})


def test_the_checksum_is_of_images_not_of_identifiers_or_order():
    renamed = [image(2, Contrast.T1W, uid="9.9"), image(1, uid="9.8")]
    assert checksum(IMAGES) == checksum(renamed)
    assert len(checksum(IMAGES)) == 64


def test_the_checksum_changes_with_voxels_place_contrast_and_number_of_images():
    first, second = IMAGES
    voxels = first.voxels.copy()
    voxels[0, 0, 0] += 1
    moved = replace(first, geometry=replace(first.geometry, origin=(-3.0, 20.0, 11.1)))
    others = [
        [replace(first, voxels=voxels), second], [moved, second], [image(1, Contrast.STIR), second], [first],
    ]  # fmt: skip
    assert len({checksum(IMAGES), *map(checksum, others)}) == 5


def test_a_review_of_the_same_images_holds_whatever_the_token():
    check_review(review(input_sha256=checksum(IMAGES)), IMAGES, "another-token")
    check_review(None, IMAGES, "another-token")


REFUSED = [
    ({"input_sha256": "ab" * 32}, "another-token", "another study, or on other series of it"),
    ({"input_sha256": "ab" * 32}, "6c1fd0a9", "other series or files of this study"),
    ({}, "another-token", "--token-key"),
]


@pytest.mark.parametrize(("changes", "study", "told"), REFUSED, ids=[told for *_, told in REFUSED])
def test_a_review_of_other_images_is_refused_in_one_line(changes, study, told):
    with pytest.raises(InputError, match=told) as refusal:
        check_review(review(**changes), IMAGES, study)
    assert "\n" not in str(refusal.value)
    assert not {"6c1fd0a9", "another-token"} & set(str(refusal.value).split())


def test_without_a_checksum_the_token_decides():
    check_review(review(), IMAGES, "6c1fd0a9")


def test_an_earlier_review_must_be_of_the_same_images_too():
    later = review(input_sha256=checksum(IMAGES)).model_copy(update={"earlier": review(input_sha256="ab" * 32)})
    with pytest.raises(InputError, match="another study"):
        check_review(later, IMAGES, "another-token")


def provenance(version: str) -> Provenance:
    return Provenance(
        software="spinemri", version=version,
        models=(ModelUsed(role="anatomy", name="spine_anatomy", version="1", sha256="cd" * 32),),
        parameters={"anchor": "L5=2"}, created=NOW,
    )  # fmt: skip


def test_another_version_and_verdicts_that_did_not_hold_are_warned_of():
    made = provenance("0.1.0")
    assert made.made_with == "spinemri 0.1.0, spine_anatomy 1 (cdcdcdcdcdcd), anchor L5=2"
    decision = {"target": "lesion", "id": "lesion-7", "verdict": "reject", "time": NOW}
    lost = Outcome.model_validate({"decision": decision, "reason": "no lesion lies there"})
    same = AppliedReview(review=review(made_with=made.made_with))
    assert remarks(same, made) == ()
    assert remarks(None, made) == ()
    assert remarks(same.model_copy(update={"outcomes": (lost,)}), made) == (
        "review: lesion lesion-7, reject: not applied, no lesion lies there",
    )
    (told,) = remarks(same, provenance("0.2.0"))
    assert "spinemri 0.1.0" in told
    assert "spinemri 0.2.0" in told
