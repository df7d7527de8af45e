"""A mask read under a wrong scheme is told in at least 95 of 100 cases; under its own it is never refused."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from spinemri.errors import InputError
from spinemri.labels.convert import from_labels
from spinemri.labels.schemes import SCHEMES
from tests.labels.painted import DRAWN, anchor_of, drawn, image_of, mask_in, painted

SEEDS, SEEN = (1, 2), ("lumbar", "short lumbar", "thoracic", "cervical")
READABLE = [name for name in SCHEMES if not SCHEMES[name].refusal and SCHEMES[name].counts != "down"]


def cases():
    """(truth, scheme, mask) of every seed, field and scheme that can draw it."""
    for seed in SEEDS:
        for field in SEEN:
            truth = painted(seed, field)
            for scheme in DRAWN:
                if scheme != "spider-dataset" or "lumbar" in field:
                    yield drawn(truth, scheme), scheme, mask_in(scheme, truth)


def mean_the_same(one, two, mask) -> bool:
    """Whether every value in a mask has one meaning under both schemes: then no name is wrong."""
    values = [int(v) for v in np.unique(mask.voxels) if v]
    tables = SCHEMES[one].table, SCHEMES[two].table
    return all(v in tables[0] and tables[0][v] == tables[1].get(v) for v in values)


def outcome(mask, scheme: str) -> str:
    try:
        read = from_labels(mask, scheme)
    except InputError:
        return "refused"
    expected = {*SCHEMES[scheme].notes, SCHEMES[scheme].canal_note}
    return "warned" if set(read.warnings) - expected else "missed"


@pytest.fixture(scope="module")
def outcomes():
    """Counts of (true, wrong, outcome) where the two schemes can both be read and differ; and pairs that coincide."""
    found, alike = Counter(), Counter()
    for _, true, mask in cases():
        for wrong in READABLE:
            if wrong == true:
                continue
            if SCHEMES[true].counts != "down" and mean_the_same(true, wrong, mask):
                alike[true, wrong] += 1
            else:
                found[true, wrong, outcome(mask, wrong)] += 1
    return found, alike


def test_a_wrong_scheme_is_told_in_95_of_100_cases(outcomes):
    found, _ = outcomes
    total = sum(found.values())
    missed = sum(count for (_, _, how), count in found.items() if how == "missed")
    refused = sum(count for (_, _, how), count in found.items() if how == "refused")
    assert total > 300
    assert 1 - missed / total >= 0.95
    assert refused / total >= 0.85


def test_what_is_missed_differs_by_one_level_and_shows_no_landmark(outcomes):
    """Without sacrum, discs and canal, 1 = L5 (SPIDER) and 2 = L5 (TotalSegmentator) cannot be told apart."""
    missed = {(true, wrong) for true, wrong, how in outcomes[0] if how == "missed"}
    assert missed <= {("totalsegmentator-vertebrae-mr", "spider-dataset")}


def test_schemes_that_coincide_are_known(outcomes):
    """Vertebrae have the same numbers in these; each reads the other's masks rightly where nothing else is drawn."""
    assert set(outcomes[1]) <= {
        ("verse", "spineps-veridah"),
        ("verse", "spider-algorithm"),
        ("spineps-veridah", "verse"),
        ("spineps-veridah", "spider-algorithm"),
        ("spider-algorithm", "spineps-veridah"),
        ("spider-algorithm", "verse"),
    }


def test_the_true_scheme_is_never_refused():
    for shown, scheme, mask in cases():
        anchor = anchor_of(shown) if SCHEMES[scheme].counts == "down" else None
        read = from_labels(mask, scheme, anchor=anchor)
        assert read.assignments


def changed(scheme, change):
    mask = mask_in(scheme, painted(1))
    return image_of(change(mask.voxels.copy()), mask.geometry)


def swapped(one, two):
    def change(voxels):
        first, second = voxels == one, voxels == two
        voxels[first], voxels[second] = two, one
        return voxels

    return change


def shifted(offset, among):
    def change(voxels):
        inside = np.isin(voxels, among)
        return np.where(inside, voxels.astype(int) + offset, voxels)

    return change


def merged(one, two):
    def change(voxels):
        voxels[voxels == two] = one
        return voxels

    return change


@pytest.mark.parametrize(
    ("scheme", "change", "said"),
    [
        ("verse", swapped(21, 23), "L3 lies above L2|L2 lies above"),
        ("verse", merged(21, 22), "times as large as|mm apart|mm tall"),
        ("totalsegmentator-vertebrae-mr", shifted(2, range(2, 20)), "the sacrum lies directly below L3"),
        ("totalspineseg-step2", swapped(2, 43), "the canal is|L3 is|section"),
        ("spineps-veridah", shifted(3, range(116, 122)), "discs do not lie between|disc"),
        ("spider-algorithm", shifted(-98, (219,)), "is there twice"),
        ("spinemri", merged(23, 63), "deep, as a whole vertebra is"),
    ],
)
def test_each_fault_is_named(scheme, change, said):
    mask = changed(scheme, change)
    with pytest.raises(InputError, match=f"no spine under that scheme.*({said})"):
        from_labels(mask, scheme)
