"""Painted voxels agree with the numbers they were painted from."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis import truth
from spinemri.synthesis.labels import LabelVolume, paint
from spinemri.synthesis.subject import Fracture, MarrowLesion, Pathology, SacNarrowing, Subject, sample_subject
from spinemri.synthesis.tissue import BODY, CORD, SAC, SACRUM, Tissue, class_of_tissue

PIXEL, LAYER = 0.5, 3.0
PATHOLOGY = Pathology(
    fractures=(Fracture(sizes.L1 + 1, 0.35, 0.2, 0.0),),
    narrowings=(SacNarrowing(sizes.L1 + 2, 0.4, 5.0),),
    lesions=(MarrowLesion(sizes.L5 - 1, (0.0, 2.0, 6.0), 7.0),),
)


@pytest.fixture(scope="module")
def painted() -> tuple[Subject, LabelVolume]:
    rng = np.random.default_rng(11)
    subject = sample_subject(rng, PATHOLOGY)
    middle = subject.centre[sizes.L1 + 2]
    x = np.arange(-13, 20, LAYER) + float(subject.midline[sizes.L1 + 2])
    z = float(middle[1]) + np.arange(-110, 96, PIXEL)
    a = float(middle[0]) + np.arange(-78, 44, PIXEL)
    return subject, paint(subject, (x, z, a), rng)


def _column(subject: Subject, volume: LabelVolume, index: int, t: float) -> np.ndarray:
    """Tissue along the vertebra's long axis at a share ``t`` of its depth, every 0.1 mm, in its midline."""
    up, front = subject.axes(index)
    u = np.arange(-30, 30, 0.1)
    points = subject.centre[index] + u[:, None] * up + front * ((t - 0.5) * subject.depth[index])
    x, z, a = volume.axes
    k = int(np.argmin(np.abs(x - subject.midline[index])))
    rows = np.rint((points[:, 1] - z[0]) / PIXEL).astype(int)
    columns = np.rint((points[:, 0] - a[0]) / PIXEL).astype(int)
    return np.where(volume.level[k, rows, columns] == index + 1, 1, 0)


@pytest.mark.parametrize("index", range(sizes.L1, sizes.S1))
def test_painted_heights_are_the_true_heights(painted: tuple[Subject, LabelVolume], index: int) -> None:
    subject, volume = painted
    for place, t in (("anterior", 1 - truth.INSET), ("middle", 0.5), ("posterior", truth.INSET)):
        bone = np.flatnonzero(_column(subject, volume, index, t))  # a waisted wall may leave a gap half-way
        painted_mm = 0.1 * (bone[-1] - bone[0] + 1)
        assert painted_mm == pytest.approx(truth.heights(subject, index)[place], abs=1.0), place


def test_painted_sac_has_the_true_diameter(painted: tuple[Subject, LabelVolume]) -> None:
    subject, volume = painted
    x, z, a = volume.axes
    classes = class_of_tissue()[volume.tissue]
    true = truth.sac_diameters(subject, volume.curve)
    for index in range(sizes.L1, sizes.L5):
        s = 0.5 * (volume.curve.bottom[index] + volume.curve.top[index + 1])
        n = int(np.argmin(np.abs(volume.curve.s - s)))
        wall, angle = volume.curve.points[n], volume.curve.angle[n]
        back = wall - np.arange(-5, 30, 0.1)[:, None] * np.array([np.cos(angle), np.sin(angle)])
        k = int(np.argmin(np.abs(x - np.interp(s, volume.curve.middle, subject.midline))))
        row = np.rint((back[:, 1] - z[0]) / PIXEL).astype(int)
        column = np.rint((back[:, 0] - a[0]) / PIXEL).astype(int)
        mm = 0.1 * np.isin(classes[k, row, column], (SAC, CORD)).sum()
        assert mm == pytest.approx(true[f"{sizes.NAMES[index]}-{sizes.NAMES[index + 1]}"], abs=1.0)


def test_every_part_is_there_and_in_its_place(painted: tuple[Subject, LabelVolume]) -> None:
    subject, volume = painted
    classes = class_of_tissue()[volume.tissue]
    assert set(np.unique(classes)) == set(range(7))
    assert not np.any((classes == SACRUM) & (volume.level == sizes.S1 + 1)), "the body of S1 is a vertebral body"
    lesion = volume.tissue == int(Tissue.LESION)
    assert set(np.unique(volume.level[lesion])) == {sizes.L5}  # 1 + index of L4
    ball = 4 / 3 * np.pi * 7.0**3
    assert lesion.sum() * PIXEL**2 * LAYER == pytest.approx(ball, rel=0.25)
    left = np.argwhere(lesion)[:, 0].mean() * LAYER + volume.axes[0][0]
    assert left - subject.midline[sizes.L5 - 1] == pytest.approx(6.0, abs=1.5)
    assert np.all(classes[(volume.level == sizes.L5) & lesion] == BODY)


def test_the_same_state_paints_the_same_voxels() -> None:
    axes = (np.arange(-4.0, 5.0, 4.0), np.arange(0.0, 60.0, 2.0), np.arange(-40.0, 20.0, 2.0))
    volumes = []
    for _ in range(2):
        rng = np.random.default_rng(3)
        subject = sample_subject(rng)
        moved = (
            axes[0],
            axes[1] + float(subject.centre[sizes.L5, 1]) - 30,
            axes[2] + float(subject.centre[sizes.L5, 0]),
        )
        volumes.append(paint(subject, moved, rng, roughness_mm=0.5))
    assert np.array_equal(volumes[0].tissue, volumes[1].tissue)
    assert len(np.unique(volumes[0].tissue)) > 5
