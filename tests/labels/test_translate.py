"""Between every two schemes: what both can say comes over and back, and what is lost is told, voxel for voxel."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure
from spinemri.errors import InputError
from spinemri.labels.export import named_levels, numbered_for
from spinemri.labels.schemes import SCHEMES
from spinemri.labels.translate import LossKind, translate
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
    only,
    painted,
)

LEFT_OUT = {LossKind.UNKNOWN, LossKind.UNUSED, LossKind.NO_NUMBER}
PAIRS = [(one, two) for one in DRAWN for two in DRAWN]


def word(scheme, truth):
    """The user's word on the lowest vertebra, where a scheme only counts."""
    return anchor_of(drawn(truth, scheme)) if SCHEMES[scheme].counts else None


def losses_of(made, *kinds):
    return [loss for loss in made.losses if loss.kind in kinds]


def drawn_in(scheme, mask, truth):
    """(value, structures) of a painted mask in a scheme."""
    table = numbered_for(SCHEMES[scheme], named_levels(drawn(truth, scheme))).table
    return {int(v): table[int(v)] for v in np.unique(mask.voxels) if v}


@pytest.mark.parametrize("scheme", DRAWN)
def test_a_mask_in_its_own_scheme_comes_back_equal(scheme):
    truth = painted(1)
    mask = mask_in(scheme, truth)
    made = translate(mask, scheme, scheme, anchor=word(scheme, truth))
    assert np.array_equal(made.voxels, mask.voxels)
    assert made.losses == ()
    assert made.labelled == np.count_nonzero(mask.voxels)


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair[0] != pair[1]])
def test_only_what_the_other_scheme_cannot_say_is_lost(source, target):
    truth = painted(1)
    mask = mask_in(source, truth)
    made = translate(mask, source, target, anchor=word(source, truth))
    shown = drawn_in(source, mask, truth)
    sayable = {(s.kind, s.level) for s in drawable(target, truth)}
    for value, group in shown.items():
        here = made.voxels[mask.voxels == value]
        if (group[0].kind, group[0].level) in sayable:
            assert here.all(), (value, group)
        else:
            assert not here.any(), (value, group)
    told = sum(loss.voxels for loss in losses_of(made, *LEFT_OUT))
    assert told == made.labelled - np.count_nonzero(made.voxels)
    assert {v for loss in losses_of(made, LossKind.NO_NUMBER) for v in loss.values} == {
        value for value, group in shown.items() if (group[0].kind, group[0].level) not in sayable
    }


def drawable(scheme, truth):
    """Every structure that a scheme has a number for in this spine."""
    table = numbered_for(SCHEMES[scheme], named_levels(truth)).table
    return {s for group in table.values() for s in group}


@pytest.mark.parametrize("source", [scheme for scheme in DRAWN if scheme != "spinemri"])
@pytest.mark.parametrize("target", ["spinemri", "totalspineseg-step2"])
def test_what_comes_over_whole_goes_back_equal(source, target):
    """Whole vertebrae are parted and joined again; a canal that held the cord too is a sac, and again a canal."""
    truth = painted(1)
    mask = mask_in(source, truth)
    there = translate(mask, source, target, anchor=word(source, truth))
    assert losses_of(there, LossKind.MERGED, *LEFT_OUT) == []
    back = translate(image_of(there.voxels, truth.geometry), target, source)
    assert np.array_equal(back.voxels, mask.voxels)


def test_body_and_arch_become_one_number_and_it_is_told():
    truth = only(painted(1), lambda s: s.kind in (BODY, ARCH) and s.level.region != "S")
    made = translate(mask_in("spinemri", truth), "spinemri", "verse")
    merged = {loss.numbers[0]: loss for loss in losses_of(made, LossKind.MERGED)}
    l4 = merged[23]
    assert (l4.values, l4.levels) == ((24, 64), ("L4",))
    assert l4.structures == ("vertebral body L4", "posterior elements L4")
    parts = [truth.mask(Structure(kind, Level("L4"))) for kind in (BODY, ARCH)]
    assert l4.voxels == np.count_nonzero(parts[0] | parts[1])
    assert np.array_equal(made.voxels == 23, parts[0] | parts[1])


def test_a_body_alone_under_the_number_of_a_whole_vertebra_is_told():
    bodies = only(painted(1), lambda s: s.kind is BODY and s.level.region != "S")
    made = translate(image_of(bodies.voxels, bodies.geometry), "spinemri", "verse")
    widened = losses_of(made, LossKind.WIDENED)
    assert {loss.structures for loss in widened} == {(f"vertebral body {level}",) for level in named_levels(bodies)}
    assert sum(loss.voxels for loss in widened) == made.labelled
    whole = only(painted(1), lambda s: s.kind in (BODY, ARCH) and s.level.region != "S")
    both = translate(image_of(whole.voxels, whole.geometry), "spinemri", "verse")
    drawn_levels = [{s.level for s in whole.of_kind(kind)} for kind in (BODY, ARCH)]
    halves = {str(level) for level in drawn_levels[0] ^ drawn_levels[1]}  # at the end of the field
    assert {level for loss in losses_of(both, LossKind.WIDENED) for level in loss.levels} == halves


def test_a_whole_vertebra_is_parted_and_it_is_told():
    truth = painted(1)
    mask = mask_in("totalspineseg-step2", truth)
    made = translate(mask, "totalspineseg-step2", "spinemri")
    parted = {loss.values[0]: loss for loss in losses_of(made, LossKind.PARTED)}
    assert parted[44].numbers == (24, 64)
    assert parted[44].voxels == np.count_nonzero(mask.voxels == 44)
    body = truth.mask(Structure(BODY, Level("L4")))
    both = (made.voxels == 24) & body
    assert 2 * both.sum() > 0.95 * ((made.voxels == 24).sum() + body.sum())


def test_sac_and_cord_in_one_number_are_told_both_ways():
    truth = painted(1)
    down = translate(mask_in("totalspineseg-step2", truth), "totalspineseg-step2", "spider-algorithm")
    canal = next(loss for loss in losses_of(down, LossKind.MERGED) if 100 in loss.numbers)
    assert canal.values == (1, 2)
    up = translate(mask_in("spider-algorithm", truth), "spider-algorithm", "spinemri")
    narrowed = losses_of(up, LossKind.NARROWED)
    assert [(loss.values, loss.numbers) for loss in narrowed] == [((100,), (120,))]
    assert any("thecal sac" in line for line in up.warnings)


def test_names_that_a_counting_scheme_does_not_keep_are_told():
    truth = painted(1, "thoracic")
    made = translate(mask_in("verse", truth), "verse", "spider-dataset")
    levels = {level for loss in losses_of(made, LossKind.LEVEL_NAME) for level in loss.levels}
    assert levels == {str(level) for level in named_levels(drawn(truth, "verse"))}
    lumbar = painted(1)
    kept = translate(mask_in("verse", lumbar), "verse", "spider-dataset")
    assert losses_of(kept, LossKind.LEVEL_NAME) == []


def test_the_mark_of_a_vertebra_at_the_edge_is_kept_where_there_is_one():
    truth = painted(1)
    mask = mask_in("spider-algorithm", truth)
    top = int(mask.voxels[(mask.voxels > 0) & (mask.voxels < 26)].min())
    voxels = np.where(mask.voxels == top, top + 100, mask.voxels)
    marked = image_of(voxels, truth.geometry)
    kept = translate(marked, "spider-algorithm", "spider-dataset")
    assert kept.voxels[voxels == top + 100].min() > 100
    assert losses_of(kept, LossKind.CUT_MARK) == []
    lost = translate(marked, "spider-algorithm", "verse")
    assert [loss.values for loss in losses_of(lost, LossKind.CUT_MARK)] == [(top + 100,)]


def test_values_without_a_meaning_are_left_out_and_told():
    mask = mask_in("spineps-veridah", painted(1))
    voxels = mask.voxels.copy()
    voxels[2, 5:9, 5:11], voxels[2, 20:22, 5:8] = 77, 219
    made = translate(image_of(voxels, mask.geometry), "spineps-veridah", "verse")
    assert [(loss.values, loss.voxels) for loss in losses_of(made, LossKind.UNKNOWN)] == [((77,), 24)]
    assert [(loss.values, loss.voxels) for loss in losses_of(made, LossKind.UNUSED)] == [((219,), 6)]
    same = translate(image_of(voxels, mask.geometry), "spineps-veridah", "spineps-veridah")
    assert [(loss.kind, loss.values) for loss in same.losses] == [(LossKind.UNKNOWN, (77,))]
    assert np.array_equal(same.voxels, np.where(voxels == 77, 0, voxels))


def test_a_mask_without_vertebrae_is_translated_too():
    truth = only(painted(1), lambda s: s.kind in (DISC, SAC, CORD))
    made = translate(image_of(truth.voxels, truth.geometry), "spinemri", "totalspineseg-step2")
    l4 = Structure(DISC, Level("L4"), Level("L5"))
    assert np.array_equal(made.voxels == 95, truth.mask(l4))
    assert np.array_equal(made.voxels == 1, truth.mask(Structure(CORD)))
    assert losses_of(made, *LEFT_OUT) == []


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("spineps", "verse", "its numbers count vertebrae from the top .*--anchor"),
        ("verse", "sct-discs", "sct-discs is none to write in: points on discs are no masks"),
        ("verse", "totalsegmentator-total-mr", "is none to write in: 19 is every vertebra in one"),
        ("totalspineseg-step1", "verse", "use step2_output"),
        ("verse", "verses", "'verses': expected one of"),
        ("totalsegmentator-vertebrae-mr", "verse", "is the name right"),
    ],
)
def test_what_cannot_be_done_is_refused(source, target, said):
    mask = mask_in("spineps" if source == "spineps" else "verse", painted(1))
    with pytest.raises(InputError, match=said):
        translate(mask, source, target)


def test_a_sacrum_goes_over_whole():
    truth = only(painted(1), lambda s: s.kind in (BODY, ARCH, SACRUM))
    mask = mask_in("totalspineseg-step2", truth)
    made = translate(mask, "totalspineseg-step2", "totalsegmentator-vertebrae-mr")
    assert np.array_equal(made.voxels == 1, mask.voxels == 50)
    assert made.losses == ()
