"""Scores of synthetic fractures and of the model's masks: what counts, what is called, which names are right."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from spinemri.evaluate.measured_fractures import KINDS, JudgedBody, score_fractures
from spinemri.evaluate.measured_images import ImageScore, rendered, score_found
from spinemri.evaluate.measured_people import PaintedPerson, random_person, whole_bodies, whole_spine
from spinemri.evaluate.measurement_tables import FRACTURES_TITLE, IMAGES_TITLE, fractures_section, images_section
from spinemri.evaluate.measurements import Compared, summaries
from spinemri.segment.predictor import ClassMap
from spinemri.series import Contrast
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.tissue import class_of_tissue

if TYPE_CHECKING:
    from spinemri.image import Image

LUMBAR, THORACIC = 9002, 9001


@pytest.fixture(scope="module")
def lumbar() -> tuple[PaintedPerson, Image]:
    person = random_person(LUMBAR, 2)
    return person, rendered(person, LUMBAR)


def true_classes(person: PaintedPerson) -> ClassMap:
    """What a network that is always right would see."""
    layers = len(person.volume.axes[0]) // person.grid.shape[0]
    classes = class_of_tissue()[person.volume.tissue][layers // 2 :: layers, ::-1, ::-1]
    return ClassMap(np.ascontiguousarray(classes), np.zeros((7, *classes.shape), np.float16), "truth")


def test_the_same_person_is_painted_in_finer_layers(lumbar: tuple[PaintedPerson, Image]) -> None:
    person, image = lumbar
    plain = random_person(LUMBAR)
    assert person.subject.pathology == plain.subject.pathology
    assert np.array_equal(person.subject.centre, plain.subject.centre)
    assert person.grid.shape == plain.grid.shape == image.voxels.shape
    assert image.series.contrast is Contrast.T2W
    assert len(person.volume.axes[0]) == 2 * len(plain.volume.axes[0])


def test_an_image_whose_sacrum_shows_needs_no_level_told(lumbar: tuple[PaintedPerson, Image]) -> None:
    person, image = lumbar
    score = score_found(person, image, true_classes(person))
    assert score.right >= score.bodies - 1
    assert score.bodies > 5
    assert not score.told
    means = {s.name: s.absolute for s in summaries(score.compared)}
    assert means["middle_height"] < 0.5
    assert {"dural_sac_ap", "slip_mm", "disc_height"} <= set(means)


def test_an_image_that_nothing_names_is_told_one_level() -> None:
    person = random_person(THORACIC, 2)
    image = rendered(person, THORACIC)
    score = score_found(person, image, true_classes(person))
    assert score.told
    assert score.right >= score.bodies - 1


def test_a_body_that_was_not_found_does_not_count(lumbar: tuple[PaintedPerson, Image]) -> None:
    person, image = lumbar
    classes = true_classes(person)
    lost = person.segmentation("1.2").voxels == 25  # L5
    kept = replace(classes, classes=np.where(lost, 0, classes.classes).astype(np.uint8))
    score = score_found(person, image, kept)
    assert score.right < score.bodies
    assert not any(one.id.startswith("L5.") for one in score.compared)


def test_the_section_on_images_counts_bodies_and_doubles_bars() -> None:
    ones = (Compared("L1.dural_sac_ap", 14.9, 12, 16, 14), Compared("L2.dural_sac_ap", 14.9, 12, 16, 14))
    lines = images_section([ImageScore(ones, 7, 6, told=False), ImageScore((), 5, 5, told=True)])
    assert lines[0] == IMAGES_TITLE
    assert "2 people." in lines[2]
    assert "11 of 12 bodies were found under their name, after one level was told in 1 images" in lines[2]
    assert "| dural_sac_ap | 2 | 0.90 | 0.90 | 0.90 to 0.90 | ≤ 1 mm: kept | 100 % (wide) |" in lines


def test_fractures_are_those_that_were_made() -> None:
    for seed in (9000, 9011):
        bodies = score_fractures(seed)
        first = sizes.NAMES[sizes.T1 + seed % 17]
        by_level = {body.level: body for body in bodies}
        assert by_level[first].kind == list(KINDS)[seed % 3]
        assert 19 < by_level[first].true < 61
        assert all((body.true == 0) == (body.kind == "") for body in bodies)
        assert len([body for body in bodies if not body.kind]) > 4


def test_a_call_is_a_measured_loss_of_fracture_level() -> None:
    assert [JudgedBody("L1", "wedge", 30.0, found).called for found in (20.0, 19.9, None)] == [True, False, False]


def test_the_section_on_fractures_counts_per_kind_and_size() -> None:
    broken = [JudgedBody("L1", "wedge", 22.0, 21.0), JudgedBody("L2", "wedge", 22.0, 18.0)]
    broken += [JudgedBody("T9", "crush", 60.0, None), JudgedBody("T9", "crush", 19.9, 25.0)]  # the last is too small
    intact = [JudgedBody("L3", "", 0.0, 20.5), *[JudgedBody("L4", "", 0.0, 3.0)] * 49]
    lines = fractures_section([*broken, *intact], 3)
    assert lines[0] == FRACTURES_TITLE
    assert "| wedge | 1 of 2 (50 %) |  |  |  | 1 of 2 (50 %) |" in lines
    assert "| crush |  |  |  | 0 of 1 (0 %) | 0 of 1 (0 %) |" in lines
    assert "| all | 1 of 2 (50 %) |  |  | 0 of 1 (0 %) | 1 of 3 (33 %) |" in lines
    assert "Sensitivity 0.333 (≥ 0.95: **missed**); false calls: 1 of 50 intact bodies, 2.00 of 100" in lines[-2]


def test_bars_of_fractures_are_kept_at_their_limit() -> None:
    broken = [JudgedBody("L1", "wedge", 30.0, 30.0)] * 19 + [JudgedBody("L1", "wedge", 30.0, 0.0)]
    intact = [JudgedBody("L3", "", 0.0, 25.0)] + [JudgedBody("L3", "", 0.0, 0.0)] * 99
    assert fractures_section([*broken, *intact], 1)[-2].count("kept") == 2


def test_a_whole_spine_has_its_24_vertebrae() -> None:
    person = whole_spine(0)
    assert len(whole_bodies(person.segmentation("1.2")).vertebrae) == 24


@pytest.mark.parametrize("seed", [9028, 9032])  # biconcave by 57 %; crushed by 64 % with a fragment
def test_a_badly_broken_body_is_measured_and_called(seed: int) -> None:
    broken = [body for body in score_fractures(seed) if body.kind]
    assert broken
    for body in broken:
        assert body.called
        assert body.found == pytest.approx(body.true, abs=12)
