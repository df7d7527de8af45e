"""MR signal of each tissue: spin-echo and inversion-recovery equations, water and fat added as two pools.

Spin echo: S = PD (1 - exp(-TR/T1)) exp(-TE/T2). Inversion recovery, magnitude: S = PD |1 - 2 exp(-TI/T1) +
exp(-TR/T1)| exp(-TE/T2). TSE makes fat bright on T2 (effective T2 of fat 110 ms, see ``tissue.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinemri.series import Contrast
from spinemri.synthesis import tissue as tissues
from spinemri.synthesis.tissue import FAT, ORGANS, RELAXATION, Relaxation, Tissue


@dataclass(frozen=True)
class Protocol:
    """Timing of one pulse sequence in ms; ``inversion_time`` None means no inversion pulse."""

    contrast: Contrast
    repetition_time: float
    echo_time: float
    inversion_time: float | None = None
    fat_left: float = 1.0
    """Share of the fat signal that fat suppression leaves."""
    agent: float = 0.0
    """Concentration of contrast agent in vein, mM (0 = none)."""


PROTOCOLS: dict[Contrast, Protocol] = {
    Contrast.T1W: Protocol(Contrast.T1W, 560, 10),
    Contrast.T2W: Protocol(Contrast.T2W, 3600, 105),
    Contrast.STIR: Protocol(Contrast.STIR, 4200, 58, 160),
    Contrast.T2W_FS: Protocol(Contrast.T2W_FS, 3600, 80, fat_left=0.08),
    Contrast.PDW: Protocol(Contrast.PDW, 2800, 25),
    Contrast.T1W_POST: Protocol(Contrast.T1W_POST, 560, 10, fat_left=0.12, agent=0.5),
}

_UPTAKE = {  # share of the venous concentration, for contrast agent
    Tissue.BASIVERTEBRAL_VEIN: 1.0,
    Tissue.AORTA: 0.9,
    Tissue.VENA_CAVA: 0.9,
    Tissue.LESION: 0.6,
    Tissue.GANGLION: 0.4,
    Tissue.FACET: 0.2,
    Tissue.MARROW: 0.08,
    Tissue.MUSCLE: 0.1,
    Tissue.EPIDURAL_FAT: 0.3,
}
_R1, _R2 = 4.8e-3, 5.5e-3  # per ms per mM, gadobutrol


def pool_signal(relaxation: Relaxation, protocol: Protocol, concentration: float = 0.0) -> float:
    """Signal of one pool with unit proton density times its density, arbitrary units."""
    t1 = 1 / (1 / relaxation.t1 + _R1 * concentration)
    t2 = 1 / (1 / relaxation.t2 + _R2 * concentration)
    longitudinal = 1 - np.exp(-protocol.repetition_time / t1)
    if protocol.inversion_time is not None:
        longitudinal = abs(
            longitudinal + 2 * np.exp(-protocol.repetition_time / t1) - 2 * np.exp(-protocol.inversion_time / t1)
        )
    return float(relaxation.density * longitudinal * np.exp(-protocol.echo_time / t2))


def signal_table(protocol: Protocol, rng: np.random.Generator, jitter: float = 1.0) -> np.ndarray:
    """Signal of every tissue, float32 of length ``tissue.COUNT``.

    Parameters
    ----------
    protocol : the pulse sequence
    rng : draws the person's relaxation times, organs and flow
    jitter : factor on the spread of relaxation times (1 = T1 x 0.8-1.25, T2 x 0.75-1.3, PD x 0.9-1.1)
    """
    table = np.zeros(tissues.COUNT, dtype=np.float32)
    fat = pool_signal(FAT, protocol) * protocol.fat_left
    for kind, water in RELAXATION.items():
        spread = np.exp(rng.uniform(-1, 1, 3) * np.array([0.22, 0.27, 0.1]) * jitter)
        varied = Relaxation(water.t1 * spread[0], water.t2 * spread[1], water.density * spread[2])
        share = float(np.clip(water.fat + rng.normal(0, 0.12 * jitter) * (0.05 < water.fat < 0.85), 0, 1))
        wet = 0.0 if water is FAT else pool_signal(varied, protocol, protocol.agent * _UPTAKE.get(kind, 0.0))
        table[kind] = (1 - share) * wet + share * fat
    _couple(table, rng, jitter)
    organ = np.array(
        [RELAXATION[Tissue.MUSCLE], RELAXATION[Tissue.SOFT], Relaxation(850, 75, 0.85), Relaxation(650, 45, 0.8)]
    )
    for value in range(ORGANS.start, ORGANS.stop):
        t1, t2, density, share = organ[int(rng.integers(len(organ)))]
        wet = pool_signal(Relaxation(t1, t2, density), protocol) * rng.uniform(0.5, 1.4)
        table[value] = wet if rng.random() < 0.65 else rng.uniform(0.3, 1) * fat + 0.2 * wet
    return table


def _couple(table: np.ndarray, rng: np.random.Generator, jitter: float) -> None:
    """Marrow of arches, sacrum and ribs is like that of the bodies; cisterns are like the sac."""
    for kind in (Tissue.POSTERIOR_MARROW, Tissue.SACRAL_MARROW, Tissue.RIB):
        table[kind] = table[Tissue.MARROW] * (1 + rng.uniform(-0.15, 0.15) * jitter)
    table[Tissue.CISTERN] = table[Tissue.CSF]
    if rng.random() < 0.6 * jitter:  # degenerate discs are dark throughout
        dark = rng.uniform(0, 0.8)
        table[Tissue.NUCLEUS] += (table[Tissue.ANNULUS] - table[Tissue.NUCLEUS]) * dark
