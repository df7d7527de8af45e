"""Random pathology and fields of view, for training sets and test sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.labels import LabelVolume, paint
from spinemri.synthesis.subject import Fracture, MarrowLesion, Pathology, SacNarrowing, Subject, sample_subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CENTRES = {2: 0.08, 9: 0.08, 13: 0.1, 19: 0.2, 21: 0.22, 23: 0.32}  # level in the middle of the field: probability


def random_pathology(rng: np.random.Generator) -> Pathology:
    """Fractures (wedge, biconcave, crush), sac narrowings and marrow lesions as they come."""
    fractures: list[Fracture] = []
    if rng.random() < 0.4:
        chosen = rng.choice(np.arange(sizes.T1 + 3, sizes.S1), rng.integers(1, 4), replace=False)
        fractures = [_random_fracture(rng, int(index)) for index in chosen]
    narrowed = rng.choice(np.arange(1, sizes.S1), rng.integers(0, 7), replace=False)
    narrowings = [SacNarrowing(int(i), float(rng.uniform(0.05, 0.65)), float(rng.uniform(3, 7))) for i in narrowed]
    lesions = []
    for _ in range(int(rng.poisson(1.0))):
        index = int(rng.integers(sizes.C3, sizes.S1 + 1))
        centre = (float(rng.uniform(-8, 8)), float(rng.uniform(-10, 10)), float(rng.uniform(-14, 14)))
        lesions.append(MarrowLesion(index, centre, float(rng.uniform(2, 14))))
    return Pathology(tuple(fractures), tuple(narrowings), tuple(lesions))


def _random_fracture(rng: np.random.Generator, index: int) -> Fracture:
    loss = float(rng.uniform(0.15, 0.6))
    shapes = {
        "wedge": (loss, 0.5 * loss, float(rng.uniform(0, 0.06))),
        "biconcave": (float(rng.uniform(0, 0.3)) * loss, loss, 0.0),
        "crush": (loss, loss, loss * float(rng.uniform(0.6, 1))),
    }
    return Fracture(index, *shapes[str(rng.choice(list(shapes), p=[0.55, 0.25, 0.2]))])


def random_volume(seed: int, spacing: tuple[float, float, float] = (2.5, 1.0, 1.0)) -> tuple[Subject, LabelVolume]:
    """A random person seen through a random sagittal field of view.

    Parameters
    ----------
    seed : the same seed gives the same volume
    spacing : (left-right, superior, anterior) mm
    """
    rng = np.random.default_rng(seed)
    subject = sample_subject(rng, random_pathology(rng), variation=float(rng.uniform(0.5, 2)))
    middle = int(rng.choice(list(_CENTRES), p=list(_CENTRES.values())))
    axes = field_axes(rng, subject, middle, spacing)
    return subject, paint(subject, axes, rng, roughness_mm=float(rng.uniform(0.2, 0.9)))


def field_axes(
    rng: np.random.Generator, subject: Subject, middle: int, spacing: tuple[float, float, float]
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """Axes (x, z, a) of a field 330 to 430 mm long around one vertebra."""
    length = rng.uniform(330, 430)
    centre_z = float(subject.centre[middle, 1]) + rng.uniform(-60, 50)
    low = max(centre_z - length / 2, float(subject.centre[-1, 1]) - 45)
    high = min(centre_z + length / 2, float(subject.centre[0, 1]) + 85)
    seen = (subject.centre[:, 1] > low - 30) & (subject.centre[:, 1] < high + 30)
    front = float(subject.centre[seen, 0].max()) + rng.uniform(80, 100)
    back = float(subject.centre[seen, 0].min()) - rng.uniform(90, 120)
    half = 44.0
    return (
        np.arange(-half, half, spacing[0]) + rng.uniform(-3, 3),
        np.arange(low, high, spacing[1]),
        np.arange(back, front, spacing[2]),
    )
