"""Random people of the package's own phantom, painted without a network: masks, spine and truth of a stretch of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from spinemri.evaluate.truth import true_segmentation
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.series import Contrast, Series
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.labels import LabelVolume, paint
from spinemri.synthesis.signal import PROTOCOLS, signal_table
from spinemri.synthesis.subject import Fracture, Fragment, Pathology, SacNarrowing, Subject, sample_subject
from spinemri.synthesis.tissue import Tissue

LAYERS = 1
SPACING = (3.6, 0.9, 0.9)
STRETCHES = ((sizes.L1 - 4, sizes.S1), (sizes.T1 + 3, sizes.L1), (sizes.C3, sizes.T1 + 3))  # lumbar, thoracic, neck


@dataclass(frozen=True, eq=False)
class Person:
    subject: Subject
    volume: LabelVolume
    geometry: Geometry
    shown: range

    @property
    def broken(self):
        """The only fracture."""
        return self.subject.pathology.fractures[0]

    @property
    def names(self):
        return [sizes.NAMES[i] for i in self.shown]

    def segmentation(self, uid="1.2.3"):
        return true_segmentation(self.volume, self.geometry, uid)

    def spine(self, uid="1.2.3"):
        segmentation = self.segmentation(uid)
        vertebrae = []
        for index in self.shown:
            mask = segmentation.mask(segmentation.body(sizes.LEVELS[index]))
            x, y, z = self.geometry.to_patient(np.argwhere(mask).mean(axis=0))
            assignment = LevelAssignment(level=sizes.LEVELS[index], basis=LevelBasis.FROM_SACRUM, confidence=1.0)
            vertebrae.append(Vertebra(assignment=assignment, centre=(x, y, z), series_uid=uid))
        return Spine(vertebrae=tuple(vertebrae), sac_series_uid=uid)


def person(seed, *, broken=True, stretch=None, variation=0.8):
    """A random person with, where ``broken``, one fracture, perhaps a fragment and a narrowed disc, cut to a stretch.

    ``variation`` scales how much neighbouring bodies differ in health.
    """
    rng = np.random.default_rng([seed, 77])
    first, last = STRETCHES[int(rng.choice(3, p=[0.6, 0.25, 0.15])) if stretch is None else stretch]
    bodies = range(first, last + 1)
    index = int(rng.choice(bodies[2:-2]))
    pathology = Pathology()
    if broken:
        loss = float(rng.uniform(0.2, 0.6))
        shape = [(loss, 0.5 * loss, 0.03), (0.2 * loss, loss, 0.0), (loss, loss, 0.8 * loss)][int(rng.integers(3))]
        disc = int(rng.choice([i for i in bodies[1:-1] if i not in (index - 1, index)]))
        narrowing = SacNarrowing(disc, float(rng.uniform(0.2, 0.5)), float(rng.uniform(4, 6)))
        narrowings = (narrowing,) if rng.random() < 0.7 else ()
        low, fragment = float(rng.uniform(0, 0.75)), None
        if rng.random() < 0.6:
            fragment = Fragment(float(rng.uniform(2, 5)), low, min(low + float(rng.uniform(0.15, 0.4)), 1.0))
        pathology = Pathology((Fracture(index, *shape, fragment),), narrowings)
    subject = sample_subject(rng, pathology, variation=variation)
    waist = subject.waist.mean() + variation * (subject.waist - subject.waist.mean())
    subject = replace(subject, waist=waist.astype(np.float32))
    axes = _axes(subject, bodies, rng)
    volume = paint(subject, axes, rng)
    return Person(subject, volume, _geometry(axes, rng), bodies)


def _axes(subject, bodies, rng):
    layer = SPACING[0] / LAYERS
    low, high = subject.centre[bodies[-1], 1] - 26, subject.centre[bodies[0], 1] + 26
    inner = slice(bodies[0], bodies[-1] + 1)
    back, front = subject.centre[inner, 0].min() - 48, subject.centre[inner, 0].max() + 34
    half = subject.width[inner].max() / 2 + 6 + np.ptp(subject.midline[inner]) / 2
    middle = (subject.midline[inner].max() + subject.midline[inner].min()) / 2 + rng.uniform(-2, 2)
    layers = LAYERS * int(np.ceil(2 * half / SPACING[0]))
    shift = rng.uniform(0, 1, 2)
    return (
        middle + (np.arange(layers) - (layers - 1) / 2) * layer,
        np.arange(low, high, SPACING[1]) + shift[0] * SPACING[1],
        np.arange(back, front, SPACING[2]) + shift[1] * SPACING[2],
    )


def _geometry(axes, rng):
    turn = Rotation.from_euler("xyz", rng.uniform(-6, 6, 3), degrees=True).as_matrix()
    direction = turn @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    shape = tuple(len(axis) // part for axis, part in zip(axes, (LAYERS, 1, 1), strict=True))
    return Geometry(shape, SPACING, tuple(rng.uniform(-90, 90, 3)), tuple(direction.ravel()), "1.2.9")


def t2w(who, seed=0, uid="1.2.3", contrast=Contrast.T2W):
    """An image of a person on the grid of its masks, and the true signal of the nucleus against CSF.

    A coil at the back loses up to 15 % of its sensitivity from the sac to the middle of a disc.
    """
    rng = np.random.default_rng([seed, 5])
    table = signal_table(PROTOCOLS[contrast], rng, jitter=0.5)
    fall = rng.uniform(0, 0.006)  # per mm
    clean = table[who.volume.tissue] * np.exp(-fall * np.arange(who.volume.tissue.shape[2]) * SPACING[2])
    noise = rng.normal(0, float(np.percentile(clean, 95)) / 28, (2, *clean.shape))
    voxels = np.hypot(clean + noise[0], noise[1])[:, ::-1, ::-1].astype(np.float32)
    image = Image(voxels, who.geometry, Series(series_uid=uid, contrast=contrast))
    return image, float(table[Tissue.NUCLEUS] / table[Tissue.CSF])
