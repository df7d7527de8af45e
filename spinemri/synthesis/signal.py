"""MR signal of each tissue: spin echo, inversion recovery and gradient echo; water and fat as two pools.

Spin echo: S = PD (1 - exp(-TR/T1)) exp(-TE/T2). Inversion recovery, magnitude: S = PD |1 - 2 exp(-TI/T1) +
exp(-TR/T1)| exp(-TE/T2). Spoiled gradient echo: S = PD sin a (1 - E1) / (1 - E1 cos a) exp(-TE/T2*) with E1 =
exp(-TR/T1). TSE makes fat bright on T2 (effective T2 of fat 110 ms, see ``tissue.py``). The pools add, as magnitudes
they cancel in opposed phase, and a Dixon reconstruction shows one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinemri.series import Contrast
from spinemri.synthesis import tissue as tissues
from spinemri.synthesis.tissue import FAT, ORGANS, RELAXATION, Relaxation, Tissue


@dataclass(frozen=True)
class Protocol:
    """Timing of one pulse sequence in ms; ``inversion_time`` None means no inversion pulse.

    ``flip_angle_deg`` makes it a spoiled gradient echo.
    """

    contrast: Contrast
    repetition_time: float
    echo_time: float
    inversion_time: float | None = None
    fat_left: float = 1.0
    """Share of the fat signal that is left; -1 when it is opposed to the water's."""
    water_left: float = 1.0
    """Share of the water signal that is left: 0 in a Dixon fat image."""
    flip_angle_deg: float | None = None
    agent: float = 0.0
    """Concentration of contrast agent in vein, mM (0 = none)."""


PROTOCOLS: dict[Contrast, Protocol] = {
    Contrast.T1W: Protocol(Contrast.T1W, 560, 10),
    Contrast.T2W: Protocol(Contrast.T2W, 3600, 105),
    Contrast.STIR: Protocol(Contrast.STIR, 4200, 58, 160),
    Contrast.T2W_FS: Protocol(Contrast.T2W_FS, 3600, 80, fat_left=0.08),
    Contrast.PDW: Protocol(Contrast.PDW, 2800, 25),
    Contrast.T1W_POST: Protocol(Contrast.T1W_POST, 560, 10, fat_left=0.12, agent=0.5),
    Contrast.DIXON_WATER: Protocol(Contrast.DIXON_WATER, 7.0, 2.4, fat_left=0.02, flip_angle_deg=10),
    Contrast.DIXON_FAT: Protocol(Contrast.DIXON_FAT, 7.0, 2.4, water_left=0.02, flip_angle_deg=10),
    Contrast.DIXON_IN: Protocol(Contrast.DIXON_IN, 7.0, 4.6, flip_angle_deg=10),
    Contrast.DIXON_OPPOSED: Protocol(Contrast.DIXON_OPPOSED, 7.0, 2.3, fat_left=-1.0, flip_angle_deg=10),
}

GRADIENT_ECHO = Protocol(Contrast.OTHER, 500, 14, flip_angle_deg=25)
"""T2*-weighted gradient echo."""

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
_TRABECULAR = (Tissue.MARROW, Tissue.POSTERIOR_MARROW, Tissue.SACRAL_MARROW, Tissue.RIB)
_DEPHASING, _DEPHASING_IN_BONE = 0.01, 0.06  # R2' at 1.5 T per ms; trabeculae disturb the field


def pool_signal(
    relaxation: Relaxation, protocol: Protocol, concentration: float = 0.0, dephasing: float = _DEPHASING
) -> float:
    """Signal of one pool with unit proton density times its density, arbitrary units.

    Parameters
    ----------
    relaxation, protocol : of the pool and of the sequence
    concentration : of contrast agent, mM
    dephasing : R2' in 1/ms; a spin echo refocuses it
    """
    t1 = 1 / (1 / relaxation.t1 + _R1 * concentration)
    echo = protocol.flip_angle_deg is None
    t2 = 1 / (1 / relaxation.t2 + _R2 * concentration + (0.0 if echo else dephasing))
    left = np.exp(-protocol.repetition_time / t1)
    longitudinal = 1 - left
    if protocol.flip_angle_deg is not None:
        angle = np.radians(protocol.flip_angle_deg)
        longitudinal *= np.sin(angle) / (1 - left * np.cos(angle))
    elif protocol.inversion_time is not None:
        longitudinal = abs(longitudinal + 2 * left - 2 * np.exp(-protocol.inversion_time / t1))
    return float(relaxation.density * longitudinal * np.exp(-protocol.echo_time / t2))


def mixed_signal(relaxation: Relaxation, protocol: Protocol, concentration: float = 0.0) -> float:
    """Signal of bone marrow or what replaces it: water and fat, as magnitudes, trabeculae disturbing both."""
    wet = pool_signal(relaxation, protocol, concentration, _DEPHASING_IN_BONE) * protocol.water_left
    dry = pool_signal(FAT, protocol, dephasing=_DEPHASING_IN_BONE) * protocol.fat_left
    return abs((1 - relaxation.fat) * wet + relaxation.fat * dry)


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
    fat_in_bone = pool_signal(FAT, protocol, dephasing=_DEPHASING_IN_BONE) * protocol.fat_left
    for kind, water in RELAXATION.items():
        spread = np.exp(rng.uniform(-1, 1, 3) * np.array([0.22, 0.27, 0.1]) * jitter)
        varied = Relaxation(water.t1 * spread[0], water.t2 * spread[1], water.density * spread[2])
        share = float(np.clip(water.fat + rng.normal(0, 0.12 * jitter) * (0.05 < water.fat < 0.85), 0, 1))
        agent, bone = protocol.agent * _UPTAKE.get(kind, 0.0), kind in _TRABECULAR
        wet = pool_signal(varied, protocol, agent, _DEPHASING_IN_BONE if bone else _DEPHASING) * protocol.water_left
        dry = fat_in_bone if bone else fat
        table[kind] = abs((1 - share) * (0.0 if water is FAT else wet) + share * dry)
    _couple(table, rng, jitter)
    organ = np.array(
        [RELAXATION[Tissue.MUSCLE], RELAXATION[Tissue.SOFT], Relaxation(850, 75, 0.85), Relaxation(650, 45, 0.8)]
    )
    for value in range(ORGANS.start, ORGANS.stop):
        t1, t2, density, share = organ[int(rng.integers(len(organ)))]
        wet = pool_signal(Relaxation(t1, t2, density), protocol) * protocol.water_left * rng.uniform(0.5, 1.4)
        table[value] = wet if rng.random() < 0.65 else abs(rng.uniform(0.3, 1) * fat + 0.2 * wet)
    return table


def _couple(table: np.ndarray, rng: np.random.Generator, jitter: float) -> None:
    """Marrow of arches, sacrum and ribs is like that of the bodies; cisterns are like the sac."""
    for kind in (Tissue.POSTERIOR_MARROW, Tissue.SACRAL_MARROW, Tissue.RIB):
        table[kind] = table[Tissue.MARROW] * (1 + rng.uniform(-0.15, 0.15) * jitter)
    table[Tissue.CISTERN] = table[Tissue.CSF]
    if rng.random() < 0.6 * jitter:  # degenerate discs are dark throughout
        dark = rng.uniform(0, 0.8)
        table[Tissue.NUCLEUS] += (table[Tissue.ANNULUS] - table[Tissue.NUCLEUS]) * dark
