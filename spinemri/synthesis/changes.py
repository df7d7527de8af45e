"""Relaxation, fat, uptake and diffusion of every kind of marrow change, as ranges from which a person's are drawn.

Values at 1.5 T follow the tissue table of the synthesis notes: metastases and oedema from MR fingerprinting and
quantitative series, haemangioma and Modic changes from memory of the literature; all are ranges, not norms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.lesion import MarrowChange as Kind
from spinemri.synthesis.signal import mixed_signal
from spinemri.synthesis.tissue import Relaxation

if TYPE_CHECKING:
    from spinemri.synthesis.signal import Protocol

Range = tuple[float, float]


class Ranges(NamedTuple):
    """Least and most of T1 and T2 (ms) of the water, proton density, fat fraction, uptake and ADC (um2/ms)."""

    t1: Range
    t2: Range
    density: Range
    fat: Range
    uptake: Range
    diffusion: Range


class Substance(NamedTuple):
    """What one change is made of: two-pool relaxation, share of the venous contrast agent, ADC in um2/ms."""

    relaxation: Relaxation
    uptake: float
    diffusion: float


_OEDEMA = Ranges((1000, 1400), (80, 130), (0.85, 0.95), (0.08, 0.3), (0.15, 0.4), (1.3, 2.0))
_LEAST = 1e-3
_FATTY = Ranges((700, 950), (45, 90), (0.92, 1.0), (0.8, 0.97), (0.0, 0.08), (0.1, 0.4))

_DENSEST = 0.6
"""Share of the way to a sclerotic change up to which a mixed one is still called tumour."""

RANGES: dict[Kind, Ranges] = {
    Kind.TUMOUR: Ranges((950, 1400), (60, 115), (0.78, 0.95), (0.0, 0.08), (0.3, 0.9), (0.7, 1.3)),
    Kind.SCLEROTIC: Ranges((900, 1500), (15, 40), (0.1, 0.45), (0.0, 0.12), (0.0, 0.3), (0.3, 0.8)),
    Kind.HAEMANGIOMA: Ranges((700, 1000), (100, 170), (0.95, 1.05), (0.5, 0.8), (0.4, 0.8), (1.2, 2.0)),
    Kind.ATYPICAL_HAEMANGIOMA: Ranges((900, 1300), (115, 190), (0.95, 1.05), (0.04, 0.22), (0.4, 0.9), (1.4, 2.2)),
    Kind.FAT: _FATTY,
    Kind.RED_MARROW: Ranges((700, 900), (45, 60), (0.78, 0.85), (0.12, 0.28), (0.08, 0.15), (0.4, 0.8)),
    Kind.FRACTURE_OEDEMA: _OEDEMA,
    Kind.MODIC_1: _OEDEMA,
    Kind.MODIC_2: _FATTY,
    Kind.MODIC_3: Ranges((700, 900), (15, 28), (0.2, 0.4), (0.03, 0.15), (0.0, 0.1), (0.3, 0.7)),
    Kind.CORNER: _OEDEMA,
    Kind.SCHMORL: Ranges((900, 1200), (55, 130), (0.6, 0.85), (0.0, 0.03), (0.0, 0.2), (1.0, 1.8)),
    Kind.DISCITIS: Ranges((1050, 1500), (90, 150), (0.9, 1.0), (0.0, 0.08), (0.25, 0.5), (1.1, 1.9)),
    Kind.RADIATION: _FATTY,
    Kind.INFARCT: Ranges((900, 1300), (25, 100), (0.35, 0.8), (0.0, 0.1), (0.0, 0.2), (0.5, 1.5)),
    Kind.PAGET: Ranges((800, 1100), (45, 90), (0.6, 0.9), (0.3, 0.7), (0.1, 0.4), (0.5, 1.2)),
    Kind.HARDWARE: Ranges((1000, 1000), (5, 10), (0.0, 0.04), (0.0, 0.0), (0.0, 0.0), (0.0, 0.1)),
}
"""Kind -> ranges."""


def draw_substance(kind: Kind, rng: np.random.Generator) -> Substance:
    """What one change of a kind is made of, in one person."""
    t1, t2, density, fat, uptake, diffusion = (float(rng.uniform(*pair)) for pair in RANGES[kind])
    return Substance(Relaxation(t1, t2, density, fat), uptake, diffusion)


def draw_mixed(rng: np.random.Generator) -> Substance:
    """What a metastasis between lytic and sclerotic is made of: darker on T2w, less bright on STIR."""
    soft, dense = draw_substance(Kind.TUMOUR, rng), draw_substance(Kind.SCLEROTIC, rng)
    share = float(rng.uniform(0, _DENSEST))

    def between(one: float, other: float) -> float:
        return float(np.exp((1 - share) * np.log(max(one, _LEAST)) + share * np.log(max(other, _LEAST))))

    mixed = Relaxation(*(between(a, b) for a, b in zip(soft.relaxation, dense.relaxation, strict=True)))
    return Substance(mixed, between(soft.uptake, dense.uptake), between(soft.diffusion, dense.diffusion))


def substance_signal(substance: Substance, protocol: Protocol) -> float:
    """Signal of a change under a pulse sequence, on the scale of ``signal.signal_table``."""
    return mixed_signal(substance.relaxation, protocol, protocol.agent * substance.uptake)
