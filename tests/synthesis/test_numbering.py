"""People with one vertebra more or fewer: names, sizes, what is painted, and true measurements under those names."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.evaluate.truth import true_grid, true_segmentation
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.acquisitions import Acquisition
from spinemri.synthesis.numbering import USUAL, Numbering, chain
from spinemri.synthesis.phantom import make_phantom
from spinemri.synthesis.posture import Posture, tilts
from spinemri.synthesis.subject import sample_subject
from spinemri.synthesis.truth import alignment

VARIANTS = [known for known in Numbering if known is not Numbering.USUAL]
ABOVE_SACRUM = {"usual": 23, "T11": 22, "T13": 24, "L4": 22, "L6": 24}  # from C2 down
JUNCTION = {
    "T11": ("T10", "T11", "L1", "L2"),
    "T13": ("T12", "T13", "L1", "L2"),
    "L4": ("L3", "L4", "S1", "S2"),
    "L6": ("L5", "L6", "S1", "S2"),
}


def test_the_usual_person_has_the_tables_vertebrae():
    assert USUAL.names == sizes.NAMES
    assert USUAL.rows == tuple(range(sizes.COUNT))
    assert (USUAL.last_thoracic, USUAL.first_lumbar, USUAL.last_lumbar, USUAL.sacral) == (
        sizes.T12,
        sizes.L1,
        sizes.L5,
        sizes.S1,
    )


@pytest.mark.parametrize("numbering", Numbering)
def test_everyone_has_as_many_rows_and_one_name_each(numbering):
    person = chain(numbering)
    assert len(person.rows) == len(person.names) == len(set(person.names)) == sizes.COUNT
    assert person.sacral == ABOVE_SACRUM[numbering]
    assert [level.name for level in person.levels] == list(person.names[: person.sacral + 1])
    assert list(person.levels) == sorted(person.levels)


@pytest.mark.parametrize("numbering", VARIANTS)
def test_names_follow_each_other_where_the_region_ends(numbering):
    names = chain(numbering).names
    first = names.index(JUNCTION[numbering][0])
    assert names[first : first + 4] == JUNCTION[numbering]
    gone = {"T11": "T12", "L4": "L5"}.get(numbering)
    assert gone not in names
    assert chain(numbering).index("T12" if gone != "T12" else "L5") is not None
    assert chain(numbering).index(gone or "T14") is None


@pytest.mark.parametrize("numbering", Numbering)
def test_the_last_lumbar_vertebra_is_wedged_as_l5_and_the_sacrum_begins_below(numbering):
    person = chain(numbering)
    ratio = sizes.ANTERIOR_RATIO[[*person.rows]]
    assert int(np.argmax(ratio[: person.sacral])) == person.last_lumbar
    assert person.rows[person.sacral] == sizes.S1


@pytest.mark.parametrize("numbering", Numbering)
def test_a_region_bends_as_much_whatever_its_number(numbering):
    posture = Posture(sacral_slope=37.0, lordosis=46.0, kyphosis=33.0, cervical=12.0)
    person = chain(numbering)
    tilt = tilts(posture, person)
    assert tilt[person.sacral] == pytest.approx(37)
    assert tilt[person.sacral] - tilt[person.first_lumbar] == pytest.approx(46)
    assert tilt[sizes.T1] - tilt[person.first_lumbar] == pytest.approx(33 - 1)
    assert np.all(np.diff(tilt[person.first_lumbar : person.sacral]) > 0)


@pytest.mark.parametrize("numbering", VARIANTS)
def test_people_differ_only_where_they_have_another_vertebra(numbering):
    one, other = (sample_subject(np.random.default_rng(5), chain=chain(n)) for n in (numbering, Numbering.USUAL))
    same = min(one.chain.last_thoracic, other.chain.last_thoracic)
    assert one.posterior[:same] == pytest.approx(other.posterior[:same])
    taller = one.posterior[: one.chain.sacral].sum() - other.posterior[: other.chain.sacral].sum()
    assert 15 < taller * (1 if one.chain.sacral > other.chain.sacral else -1) < 35


@pytest.mark.parametrize("numbering", VARIANTS)
def test_true_masks_and_measurements_bear_the_persons_names(numbering):
    phantom = make_phantom(4, numbering=numbering)
    upper, lower, first, second = JUNCTION[numbering]
    assert phantom.truth["levels"] == [
        str(level) for level in phantom.subject.chain.levels if str(level) in phantom.truth["levels"]
    ]
    assert {upper, lower, first} <= {*phantom.truth["levels"]}
    masks = true_segmentation(phantom.volume, phantom.images[0].geometry, "2.25.1")
    bodies = {str(s.level): s for s in masks.of_kind(StructureKind.VERTEBRAL_BODY)}
    discs = {str(s) for s in masks.of_kind(StructureKind.DISC)}
    assert {upper, lower, first} <= bodies.keys()
    assert f"{lower}-{first}" in " ".join(discs)
    for level in (upper, lower):
        index = phantom.subject.chain.index(level)
        voxels = np.argwhere(masks.mask(bodies[level]))
        middle = masks.geometry.to_patient(voxels.mean(axis=0))
        assert middle == pytest.approx(phantom.truth["body_centres_lps_mm"][level], abs=4.0)
        assert masks.mask(bodies[level]).sum() > 0.6 * phantom.subject.posterior[index] ** 3 / 4 / 0.9**2
    ids = {record["id"] for record in phantom.truth["measurements"]}
    assert {f"{lower}.anterior_height", f"{lower}-{first}.dural_sac_ap"} <= ids
    assert not {second} & bodies.keys() or second.startswith("L")


def test_regional_angles_end_at_levels_of_those_names():
    person = sample_subject(np.random.default_rng(2), chain=chain(Numbering.T11))
    names = {record["id"] for record in alignment(person, [*range(person.chain.sacral + 1)])}
    assert "L1-S1.lumbar_lordosis" in names
    assert not {name for name in names if "T12" in name}


def test_slices_of_any_orientation_have_the_same_names():
    phantom = make_phantom(4, numbering=Numbering.L6, acquisitions=(Acquisition.AXIAL,))
    places = {record["place"] for record in phantom.truth["axial_slices"]}
    assert "L6-S1" in places
    found = {s.level for grid in phantom.grids.values() for s in true_grid(grid, "2.25.1").structures.values()}
    assert Level("L6") in found
