"""No measurement depends on how the array lies; shifted or resampled, it stays within its own interval."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest

from spinemri.measure import measure
from tests.columns import rearranged
from tests.measure.phantom import Cord, Foramen, lumbar

WAYS = [*product(list(permutations(range(3)))[1:], [(False, True, True)]), ((0, 1, 2), (True, True, True))]
FORAMINA = {(n, side): Foramen() for n in (3, 4) for side in ("left", "right")}
PHANTOM = lumbar({"L1": 0.3}, narrowing={4: 0.35}, cord=Cord(end=3, moved={1: 1.5}), foramina=FORAMINA)
GRID = PHANTOM.grid((3.2, 0.9, 0.8))


def values(segmentation) -> dict:
    return {m.id: m for m in measure(PHANTOM.spine(), [], [segmentation])}


@pytest.fixture(scope="module")
def before():
    return values(PHANTOM.segment(GRID))


@pytest.mark.parametrize(("order", "flips"), WAYS, ids=str)
def test_the_same_numbers_however_the_array_lies(before, order, flips):
    one = PHANTOM.segment(GRID)
    voxels, grid = rearranged(one.voxels, GRID, order, flips)
    after = values(replace(one, voxels=voxels, geometry=grid))
    assert after.keys() == before.keys()
    for id_, m in before.items():
        assert (after[id_].value, after[id_].reason) == (pytest.approx(m.value, abs=1e-6), m.reason), id_


def test_a_finer_or_shifted_grid_gives_numbers_within_the_intervals(before):
    finer = values(PHANTOM.segment(PHANTOM.grid((3.2, 0.5, 0.5))))
    shifted = values(PHANTOM.segment(PHANTOM.grid((3.2, 0.9, 0.8), margin=11.4)))
    both = [m for id_, m in before.items() if m.value is not None and finer[id_].value is not None]
    assert len(both) > 150
    for after in (finer, shifted):
        outside = [
            (m.id, m.value, m.interval, after[m.id].value)
            for m in both
            if after[m.id].value is not None and not m.interval[0] - 1e-9 <= after[m.id].value <= m.interval[1] + 1e-9
        ]
        assert len(outside) <= 0.02 * len(both), outside


def test_moved_in_the_patient_nothing_changes_but_the_points(before):
    one = PHANTOM.segment(GRID)
    far = np.array([40.0, -300.0, 700.0])
    grid = replace(GRID, origin=tuple(np.asarray(GRID.origin) + far))
    spine = PHANTOM.spine()
    moved = spine.model_copy(
        update={
            "vertebrae": tuple(
                v.model_copy(update={"centre": tuple((np.asarray(v.centre) + far).tolist())}) for v in spine.vertebrae
            )
        }
    )
    after = {m.id: m for m in measure(moved, [], [replace(one, geometry=grid)])}
    for id_, m in before.items():
        assert after[id_].value == pytest.approx(m.value, abs=1e-6), id_
        if m.points:
            assert np.allclose(after[id_].points, np.asarray(m.points) + far, atol=1e-5), id_
