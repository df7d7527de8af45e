from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.appearance import Appearance, EndplateNode, sample_appearance
from spinemri.synthesis.arches import ArchStyle
from spinemri.synthesis.canvas import blank_canvas, leaning
from spinemri.synthesis.labels import LabelVolume, paint
from spinemri.synthesis.random_subject import random_volume, varied
from spinemri.synthesis.shapes import template
from spinemri.synthesis.subject import Subject, sample_subject, stack
from spinemri.synthesis.tissue import Tissue
from tests.synthesis.test_shapes import block_vertebra

L3 = sizes.L1 + 2
POSTERIOR = [int(Tissue.POSTERIOR_MARROW), int(Tissue.POSTERIOR_CORTEX)]


def lumbar_axes(subject: Subject) -> tuple[np.ndarray, ...]:
    a, z = subject.centre[L3]
    return np.arange(-42, 43, 2.0) + subject.midline[L3], np.arange(z - 60, z + 60), np.arange(a - 90, a + 40)


def painted(subject: Subject, look: Appearance) -> LabelVolume:
    return paint(subject, lumbar_axes(subject), np.random.default_rng(1), look=look)


def plain_look(nodes: tuple[EndplateNode, ...] = ()) -> Appearance:
    look = sample_appearance(np.random.default_rng(3), None, sample_subject(np.random.default_rng(8)))
    return replace(look, arches=ArchStyle(), nodes=nodes, twist=np.zeros(sizes.COUNT))


@pytest.fixture(scope="module")
def subject() -> Subject:
    person = sample_subject(np.random.default_rng(8), variation=0.5)
    return replace(person, midline=np.zeros_like(person.midline))


def behind_the_canal(volume: LabelVolume, subject: Subject, index: int) -> float:
    """How far the posterior elements of a level go behind the canal, mm along the vertebra's own axis."""
    bone = np.argwhere((volume.level == index + 1) & np.isin(volume.tissue, POSTERIOR))
    _, front = subject.axes(index)
    z, a = volume.axes[1][bone[:, 1]], volume.axes[2][bone[:, 2]]
    forward = (a - subject.centre[index, 0]) * front[0] + (z - subject.centre[index, 1]) * front[1]
    return float(-forward.min() - subject.depth[index] / 2 - subject.canal_depth[index])


@pytest.mark.parametrize("shaped", [{"with a template"}, set()])
def test_spinous_processes_are_as_long_as_the_subject_says(subject: Subject, shaped: set[str]) -> None:
    blend = ((template(block_vertebra(), "block"), 1.0),)
    style = ArchStyle(dict.fromkeys(range(sizes.L1, sizes.S1), blend) if shaped else {})
    volume = painted(subject, replace(plain_look(), arches=style))
    assert behind_the_canal(volume, subject, L3) == pytest.approx(subject.spinous_length[L3] + 3, abs=4.5)


def test_arches_keep_out_of_the_canal_and_meet_in_joints(subject: Subject) -> None:
    volume = painted(subject, plain_look())
    sac = np.isin(volume.tissue, [int(Tissue.CSF), int(Tissue.NERVE_ROOT), int(Tissue.CORD)])
    assert sac.sum() > 5000
    assert not (volume.level[sac] > 0).any()
    assert (volume.tissue == int(Tissue.FACET)).sum() > 50
    for index in (L3 - 1, L3, L3 + 1):  # both pedicles
        sides = np.isin(volume.tissue, POSTERIOR) & (volume.level == index + 1)
        assert sides[:18].sum() > 100
        assert sides[-18:].sum() > 100


def test_a_node_is_disc_within_its_body(subject: Subject) -> None:
    node = EndplateNode(L3, superior=True, t=0.5, x=0.0, radius=7.0, deep=6.0)
    before, after = painted(subject, plain_look()), painted(subject, plain_look(nodes=(node,)))
    gained = (before.level == L3 + 1) & (after.level == 100 + L3)  # disc L2-L3
    found = gained.sum() * 2.0
    assert found == pytest.approx(np.pi * 49 * 6 / 2, rel=0.35)  # a paraboloid
    assert np.isin(after.tissue[gained], [int(Tissue.ANNULUS), int(Tissue.NUCLEUS)]).all()


def test_a_leaning_spine_has_its_endplates_square_to_its_midline(subject: Subject) -> None:
    rng, slope = np.random.default_rng(0), 0.25
    leaning_subject = replace(subject, midline=(slope * (subject.centre[0, 1] - subject.centre[:, 1])))
    axes = lumbar_axes(leaning_subject)
    still = np.zeros(sizes.COUNT)
    upright = blank_canvas(leaning_subject, axes, rng)
    canvas = leaning(upright, leaning_subject, still)
    change = (canvas.s - upright.s)[-1] - (canvas.s - upright.s)[0]  # over 84 mm from side to side
    assert np.median(change) == pytest.approx(84 * slope, rel=0.12)
    straight = blank_canvas(subject, lumbar_axes(subject), rng)
    assert np.abs(leaning(straight, subject, still).s - straight.s).max() < 0.01


def test_a_slip_moves_everything_above_forward(subject: Subject) -> None:
    slip = np.zeros(sizes.COUNT)
    slip[sizes.L5 - 1] = 6.0
    moved = stack(replace(subject, slip=slip)).centre - stack(subject).centre
    assert np.allclose(moved[sizes.L5 :], 0, atol=1e-4)
    assert np.allclose(np.linalg.norm(moved[: sizes.L5], axis=1), 6.0, atol=1e-3)


def test_varied_people_lie_on_a_table_and_their_cord_fits_their_sac() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        person = varied(sample_subject(rng), rng)
        tilt = np.degrees(person.tilt)
        assert -25.1 < tilt[0] < 32.1, seed
        assert -5.1 < tilt[sizes.T1] < 45.1, seed
        assert (person.sac_depth[: sizes.S1] < person.canal_depth[: sizes.S1]).all(), seed
        assert (person.cord_depth[: sizes.T12] < person.sac_depth[: sizes.T12]).all(), seed


def test_the_same_seed_paints_the_same_volume() -> None:
    (_, one), (_, two) = random_volume(5), random_volume(5)
    assert np.array_equal(one.tissue, two.tissue)
    assert set(np.unique(one.tissue)) >= {int(Tissue.MARROW), int(Tissue.CSF), int(Tissue.POSTERIOR_MARROW)}
