"""Fat, ligaments and roots behind the cord of training subjects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis import random_subject
from spinemri.synthesis.arches import ArchStyle, sample_tall
from spinemri.synthesis.canal import SAC_TISSUES
from spinemri.synthesis.labels import paint
from spinemri.synthesis.midline import MidlineStyle, sample_midline
from spinemri.synthesis.random_subject import random_volume
from spinemri.synthesis.shapes import template
from spinemri.synthesis.subject import Subject, sample_subject
from spinemri.synthesis.tissue import Tissue
from tests.synthesis.test_appearance import L3, painted, plain_look
from tests.synthesis.test_shapes import block_vertebra

if TYPE_CHECKING:
    from spinemri.synthesis.labels import LabelVolume

STYLE = MidlineStyle(
    pad_mm=np.full(sizes.COUNT, 7.0), width_mm=6.0, length=0.45, above_mm=3.0, flavum_mm=3.0, settled=0.5, dense=0.9
)
BONE = [int(Tissue.POSTERIOR_MARROW), int(Tissue.POSTERIOR_CORTEX)]


@pytest.fixture(scope="module")
def subject() -> Subject:
    person = sample_subject(np.random.default_rng(8), variation=0.5)
    return replace(person, midline=np.zeros_like(person.midline))


def with_style(subject: Subject, **changes: object) -> LabelVolume:
    return painted(subject, replace(plain_look(), midline=replace(STYLE, **changes)))


def behind_canal(volume: LabelVolume, subject: Subject, down: float) -> np.ndarray:
    """Tissues of the midline from the back of the canal backwards, 1 mm apart, ``down`` mm below L3."""
    _, front = subject.axes(L3)
    depth = np.arange(1.0, 12.0)
    low = subject.wall_point(L3, -subject.posterior[L3] / 2 - down)
    points = low - front * (subject.canal_depth[L3] + depth)[:, None]
    x = int(np.abs(volume.axes[0]).argmin())
    a = np.abs(volume.axes[2][:, None] - points[:, 0]).argmin(axis=0)
    z = np.abs(volume.axes[1][:, None] - points[:, 1]).argmin(axis=0)
    return volume.tissue[x, z, a]


def test_fat_lies_behind_the_canal_at_the_disc_and_ligament_behind_it(subject: Subject) -> None:
    found = behind_canal(with_style(subject), subject, 2.0).tolist()
    fat = found.count(Tissue.EPIDURAL_FAT)
    assert 4 <= fat <= 8
    assert found[:fat] == [Tissue.EPIDURAL_FAT] * fat
    assert found[fat : fat + 2] == [Tissue.LIGAMENT] * 2


def test_without_pads_a_lamina_or_ligament_lies_there(subject: Subject) -> None:
    plain = painted(subject, plain_look())
    thin = with_style(subject, pad_mm=np.full(sizes.COUNT, 0.9))
    for volume in (plain, thin):
        assert Tissue.EPIDURAL_FAT not in behind_canal(volume, subject, 2.0)[2:]


def test_a_pad_is_deepest_at_its_upper_end(subject: Subject) -> None:
    volume = with_style(subject)
    deep = [int((behind_canal(volume, subject, down) == Tissue.EPIDURAL_FAT).sum()) for down in (1.0, 8.0, 14.0)]
    assert deep[0] > deep[1] > deep[2]


def test_pads_leave_sac_and_bodies_alone(subject: Subject) -> None:
    plain = painted(subject, plain_look())
    padded = with_style(subject, settled=0.0)
    kept = [*map(int, SAC_TISSUES), int(Tissue.MARROW), int(Tissue.CORTEX)]
    for value in kept:
        assert ((plain.tissue == value) == (padded.tissue == value)).all()
    assert not padded.level[(padded.tissue == Tissue.EPIDURAL_FAT)].any()


def test_the_back_of_the_sacrum_begins_below_the_pad_under_l5(subject: Subject) -> None:
    """Between L5 and S1 the gap of the laminae is widest: at the upper end of S1 there is no bone behind the canal."""
    a, z = subject.centre[sizes.S1]
    axes = np.arange(-42, 43, 2.0), np.arange(z - 40, z + 40), np.arange(a - 70, a + 40)
    first = []
    for midline in (None, STYLE):
        volume = paint(subject, axes, np.random.default_rng(1), look=replace(plain_look(), midline=midline))
        middle = volume.tissue[int(np.abs(axes[0]).argmin())]
        behind = np.flatnonzero((middle == Tissue.SACRAL_MARROW) & (axes[2] < subject.wall_point(sizes.S1, 0)[0]))
        first.append(axes[1][behind // len(axes[2])].max())
    assert 3 < first[0] - first[1] < 25


def test_spinous_processes_stay(subject: Subject) -> None:
    plain = painted(subject, plain_look())
    bone, left = (np.isin(v.tissue, BONE).sum() for v in (plain, with_style(subject)))
    assert 0.8 * bone < left < bone


def test_roots_settle_in_the_back_of_the_sac_and_the_sac_keeps_its_size(subject: Subject) -> None:
    plain, settled = painted(subject, plain_look()), with_style(subject, pad_mm=np.zeros(sizes.COUNT))
    sac = np.isin(plain.tissue, [*map(int, SAC_TISSUES)])
    assert (sac == np.isin(settled.tissue, [*map(int, SAC_TISSUES)])).all()
    more = (settled.tissue == Tissue.NERVE_ROOT) & (plain.tissue != Tissue.NERVE_ROOT)
    a = np.broadcast_to(settled.axes[2], more.shape)
    x = int(np.abs(settled.axes[0]).argmin())
    rows = np.flatnonzero(more[x].any(axis=1))
    assert len(rows) > 20
    assert a[x, 0][more[x][rows[10]]].mean() < a[x, 0][sac[x][rows[10]]].mean()


def test_streaks_of_fat_lie_between_spinous_processes_only(subject: Subject) -> None:
    plain, streaky = with_style(subject), with_style(subject, streaks=0.4)
    between = plain.tissue == Tissue.INTERSPINOUS
    changed = plain.tissue != streaky.tissue
    assert (streaky.tissue[changed] == Tissue.MUSCLE_FAT).all()
    assert between[changed].all()
    assert changed.sum() / between.sum() == pytest.approx(0.4, abs=0.15)


def test_tall_spinous_processes_of_templates_nearly_touch(subject: Subject) -> None:
    """Factor 1.4 on the height of the processes: the gap between two of them shrinks, their length stays."""
    blend = ((template(block_vertebra(), "block"), 1.0),)
    heights = []
    for factor in (1.0, 1.4):
        style = ArchStyle(dict.fromkeys(range(sizes.L1, sizes.S1), blend), tall=np.full(sizes.COUNT, factor))
        volume = painted(subject, replace(plain_look(), arches=style))
        x = int(np.abs(volume.axes[0]).argmin())
        a = np.abs(volume.axes[2] - (subject.wall_point(L3, 0)[0] - subject.canal_depth[L3] - 16)).argmin()
        heights.append(int(np.isin(volume.tissue[x, :, a], BONE).sum()))
    assert heights[1] == pytest.approx(1.4 * heights[0], rel=0.12)


def test_spinous_processes_of_people_differ_in_height() -> None:
    tall = np.stack([sample_tall(np.random.default_rng(seed)) for seed in range(40)])
    assert 0.75 < tall.min() < 0.95
    assert 1.3 < tall.max() < 1.6


def test_more_fat_between_lumbar_than_between_thoracic_laminae() -> None:
    people = [sample_midline(np.random.default_rng(seed)) for seed in range(30)]
    pads = np.mean([style.pad_mm for style in people], axis=0)
    assert pads[0] < 0.5 < pads[sizes.T1 + 5] < pads[L3]
    assert 4 < pads[L3] < 7.5


def test_training_subjects_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same person with and without them has the same bodies and another canal."""
    _, shown = random_volume(3010)
    monkeypatch.setattr(random_subject, "sample_midline", lambda _: None)
    _, bare = random_volume(3010)
    fat = [(volume.tissue == Tissue.EPIDURAL_FAT).sum() for volume in (shown, bare)]
    bodies = [(volume.tissue == Tissue.MARROW).sum() for volume in (shown, bare)]
    assert fat[0] > 1.1 * fat[1]
    assert bodies[0] == bodies[1]
