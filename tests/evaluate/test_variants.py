"""Names in people with another number of vertebrae: what counts as right, relative or wrong, and the images."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import StructureKind
from spinemri.evaluate.variants import LUMBAR, WHOLE, VariantScore, score_variant, variant_image, variants_section
from spinemri.networks import default_predictor
from spinemri.synthesis.numbering import Numbering


def score(*names: tuple[str, str | None], field: str = WHOLE, number: int = 0) -> VariantScore:
    return VariantScore(Numbering.L6, field, number, names)


def test_relative_and_missing_names_are_not_right_but_not_wrong_either():
    right, relative, missing, wrong = (
        score(("L5", "L5"), ("L6", "L6")),
        score(("L5", "V1"), ("L6", "V2")),
        score(("L5", "L5"), ("L6", None)),
        score(("L5", "L4"), ("L6", "L5")),
    )
    assert [one.right for one in (right, relative, missing, wrong)] == [True, False, False, False]
    assert [one.wrong for one in (right, relative, missing, wrong)] == [0, 0, 0, 2]


def test_the_table_counts_people_by_field_and_bodies_with_a_wrong_name():
    scores = [score(("L6", "L6")), score(("L6", "V2"), number=1), score(("L6", "L5"), ("S1", "S1"), field=LUMBAR)]
    text = "\n".join(variants_section(scores))
    assert "2 synthetic people" in text
    assert "| whole spine | L6 | 2 | 1 | 1 | 0 | 0 of 2 |" in text
    assert "| lumbar | L6 | 1 | 0 | 0 | 1 | 1 of 2 |" in text


@pytest.mark.parametrize(("field", "top"), [(WHOLE, "C2"), (LUMBAR, None)])
def test_a_field_shows_the_persons_own_vertebrae(field, top):
    image, truth = variant_image(Numbering.T13, field, 0)
    assert image.geometry == truth.geometry
    names = [str(s.level) for s in truth.of_kind(StructureKind.VERTEBRAL_BODY)]
    assert {"T12", "T13", "L1", "L5", "S1"} <= {*names}
    assert (names[0] == "C2") is (top == "C2")
    assert len(names) == 25 if field == WHOLE else len(names) < 16
    assert image.voxels.shape[0] == 15 or field == LUMBAR
    assert np.ptp(image.voxels) > 100


def test_bodies_that_the_field_cuts_are_not_asked_for():
    _, truth = variant_image(Numbering.USUAL, LUMBAR, 1)
    every = [str(s.level) for s in truth.of_kind(StructureKind.VERTEBRAL_BODY)]
    found = score_variant(Numbering.USUAL, LUMBAR, 1, default_predictor(threads=1))
    asked = [name for name, _ in found.names]
    assert 0 < len(asked) < len(every)
    assert every[0] not in asked
    assert found.right
