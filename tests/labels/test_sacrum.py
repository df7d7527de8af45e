"""The body of S1 is found within a sacrum drawn as one: its upper endplate is what is measured."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure
from spinemri.labels.convert import from_labels
from spinemri.labels.sacrum import first_sacral
from spinemri.measure.frame import upward_directions
from spinemri.measure.vertebra import superior_endplate
from tests.labels.painted import BODY, SACRUM, mask_in, painted


def body(truth, name):
    return truth.mask(Structure(BODY, Level(name)))


def endplate(truth, mask):
    centres = [
        truth.geometry.to_patient(np.argwhere(m).mean(axis=0)) for m in (body(truth, "L4"), body(truth, "L5"), mask)
    ]
    return superior_endplate(mask, truth.geometry, upward_directions(centres)[-1])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("turn", [(3.0, 4.0, 5.0), (-6.0, 2.0, -9.0)])
def test_the_upper_endplate_of_s1_is_where_it_was_painted(seed, turn):
    truth = painted(seed, "lumbar", 4.0, 1.0, turn)
    true = body(truth, "S1")
    found = first_sacral(true | truth.mask(Structure(SACRUM)), (body(truth, "L4"), body(truth, "L5")), truth.geometry)
    (there, normal), (here, own) = (endplate(truth, mask) for mask in (true, found))
    assert np.linalg.norm(here - there) < 2.5
    assert abs((here - there) @ normal) < 0.5
    assert np.degrees(np.arccos(np.clip(own @ normal, -1, 1))) < 2
    assert (
        np.abs(np.subtract(*(np.argwhere(m).mean(axis=0) for m in (true, found))) * truth.geometry.spacing).max() < 3.5
    )


def test_without_a_sacrum_below_there_is_no_s1():
    truth = painted(1)
    above = truth.mask(Structure(BODY, Level("L1")))
    assert first_sacral(above, (body(truth, "L4"), body(truth, "L5")), truth.geometry) is None
    nothing = np.zeros_like(above)
    assert first_sacral(nothing, (body(truth, "L4"), body(truth, "L5")), truth.geometry) is None


def test_a_mask_with_a_sacrum_gives_s1_for_the_lowest_disc():
    read = from_labels(mask_in("totalspineseg-step2", painted(1)), "totalspineseg-step2")
    assert read.assignments[-1].level == Level("S1")
    assert read.segmentation.mask(Structure(SACRUM)).any()
