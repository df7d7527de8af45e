"""Images that end near the sacrum: what is kept, what is counted, and that no vertebra gets another's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from spinemri.evaluate import cut_fields
from spinemri.evaluate.cases import ValidationCase
from spinemri.evaluate.cut_fields import CutField, cut_fields_section, kept_above, part_of, score_cut_fields
from spinemri.evaluate.instances import BodyCount
from spinemri.geometry import Geometry
from spinemri.networks import default_predictor
from spinemri.series import Contrast
from spinemri.synthesis.phantom import make_phantom

if TYPE_CHECKING:
    from spinemri.image import Image

# columns run from inferior to superior
HEAD_LAST = Geometry((5, 30, 40), (4.0, 2.0, 1.0), (10.0, 20.0, -50.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def test_what_lies_above_is_kept_whichever_way_the_array_runs():
    low = kept_above(HEAD_LAST, -30.5)
    assert low == (slice(None), slice(None), slice(20, 40))
    flipped = Geometry((5, 30, 40), (4.0, 2.0, 1.0), (10.0, 20.0, -11.0), (1, 0, 0, 0, 1, 0, 0, 0, -1))
    assert kept_above(flipped, -30.5) == (slice(None), slice(None), slice(0, 20))
    assert kept_above(HEAD_LAST, -48.5) is None  # two rows fewer are no cut
    assert kept_above(HEAD_LAST, 0.0) is None


def test_what_is_kept_stays_where_it_was():
    image = make_phantom(3).images[0]
    kept = kept_above(image.geometry, image.geometry.to_patient(np.asarray(image.voxels.shape) / 2)[2])
    part = part_of(image, kept)
    first = [side.indices(n)[0] for side, n in zip(kept, image.voxels.shape, strict=True)]
    np.testing.assert_allclose(part.geometry.to_patient([0, 0, 0]), image.geometry.to_patient(first))
    np.testing.assert_array_equal(part.voxels, image.voxels[kept])


def counted(**names: int) -> BodyCount:
    return BodyCount(labelled=5, once=5, double=0, missed=0, invented=0, **{"misnamed": 0, **names})


def test_wrong_names_are_told_from_relative_ones_and_from_none():
    nothing = BodyCount(labelled=5, once=0, double=0, missed=5, invented=0, misnamed=0)
    scores = [CutField("a 1", 14.0, counted()), CutField("a 2", 14.0, counted(unnamed=5)),
              CutField("a 3", 14.0, counted(misnamed=4, unnamed=1)), CutField("a 1", 40.0, counted()),
              CutField("a 2", 40.0, nothing)]  # fmt: skip
    text = "\n".join(cut_fields_section(scores))
    assert "| 14 | 3 | 1 | 1 | 1 |" in text
    assert "| 40 | 2 | 1 | 1 | 0 |" in text
    assert "Wrong names: a 3." in text


@pytest.fixture(scope="module")
def predictor():
    return default_predictor()


def names_by_height(image: Image, predictor) -> dict[str, float]:
    found = cut_fields.segment_image(image, predictor).segmentation
    bodies = [s for s in found.structures.values() if s.kind.value == "vertebral_body"]
    return {str(b.level): found.geometry.to_patient(np.argwhere(found.mask(b)).mean(axis=0))[2] for b in bodies}


def test_a_field_that_ends_in_l5_gives_no_name_of_another_vertebra(predictor):
    image = next(one for one in make_phantom(3).images if one.series.contrast is Contrast.T2W)
    whole = names_by_height(image, predictor)
    assert "L5" in whole
    for below in (8.0, 16.0):
        kept = kept_above(image.geometry, whole["L5"] - below)
        for name, height in names_by_height(part_of(image, kept), predictor).items():
            apart = {level: abs(other - height) for level, other in whole.items()}
            assert name == min(apart, key=apart.__getitem__) or name.startswith("V")


def test_a_real_field_that_ends_in_l5(predictor, shared, monkeypatch):
    files = {name: f"labelled/vb3/43_{name}.nii.gz" for name in ("img", "lab")}
    if not (shared / "data" / files["img"]).is_file():
        pytest.skip(f"no reference image ../shared/data/{files['img']}")
    case = ValidationCase("vb3", "43", "43", "Dixon-water", "vertebral_body", "column", "L5", files["img"],
                          files["lab"], "", "")  # fmt: skip
    monkeypatch.setattr(cut_fields, "BELOW_MM", (14.0,))
    (score,) = score_cut_fields(case, shared / "data", predictor)
    assert score.bodies.once >= 4
    assert score.bodies.misnamed == 0
