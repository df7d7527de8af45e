"""One synthetic person's spine as numbers: rigid vertebrae stacked along a posture, canal contents, pathology.

Plane coordinates: ``a`` to anterior and ``z`` to superior, mm; ``x`` to the patient's left. A vertebra has its own
frame: ``v`` from the posterior wall to anterior, ``u`` along its long axis from the body's centre to superior.
Everything that can be measured later is known here by construction (``truth.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.numbering import USUAL, Chain
from spinemri.synthesis.posture import Posture, tilts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating]

_THINNEST = 1.2  # mm, least height of a disc at either rim


@dataclass(frozen=True)
class Fragment:
    """Bone pushed ``millimetres`` behind a posterior wall between two shares of its height, 0 at its lower end."""

    millimetres: float
    low: float
    high: float


@dataclass(frozen=True)
class Fracture:
    """Loss of height of one body, as fractions of its intact anterior, middle and posterior height."""

    index: int
    anterior: float
    middle: float
    posterior: float
    fragment: Fragment | None = None


@dataclass(frozen=True)
class SacNarrowing:
    """Narrowing of the thecal sac at the disc below vertebra ``index``; ``fraction`` of the AP diameter is lost."""

    index: int
    fraction: float
    length_mm: float


@dataclass(frozen=True)
class MarrowLesion:
    """A focal replacement of marrow: centre in the vertebra's frame as (u, v, x) mm from its centre, radius mm."""

    index: int
    centre: tuple[float, float, float]
    radius: float


@dataclass(frozen=True)
class Pathology:
    """What is wrong with this spine."""

    fractures: tuple[Fracture, ...] = ()
    narrowings: tuple[SacNarrowing, ...] = ()
    lesions: tuple[MarrowLesion, ...] = ()


@dataclass(frozen=True, eq=False)
class Subject:
    """Sizes and places of every vertebra from C2 to the sacrum's end; arrays are indexed like ``chain.names``.

    ``centre`` (n, 2) holds (a, z) of each body's centre, ``tilt`` its forward tilt in radians, ``midline`` its x,
    ``slip`` how far it has slid forward on the one below, mm.
    """

    scale: float
    anterior: Array
    posterior: Array
    concavity_superior: Array
    concavity_inferior: Array
    depth: Array
    width: Array
    waist: Array
    disc: Array
    bulge: Array
    canal_depth: Array
    canal_width: Array
    sac_depth: Array
    sac_width_fraction: float
    cord_depth: Array
    cord_width: Array
    spinous_length: Array
    spinous_height: Array
    spinous_slope: Array
    tilt: Array
    centre: Array
    midline: Array
    conus_index: float
    sac_end_index: float
    pathology: Pathology = field(default_factory=Pathology)
    slip: Array = field(default_factory=lambda: np.zeros(sizes.COUNT))
    chain: Chain = USUAL

    def loss(self, index: int) -> Fracture:
        """The fracture of a vertebra (zero loss when it has none)."""
        found = (f for f in self.pathology.fractures if f.index == index)
        return next(found, Fracture(index, 0.0, 0.0, 0.0))

    def axes(self, index: int) -> tuple[Array, Array]:
        """Unit vectors (a, z) of the vertebra's u (superior) and v (anterior) axes."""
        t = self.tilt[index]
        return np.array([np.sin(t), np.cos(t)]), np.array([np.cos(t), -np.sin(t)])

    def endplate(self, index: int, t: Array | float, rho2: Array | float, *, superior: bool) -> Array:
        """Height u (mm from the body's centre) of an endplate.

        Parameters
        ----------
        t : position along the depth, 0 posterior wall to 1 anterior wall
        rho2 : squared normalised distance from the endplate's middle (1 at its rim)
        superior : which of the two endplates
        """
        half = 0.5 * (self.posterior[index] + (self.anterior[index] - self.posterior[index]) * np.asarray(t))
        dish = 1.0 - np.clip(rho2, 0.0, 1.0)
        if not superior:
            return np.asarray(-half + self.concavity_inferior[index] * dish)
        return np.asarray(half - self.concavity_superior[index] * dish - self.height_lost(index, t, rho2))

    def height_lost(self, index: int, t: Array | float, rho2: Array | float) -> Array:
        """How far (mm) a fracture lowered the superior endplate at a place; arguments as for ``endplate``."""
        loss = self.loss(index)
        front, back = loss.anterior * self.anterior[index], loss.posterior * self.posterior[index]
        dent = loss.middle * self.posterior[index] - 0.5 * (front + back)
        return np.asarray(front * t + back * (1 - np.asarray(t)) + dent * (1.0 - np.clip(rho2, 0.0, 1.0)))

    def wall_point(self, index: int, u: float) -> Array:
        """Point (a, z) on the posterior wall at height ``u``."""
        up, front = self.axes(index)
        return np.asarray(self.centre[index] + up * u - front * (self.depth[index] / 2))


def sample_subject(
    rng: np.random.Generator, pathology: Pathology | None = None, *, variation: float = 1.0, chain: Chain = USUAL
) -> Subject:
    """A person drawn from published morphometry.

    Parameters
    ----------
    rng : source of all randomness; the same state gives the same person
    pathology : what is wrong; default nothing
    variation : factor on the spread between neighbouring levels (1 = as in people)
    chain : the person's vertebrae; ``pathology`` counts them as this does
    """
    n, rows = sizes.COUNT, [*chain.rows]
    scale = float(np.clip(rng.normal(1, 0.085), 0.8, 1.2))

    def per_level(spread: float) -> Array:
        return np.asarray(1 + rng.normal(0, spread * variation, n))

    height = scale * rng.uniform(0.93, 1.07)
    across = scale * rng.uniform(0.92, 1.1)
    posterior = sizes.POSTERIOR_HEIGHT[rows] * height * per_level(0.02)
    anterior = posterior * sizes.ANTERIOR_RATIO[rows] * per_level(0.02)
    depth = sizes.DEPTH[rows] * across * per_level(0.02)
    disc = sizes.DISC_HEIGHT[rows] * scale * rng.uniform(0.8, 1.2) * per_level(0.08)
    degenerate = rng.random(n) < rng.uniform(0, 0.5)
    disc = np.maximum(np.where(degenerate, disc * rng.uniform(0.45, 1, n), disc), 1.2)
    canal_depth = sizes.CANAL_DEPTH[rows] * scale * rng.uniform(0.93, 1.12) * per_level(0.02)
    sac_depth = np.minimum(sizes.SAC_DEPTH[rows] * scale * rng.uniform(0.88, 1.12) * per_level(0.02), canal_depth - 1.6)
    concavity = posterior * sizes.ENDPLATE_CONCAVITY
    subject = Subject(
        scale=scale,
        anterior=anterior,
        posterior=posterior,
        concavity_superior=concavity * rng.uniform(0.4, 1.4, n),
        concavity_inferior=concavity * rng.uniform(0.4, 1.7, n),
        depth=depth,
        width=sizes.WIDTH[rows] * across * per_level(0.02),
        waist=rng.uniform(0.03, 0.12, n),
        disc=disc,
        bulge=rng.uniform(-0.01, 0.03, n) + 0.05 * degenerate * rng.random(n),
        canal_depth=canal_depth,
        canal_width=sizes.CANAL_WIDTH[rows] * scale * rng.uniform(0.92, 1.1) * per_level(0.02),
        sac_depth=np.maximum(sac_depth, 0.5),
        sac_width_fraction=float(rng.uniform(0.8, 0.95)),
        cord_depth=sizes.CORD_DEPTH[rows] * scale * rng.uniform(0.92, 1.1),
        cord_width=sizes.CORD_WIDTH[rows] * scale * rng.uniform(0.92, 1.1),
        spinous_length=sizes.SPINOUS_LENGTH[rows] * scale * rng.uniform(0.85, 1.15) * per_level(0.08),
        spinous_height=sizes.SPINOUS_HEIGHT[rows] * scale * rng.uniform(0.85, 1.15) * per_level(0.08),
        spinous_slope=sizes.SPINOUS_SLOPE[rows] * rng.uniform(0.85, 1.15) + rng.normal(0, 0.05, n),
        tilt=np.zeros(n),
        centre=np.zeros((n, 2)),
        midline=np.zeros(n),
        conus_index=float(np.clip(rng.normal(sizes.L1 + 0.2, 0.7), sizes.T12 - 0.5, sizes.L1 + 2)),
        sac_end_index=float(rng.uniform(chain.sacral + 0.8, chain.sacral + 2.6)),
        pathology=pathology or Pathology(),
        chain=chain,
    )
    return stack(_posture(subject, rng))


def _posture(subject: Subject, rng: np.random.Generator) -> Subject:
    """Choose how the person lies: sagittal tilts, and a slight curve in the coronal plane."""
    sacral_slope = float(np.clip(rng.normal(37, 7), 20, 55))
    posture = Posture(
        sacral_slope=sacral_slope,
        lordosis=float(np.clip(sacral_slope + rng.normal(8, 5), 15, 70)),
        kyphosis=float(np.clip(rng.normal(33, 9), 12, 60)),
        cervical=float(np.clip(rng.normal(12, 9), -10, 35)),
    )
    tilt = tilts(posture, subject.chain) + rng.normal(0, 1.2, sizes.COUNT)
    for fracture in subject.pathology.fractures:
        drop = (
            fracture.anterior * subject.anterior[fracture.index]
            - fracture.posterior * subject.posterior[fracture.index]
        )
        tilt[: fracture.index] += 0.5 * np.degrees(np.arctan2(drop, subject.depth[fracture.index]))
    amplitude = rng.uniform(0, 2) + rng.uniform(0, 7) * (rng.random() < 0.35)
    phase, waves = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 1.8)
    midline = amplitude * np.sin(phase + 2 * np.pi * waves * np.linspace(0, 1, sizes.COUNT))
    return replace(subject, tilt=np.radians(tilt), midline=midline)


def stack(subject: Subject) -> Subject:
    """Put the vertebrae on top of each other from the sacrum up, discs between them, posterior walls in line."""
    centre = np.zeros((sizes.COUNT, 2))
    placed = replace(subject, centre=centre)
    for upper in range(sizes.COUNT - 2, -1, -1):
        lower = upper + 1
        between = 0.5 * (subject.tilt[upper] + subject.tilt[lower])
        wall_low, slope_low = _endplate_line(subject, lower, superior=True)
        wall_up, slope_up = _endplate_line(subject, upper, superior=False)
        depth = 0.5 * (subject.depth[upper] + subject.depth[lower])
        opening = (slope_up - np.tan(subject.tilt[upper] - between)) - (
            slope_low - np.tan(subject.tilt[lower] - between)
        )
        at_wall = max(subject.disc[upper] - 0.5 * depth * opening, _THINNEST, _THINNEST - depth * opening)
        base = placed.wall_point(lower, wall_low) + at_wall * np.array([np.sin(between), np.cos(between)])
        centre[upper] += base - placed.wall_point(upper, wall_up)
        if subject.slip[upper]:
            centre[upper] += subject.slip[upper] * np.array([np.cos(between), -np.sin(between)])
    return _single_precision(placed)


def _single_precision(subject: Subject) -> Subject:
    """Single precision throughout, so that painting a volume does not silently go to double."""
    arrays: dict[str, Any] = {k: v.astype(np.float32) for k, v in vars(subject).items() if isinstance(v, np.ndarray)}
    return replace(subject, **arrays)


def _endplate_line(subject: Subject, index: int, *, superior: bool) -> tuple[float, float]:
    """Height u of an endplate's rim at the posterior wall, and its slope du/dv towards anterior."""
    posterior, anterior = (float(subject.endplate(index, t, 1.0, superior=superior)) for t in (0.0, 1.0))
    return posterior, (anterior - posterior) / float(subject.depth[index])
