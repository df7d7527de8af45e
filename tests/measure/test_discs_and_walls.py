"""Discs, posterior walls, volumes and ratios of random people against the numbers that they were painted from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level
from spinemri.measure.bodies import body_shapes, losses_of, with_sacrum
from spinemri.measure.body_ratios import ratio_measurements
from spinemri.measure.disc import DiscMasks, disc_measurements
from spinemri.measure.posterior_wall import posterior_walls, wall_measurements
from spinemri.measure.volume_loss import volume_losses
from spinemri.measurement import Status
from spinemri.norms import norm
from spinemri.segmentation import Drawing
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis import truth, truth_discs
from tests.measure.subjects import person

SEEDS = range(400, 412)


def measured(who, missing=None, **drawing):
    """What the functions under test say of a person, by id."""
    uid, missing = "1.2.3", missing or {}
    spine, segmentations = who.spine(uid), {uid: replace(who.segmentation(uid), **drawing)}
    shapes = body_shapes(spine, segmentations, missing)
    losses, whole = losses_of(shapes), with_sacrum(shapes, spine, segmentations, missing)
    found = ratio_measurements(spine, shapes)
    found += volume_losses(spine, shapes, losses, segmentations, missing)
    walls = posterior_walls(whole)
    found += wall_measurements(spine, whole, walls, shapes, losses)
    found += disc_measurements(spine, whole, walls, losses, DiscMasks(segmentations, missing))
    return {m.id: m for m in found}


def true_values(who, found):
    """True values by id; those that depend on a reference use the one that was measured with."""
    values = {r["id"]: r["value"] for r in truth_discs.measurements(who.subject, who.volume.curve, [*who.shown])}
    for m in found.values():
        if m.value is None:
            continue
        index = sizes.LEVELS.index(m.level)
        references = tuple(sizes.LEVELS.index(v) for v in m.reference_levels)
        if m.name == "retropulsion_mm":
            values[m.id] = truth_discs.retropulsion(who.subject, index, *references)
        elif m.name == "disc_height_index":
            values[m.id] = truth_discs.height_index(who.subject, index, references)
    return values


@pytest.fixture(scope="module")
def errors():
    """Name -> (measured, true, whether the interval holds the true value) over twelve people.

    A fragment shifts its body's posterior point: crush ratios of that body are not among them.
    """
    rows = {}
    for seed in SEEDS:
        who = person(seed, variation=0.4)
        found = measured(who)
        for id_, value in true_values(who, found).items():
            m = found[id_]
            pushed = who.broken.fragment is not None and sizes.LEVELS[who.broken.index] in neighbourhood(m)
            if m.value is not None and not (pushed and m.name.startswith("crush_ratio")):
                inside = m.interval[0] <= value <= m.interval[1]
                rows.setdefault(m.name, []).append((m.value, value, inside))
    return {name: np.array(values) for name, values in rows.items()}


def neighbourhood(m):
    """The level of a measurement of a body and the two beside it."""
    at = sizes.LEVELS.index(m.level)
    return sizes.LEVELS[at - 1 : at + 2]


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("disc_height", 0.3),
        ("disc_height_index", 0.02),
        ("disc_bulge_mm", 0.5),
        ("retropulsion_mm", 0.5),
        ("volume_loss_pct", 4.0),
        ("endplate_depression_superior_mm", 0.4),
        ("endplate_depression_inferior_mm", 0.4),
        ("crush_ratio_above", 0.04),
        ("crush_ratio_below", 0.04),
    ],
)
def test_mean_absolute_error_over_random_people(errors, name, limit):
    rows = errors[name]
    assert len(rows) > 60
    assert np.abs(rows[:, 0] - rows[:, 1]).mean() <= limit
    assert rows[:, 2].mean() >= 0.88  # of the 95 % intervals


@pytest.fixture(scope="module")
def broken():
    people = (person(seed, stretch=0) for seed in range(500, 520))
    who = next(w for w in people if w.broken.fragment and w.broken.fragment.millimetres > 3)
    return who, measured(who)


def test_a_fragment_is_a_displaced_share_of_the_wall_and_a_healthy_wall_has_none(broken):
    who, found = broken
    level, fragment = sizes.NAMES[who.broken.index], who.broken.fragment
    shares = {
        m.level.name: m.value for m in found.values() if m.name == "posterior_wall_fraction" and m.value is not None
    }
    assert shares.pop(level) == pytest.approx(fragment.high - fragment.low, abs=0.15)
    assert max(shares.values()) <= 0.05
    assert found[f"{level}.retropulsion_mm"].value > 2
    assert len(found[f"{level}.retropulsion_mm"].reference_levels) == 2


def test_a_broken_body_is_no_reference_of_its_neighbours(broken):
    who, found = broken
    level = sizes.LEVELS[who.broken.index]
    used = [v for m in found.values() if m.name in ("retropulsion_mm", "volume_loss_pct") for v in m.reference_levels]
    assert used
    assert level not in used


def test_the_ends_of_the_spine_say_what_they_lack(broken):
    who, found = broken
    first = who.names[0]
    assert "above" in found[f"{first}.retropulsion_mm"].reason
    assert "above" in found[f"{first}.crush_ratio_above"].reason
    assert found["L5.crush_ratio_below"].status is Status.NOT_ASSESSABLE
    assert found["S1.retropulsion_mm"].status is Status.NOT_ASSESSABLE
    assert found["L5-S1.disc_height"].status is Status.MEASURED
    assert found["L5-S1.disc_height_index"].reference_levels == (Level("L5"),)


def test_wedge_z_exists_only_where_a_norm_was_published(broken):
    who, found = broken
    body = found["L1.wedge_ratio_z"]
    heights = truth.heights(who.subject, sizes.L1)
    row = norm("wedge_ratio", "L1")
    if who.broken.index != sizes.L1:
        assert body.value == pytest.approx((heights["anterior"] / heights["posterior"] - row.value) / row.sd, abs=0.6)
    assert "no published wedge ratio" in found["L4.wedge_ratio_z"].reason


def test_a_hollow_wall_is_neither_displaced_nor_retropulsed():
    who = person(600, broken=False, stretch=0)
    for index in (sizes.L1, sizes.L1 + 2):
        hollow_out(who, index, 2.0)
    found = measured(who)
    for name in ("L1", "L3"):
        assert found[f"{name}.posterior_wall_fraction"].value == 0
        plain = truth_discs.retropulsion(who.subject, sizes.NAMES.index(name), *neighbours(name))
        assert found[f"{name}.retropulsion_mm"].value < plain + 0.6


def neighbours(name):
    index = sizes.NAMES.index(name)
    return index - 1, index + 1


def hollow_out(who, index, millimetres):
    """Remove a lens of bone from the posterior wall of a body."""
    subject, volume = who.subject, who.volume
    up, front = subject.axes(index)
    x, z, a = volume.axes
    da, dz = a[None] - subject.centre[index, 0], z[:, None] - subject.centre[index, 1]
    u, v = da * up[0] + dz * up[1], da * front[0] + dz * front[1]
    low, high = (subject.endplate(index, 0.0, 1.0, superior=s) for s in (False, True))
    share = (u - low) / (high - low)
    deep = millimetres * (1 - (2 * share - 1) ** 2)
    lens = (v + subject.depth[index] / 2 < deep) & (share > 0) & (share < 1)
    where = lens[None] & (volume.level == index + 1) & (np.abs(x - subject.midline[index]) < 30)[:, None, None]
    volume.level[where] = 0
    volume.tissue[where] = 24  # epidural fat


def test_a_missing_slice_takes_the_volume_and_leaves_the_heights():
    who = person(601, broken=False, stretch=0)
    middle = who.geometry.shape[0] // 2
    found = measured(who, {"1.2.3": frozenset({middle})})
    assert "missing" in found["L3.volume_loss_pct"].reason
    assert found["L3.posterior_wall_fraction"].status is Status.MEASURED


def test_without_a_mask_of_the_disc_there_is_a_height_and_no_bulge():
    who = person(602, broken=False, stretch=0)
    volume = who.volume
    disc = volume.level == 101 + sizes.L5 - 1
    volume.level[disc], volume.tissue[disc] = 0, 1
    found = measured(who)
    assert found["L4-L5.disc_height"].status is Status.MEASURED
    assert "no mask of the disc" in found["L4-L5.disc_bulge_mm"].reason
    assert found["L3-L4.disc_bulge_mm"].status is Status.MEASURED


def test_the_interval_of_a_bulge_counts_how_far_the_back_of_a_disc_lies_off():
    who = person(602, broken=False, stretch=0)
    plain, off = (measured(who, drawing=Drawing(0.3, 0.2, disc_rim=rim))["L4-L5.disc_bulge_mm"] for rim in (0.0, 1.5))
    variances = [((m.interval[1] - m.interval[0]) / 2 / 1.96) ** 2 for m in (plain, off)]
    assert plain.value == off.value
    assert variances[1] - variances[0] == pytest.approx(1.5**2)
