"""A whole vertebra is parted where the painted body ends, and its heights stay what they were."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import Structure
from spinemri.labels.parting import part
from spinemri.measure.frame import upward_directions
from spinemri.measure.vertebra import body_shape
from tests.columns import rearranged
from tests.labels.painted import ARCH, BODY, CORD, SAC, painted


def dice(one, two):
    return 2 * np.count_nonzero(one & two) / (np.count_nonzero(one) + np.count_nonzero(two))


def whole_bodies(truth):
    """(structure, upward) of bodies that the field shows with their arch."""
    bodies = [s for s in truth.of_kind(BODY) if s.level.region != "S"]
    centres = [truth.geometry.to_patient(np.argwhere(truth.mask(s)).mean(axis=0)) for s in bodies]
    return list(zip(bodies, upward_directions(centres), strict=True))[1:-1]


@pytest.mark.parametrize("with_canal", [True, False])
@pytest.mark.parametrize(
    ("field", "slice_mm", "pixel_mm"), [("lumbar", 4.0, 0.9), ("thoracic", 3.3, 0.7), ("cervical", 3.0, 0.7)]
)
@pytest.mark.parametrize("turn", [(3.0, 4.0, 5.0), (-6.0, 2.0, -9.0)])
def test_the_body_is_found_again(field, slice_mm, pixel_mm, turn, with_canal):
    truth = painted(2, field, slice_mm, pixel_mm, turn)
    canal = truth.mask_of_kind(SAC, CORD) if with_canal else None
    shares, off = [], []
    for body, up in whole_bodies(truth):
        true = truth.mask(body)
        found = part(true | truth.mask(Structure(ARCH, body.level)), truth.geometry, canal)
        shares.append(dice(found, true))
        before, after = (body_shape(mask, truth.geometry, up) for mask in (true, found))
        if body.level.name != "C2":
            off.append(np.abs(before.heights - after.heights).max())
    assert min(shares) >= 0.95
    assert max(off) <= 0.5


def test_the_order_of_the_axes_does_not_matter():
    truth = painted(2)
    body = whole_bodies(truth)[2][0]
    whole = truth.mask(body) | truth.mask(Structure(ARCH, body.level))
    expected = part(whole, truth.geometry)
    for order, flips in [((2, 0, 1), (True, False, True)), ((1, 2, 0), (False, True, False))]:
        turned, grid = rearranged(whole, truth.geometry, order, flips)
        assert np.array_equal(part(turned, grid), rearranged(expected, truth.geometry, order, flips)[0])


def test_a_mask_of_a_body_alone_stays_whole():
    truth = painted(2)
    body = truth.mask(whole_bodies(truth)[2][0])
    assert dice(part(body, truth.geometry), body) > 0.99


def test_what_shows_no_body_is_not_parted():
    truth = painted(2)
    assert part(np.zeros(truth.geometry.shape, dtype=bool), truth.geometry) is None
    thin = np.zeros(truth.geometry.shape, dtype=bool)
    thin[4:9, 100:104, 50:53] = True
    assert part(thin, truth.geometry) is None
