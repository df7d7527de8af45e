"""The numbers are those of the tools, and a mask that goes through spinemri comes back as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure
from spinemri.errors import InputError
from spinemri.labels.convert import from_labels
from spinemri.labels.export import to_labels
from spinemri.labels.schemes import SCHEMES, scheme_named
from tests.labels.painted import (
    ARCH,
    BODY,
    CORD,
    DISC,
    DRAWN,
    SAC,
    SACRUM,
    anchor_of,
    drawn,
    image_of,
    mask_in,
    painted,
)

WHOLE = (BODY, ARCH)
KNOWN = [
    ("totalspineseg-step2", 1, CORD, ""),
    ("totalspineseg-step2", 2, SAC, ""),
    ("totalspineseg-step2", 17, WHOLE, "C7"),
    ("totalspineseg-step2", 21, WHOLE, "T1"),
    ("totalspineseg-step2", 32, WHOLE, "T12"),
    ("totalspineseg-step2", 41, WHOLE, "L1"),
    ("totalspineseg-step2", 46, WHOLE, "L6"),
    ("totalspineseg-step2", 50, SACRUM, ""),
    ("totalspineseg-step2", 63, DISC, "C2-C3"),
    ("totalspineseg-step2", 71, DISC, "C7-T1"),
    ("totalspineseg-step2", 82, DISC, "T11-T12"),
    ("totalspineseg-step2", 91, DISC, "T12-L1"),
    ("totalspineseg-step2", 95, DISC, "L4-L5"),
    ("totalspineseg-step2", 96, DISC, "L5-L6"),
    ("totalspineseg-step2", 100, DISC, "L5-S1"),
    ("spineps-veridah", 8, WHOLE, "T1"),
    ("spineps-veridah", 25, WHOLE, "L6"),
    ("spineps-veridah", 28, WHOLE, "T13"),
    ("spineps-veridah", 26, SACRUM, ""),
    ("spineps-veridah", 33, SACRUM, ""),
    ("spineps-veridah", 119, DISC, "T12-L1"),
    ("spineps-veridah", 124, DISC, "L5-S1"),
    ("spineps-veridah", 128, DISC, "T13-L1"),
    ("totalsegmentator-vertebrae-mr", 1, SACRUM, ""),
    ("totalsegmentator-vertebrae-mr", 2, WHOLE, "L5"),
    ("totalsegmentator-vertebrae-mr", 7, WHOLE, "T12"),
    ("totalsegmentator-vertebrae-mr", 18, WHOLE, "T1"),
    ("totalsegmentator-vertebrae-mr", 24, WHOLE, "C2"),
    ("spider-dataset", 1, WHOLE, "L5"),
    ("spider-dataset", 6, WHOLE, "T12"),
    ("spider-dataset", 100, SAC, ""),
    ("spider-dataset", 101, WHOLE, "L5"),
    ("spider-dataset", 201, DISC, "L5-S1"),
    ("spider-algorithm", 24, WHOLE, "L5"),
    ("spider-algorithm", 124, WHOLE, "L5"),
    ("spider-algorithm", 219, DISC, "T12-L1"),
    ("verse", 20, WHOLE, "L1"),
    ("verse", 28, WHOLE, "T13"),
    ("spinemri", 20, BODY, "T13"),
    ("spinemri", 61, ARCH, "L1"),
    ("spinemri", 105, DISC, "L5-S1"),
]


@pytest.mark.parametrize(("scheme", "value", "kind", "place"), KNOWN)
def test_a_number_means_what_the_tool_says(scheme, value, kind, place):
    structures = SCHEMES[scheme].table[value]
    assert structures[0].place == place
    if kind == WHOLE:
        assert [s.kind for s in structures] == [BODY, ARCH]
        assert structures[0].level == structures[1].level
    else:
        assert structures[0].kind is kind


def test_the_names_are_those_of_the_command_line():
    assert set(SCHEMES) == {
        "totalspineseg-step1", "totalspineseg-step2", "spineps", "spineps-veridah", "totalsegmentator-vertebrae-mr",
        "totalsegmentator-total-mr", "spider-dataset", "spider-algorithm", "verse", "sct-discs", "spinemri",
    }  # fmt: skip
    with pytest.raises(InputError, match=r"'spinps': expected one of .*spineps-veridah"):
        scheme_named("spinps")


@pytest.mark.parametrize("field", ["lumbar", "cervical"])
@pytest.mark.parametrize("scheme", DRAWN)
def test_every_usable_scheme_round_trips(scheme, field):
    if scheme == "spider-dataset" and field == "cervical":
        pytest.skip("counts from L5")
    truth = painted(1, field)
    mask = mask_in(scheme, truth)
    anchor = anchor_of(drawn(truth, scheme)) if SCHEMES[scheme].counts else None
    read = from_labels(mask, scheme, anchor=anchor)
    assert np.array_equal(to_labels(read.segmentation, scheme), mask.voxels)
    assert read.unknown == {}
    wanted = {s for s in drawn(truth, scheme).structures.values() if s.kind is BODY and s.level.region != "S"}
    found = {s for s in read.segmentation.structures.values() if s.kind is BODY and s.level.region != "S"}
    slivers = {s for s in wanted if truth.mask(s).sum() < 0.2 * max(truth.mask(other).sum() for other in wanted)}
    assert wanted - slivers - found == found - wanted == set()
    assert read.segmentation.made_by == f"{scheme} labels"


def variant(names):
    """Boxes one below the other with these names, one voxel row of disc between them, sacrum last."""
    voxels = np.zeros((5, 34 * len(names) + 90, 40), dtype=np.uint8)
    return voxels, [(Level(name), 4 + 34 * n) for n, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "disc", "value", "lower"),
    [
        (("L3", "L4", "L5", "L6"), "L5", 96, "L6"),
        (("L3", "L4", "L5", "L6"), "L6", 100, "S1"),
        (("L3", "L4", "L5"), "L5", 100, "S1"),
    ],
)
def test_the_disc_on_the_sacrum_is_below_l6_where_there_is_one(names, disc, value, lower):
    grid = replace(painted(1).geometry, shape=variant(names)[0].shape, spacing=(6.0, 1.0, 1.0))
    voxels, rows = variant(names)
    for level, row in rows:
        voxels[:, row : row + 26, 4:34] = 40 + level.number
        below = 50 + 40 + level.number + 1 if level.name != names[-1] else 100
        voxels[:, row + 28 : row + 33, 4:34] = below
    voxels[:, rows[-1][1] + 34 : rows[-1][1] + 110, 4:39] = 50
    read = from_labels(image_of(voxels, grid), "totalspineseg-step2").segmentation
    wanted = Structure(DISC, Level(disc), Level(lower))
    assert np.array_equal(read.mask(wanted), voxels == value)
    assert Level(names[-1]) in [s.level for s in read.of_kind(BODY)]
    assert np.array_equal(to_labels(read, "totalspineseg-step2"), voxels)


def test_what_a_scheme_cannot_express_is_named():
    truth = painted(1)
    with pytest.raises(InputError, match=r"verse has no number for .*disc L4-L5.*; leave them out"):
        to_labels(truth, "verse")
    voxels = to_labels(truth, "verse", kinds=(BODY, ARCH))
    assert set(np.unique(voxels)) >= {0, 20, 24}
    l6 = replace(truth, structures={**truth.structures, 26: Structure(BODY, Level("L6"))})
    with pytest.raises(InputError, match="vertebral body L6"):
        to_labels(l6, "totalsegmentator-vertebrae-mr", kinds=(BODY, ARCH, SACRUM))


def test_discs_alone_keep_the_numbers_that_their_vertebrae_give_them():
    truth = painted(1)
    l6 = replace(
        truth,
        structures={
            **truth.structures,
            26: Structure(BODY, Level("L6")),
            105: Structure(DISC, Level("L5"), Level("L6")),
        },
    )
    assert np.array_equal(to_labels(l6, "totalspineseg-step2", kinds=(DISC,)) == 96, truth.voxels == 105)
    counted = to_labels(drawn(truth, "spineps"), "spineps")
    assert np.array_equal(to_labels(truth, "spineps", kinds=(DISC,)), np.where(truth.mask_of_kind(DISC), counted, 0))
