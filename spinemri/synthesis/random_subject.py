"""Random pathology and fields of view, for training sets and test sets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.appearance import sample_appearance
from spinemri.synthesis.arches import sample_tall
from spinemri.synthesis.labels import LabelVolume, paint
from spinemri.synthesis.midline import sample_midline
from spinemri.synthesis.subject import (
    Fracture,
    Fragment,
    MarrowLesion,
    Pathology,
    SacNarrowing,
    Subject,
    sample_subject,
    stack,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.synthesis.numbering import Chain
    from spinemri.synthesis.shapes import Template

_BURST_FROM, _PUSHED = 0.1, 0.5  # posterior loss from which a fragment is pushed back, and the share of such
_BEHIND = 11  # keeps what lies behind the cord apart from the rest of a person
_CENTRES = {2: 0.2, 9: 0.08, 13: 0.08, 19: 0.14, 21: 0.18, 23: 0.32}  # level in the middle of the field: probability


def random_pathology(rng: np.random.Generator) -> Pathology:
    """Fractures (wedge, biconcave, crush), sac narrowings and marrow lesions as they come in the usual vertebrae."""
    fractures: list[Fracture] = []
    if rng.random() < 0.6:
        chosen = rng.choice(np.arange(sizes.T1 + 3, sizes.S1), rng.integers(1, 4), replace=False)
        fractures = [_random_fracture(rng, int(index)) for index in chosen]
    narrowed = rng.choice(np.arange(1, sizes.S1), rng.integers(0, 7), replace=False)
    narrowings = [SacNarrowing(int(i), float(rng.uniform(0.05, 0.65)), float(rng.uniform(2.5, 7))) for i in narrowed]
    lesions = []
    for _ in range(int(rng.poisson(1.0))):
        index = int(rng.integers(sizes.C3, sizes.S1 + 1))
        centre = (float(rng.uniform(-8, 8)), float(rng.uniform(-10, 10)), float(rng.uniform(-14, 14)))
        lesions.append(MarrowLesion(index, centre, float(rng.uniform(2, 14))))
    return Pathology(tuple(fractures), tuple(narrowings), tuple(lesions))


def _random_fracture(rng: np.random.Generator, index: int) -> Fracture:
    loss = float(rng.uniform(0.15, 0.75))
    shapes = {
        "wedge": (loss, 0.5 * loss, float(rng.uniform(0, 0.06))),
        "biconcave": (float(rng.uniform(0, 0.3)) * loss, loss, 0.0),
        "crush": (loss, loss, loss * float(rng.uniform(0.6, 1))),
    }
    return Fracture(index, *shapes[str(rng.choice(list(shapes), p=[0.55, 0.25, 0.2]))])


def with_fragments(pathology: Pathology, rng: np.random.Generator) -> Pathology:
    """The pathology with a fragment pushed back by half of the fractures that lowered the posterior wall too."""
    return replace(pathology, fractures=tuple(_with_fragment(fracture, rng) for fracture in pathology.fractures))


def _with_fragment(fracture: Fracture, rng: np.random.Generator) -> Fracture:
    chance, low, tall, back = rng.uniform((0, 0, 0.25, 2), (1, 0.6, 0.4, 6))
    if fracture.posterior < _BURST_FROM or chance > _PUSHED:
        return fracture
    return replace(fracture, fragment=Fragment(float(back), float(low), float(low + tall)))


def random_volume(
    seed: int,
    spacing: tuple[float, float, float] = (2.5, 1.0, 1.0),
    shapes: Mapping[int, tuple[Template, ...]] | None = None,
    *,
    plain: bool = False,
) -> tuple[Subject, LabelVolume]:
    """A random person seen through a random sagittal field of view.

    Parameters
    ----------
    seed : the same seed gives the same volume
    spacing : (left-right, superior, anterior) mm
    shapes : templates from ``meshes.load_shapes``; None draws all posterior elements as solids
    plain : paint no marrow lesion and no endplate node (fractures and narrowings stay)
    """
    rng = np.random.default_rng(seed)
    pathology = random_pathology(rng)
    pathology = replace(pathology, lesions=()) if plain else pathology
    subject = sample_subject(rng, pathology, variation=float(rng.uniform(0.5, 2)))
    subject = varied(subject, rng)
    look = sample_appearance(rng, shapes, subject)
    look = replace(look, nodes=()) if plain else look
    behind = np.random.default_rng([seed, _BEHIND])
    look = replace(look, midline=sample_midline(behind), arches=replace(look.arches, tall=sample_tall(behind)))
    middle = int(rng.choice(list(_CENTRES), p=list(_CENTRES.values())))
    axes = field_axes(rng, subject, middle, spacing)
    roughness = float(rng.uniform(0.2, 0.9))
    return subject, paint(subject, axes, rng, roughness_mm=roughness, look=look)


def varied(subject: Subject, rng: np.random.Generator) -> Subject:
    """The subject with what only training needs: wider postures, scoliosis, slips, transitional discs."""
    n, chain = sizes.COUNT, subject.chain
    tilt = np.radians(_lying(np.degrees(subject.tilt) + _posture_change(rng, chain), chain))
    midline = subject.midline
    if rng.random() < 0.25:
        centre, half = rng.uniform(sizes.T1 + 4, chain.last_lumbar), rng.uniform(3, 8)
        place = (np.arange(n) - centre) / half
        midline = midline + rng.uniform(-26, 26) * np.exp(-0.5 * place**2)
    slip = np.zeros(n)
    if rng.random() < 0.2:
        slip[rng.integers(chain.first_lumbar + 1, chain.sacral)] = rng.uniform(-5, 10)
    if rng.random() < 0.1:
        slip[rng.integers(sizes.C3, sizes.T1)] = rng.uniform(-2.5, 3.5)
    disc = subject.disc.copy()
    if rng.random() < 0.08:  # sacralised L5, lumbarised S1
        disc[chain.last_lumbar] = rng.uniform(1.5, 5)
    if rng.random() < 0.12:
        disc[chain.sacral] = rng.uniform(3.5, 7)
    slim = np.interp(np.arange(n), [chain.first_lumbar, chain.last_lumbar], [1.02, 0.97]) * rng.uniform(0.94, 1.04)
    sac = subject.sac_depth * rng.uniform(0.93, 1.12)
    changed = replace(
        subject,
        tilt=tilt,
        midline=midline,
        slip=slip,
        disc=disc,
        width=subject.width * np.where(np.arange(n) >= chain.first_lumbar, slim, 1),
        waist=np.clip(subject.waist * rng.uniform(0.8, 1.6) + 0.02, 0.03, 0.2),
        sac_depth=np.maximum(np.minimum(sac, subject.canal_depth - 0.8), 0.5),
        sac_width_fraction=float(rng.uniform(0.76, 0.93)),
        cord_depth=subject.cord_depth * rng.uniform(0.92, 1.08),
        cord_width=subject.cord_width * rng.uniform(0.92, 1.08),
    )
    return stack(changed)


def _posture_change(rng: np.random.Generator, chain: Chain) -> NDArray[np.floating]:
    """Degrees added to the tilt of every vertebra: a bent neck, a rounded back, more or less lordosis."""
    steps = np.zeros(sizes.COUNT)  # bend between each vertebra and the one below
    if rng.random() < 0.5:
        steps[: sizes.T1] += rng.uniform(-45, 40) / sizes.T1
    if rng.random() < 0.3:
        steps[sizes.T1 : chain.first_lumbar] += rng.uniform(-12, 30) / (chain.first_lumbar - sizes.T1)
    if rng.random() < 0.3:
        steps[chain.first_lumbar : chain.sacral] += rng.uniform(-22, 22) / (chain.sacral - chain.first_lumbar)
    return np.cumsum(steps[::-1])[::-1]


def _lying(tilt: NDArray[np.floating], chain: Chain) -> NDArray[np.floating]:
    """Tilts in degrees of someone who lies on a table: T1 and C2 stay within what a head coil allows."""
    levels = np.arange(sizes.COUNT)
    for index, anchor, (low, high) in ((sizes.T1, chain.first_lumbar, (-5, 45)), (0, sizes.T1, (-25, 32))):
        excess = tilt[index] - np.clip(tilt[index], low, high)
        tilt = tilt - excess * np.clip((anchor - levels) / (anchor - index), 0, 1)
    return tilt


def _middle_of(values: NDArray[np.floating]) -> float:
    return float(0.5 * (values.min() + values.max()))


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
    half = 44.0 + 0.5 * float(np.ptp(subject.midline[seen]))
    return (
        np.arange(-half, half, spacing[0]) + rng.uniform(-3, 3) + _middle_of(subject.midline[seen]),
        np.arange(low, high, spacing[1]),
        np.arange(back, front, spacing[2]),
    )
