"""Axial slices of random people: true masks give the truth, other masks do not, and the section says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from spinemri.anatomy import Structure, StructureKind
from spinemri.evaluate.axial_tables import TITLE, axial_section
from spinemri.evaluate.measured_axial import AxialPerson, axial_person, dice, score_axial
from spinemri.segmentation import label_value

SAC = label_value(Structure(StructureKind.THECAL_SAC))


@pytest.fixture(scope="module")
def person() -> AxialPerson:
    """A lumbar one."""
    return axial_person(23)


def shrunk(mask):
    """The mask with a sac that is a pixel smaller all round."""
    voxels = np.array(mask.voxels)
    for plane in voxels:
        inside = plane == SAC
        plane[inside & ~ndimage.binary_erosion(inside)] = 0
    return replace(mask, voxels=voxels)


def test_true_masks_give_true_sizes(person):
    found = score_axial(person, person.truths)
    assert {one.name for one in found} >= {"axial_sac_area", "axial_sac_ap", "axial_sac_width"}
    for one in found:
        assert one.error == pytest.approx(0, abs=0.05 * one.true if one.name.endswith("_area") else 0.8), one
    assert set(dice(person, person.truths).values()) == {1.0}


def test_masks_drawn_too_small_measure_too_little(person):
    small = [shrunk(mask) for mask in person.truths]
    areas = [one for one in score_axial(person, small) if one.name == "axial_sac_area"]
    assert all(one.error < -0.1 * one.true for one in areas)
    scores = dice(person, small)
    assert scores["thecal_sac"] < 0.97
    assert scores["vertebral_body"] == 1.0


def test_the_section_holds_a_row_for_each(person):
    values = score_axial(person, person.truths)
    lines = axial_section([(person.region, dice(person, person.truths))], values, values, [("neck", "9", "0.9", "5")])
    assert lines[0] == TITLE
    text = "\n".join(lines)
    assert "| thecal sac | 1.000 | 1.000 | 0.85 |" in text
    assert text.count("| axial_sac_area | ") == 2
    assert "| 10 % |" in text  # twice the bar for the model's masks
    assert "| neck | 9 | 0.9 | 5 |" in text
