"""Signal tables for training: half physics with wide spread, half invented, so that no contrast is foreign later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spinemri.series import Contrast
from spinemri.synthesis import tissue as tissues
from spinemri.synthesis.signal import GRADIENT_ECHO, PROTOCOLS, Protocol, signal_table
from spinemri.synthesis.tissue import ORGANS, Tissue

_SHARES = {
    PROTOCOLS[Contrast.T2W]: 0.34,
    PROTOCOLS[Contrast.T1W]: 0.26,
    PROTOCOLS[Contrast.STIR]: 0.2,
    PROTOCOLS[Contrast.T2W_FS]: 0.05,
    PROTOCOLS[Contrast.PDW]: 0.03,
    PROTOCOLS[Contrast.T1W_POST]: 0.05,
    PROTOCOLS[Contrast.DIXON_WATER]: 0.03,
    PROTOCOLS[Contrast.DIXON_FAT]: 0.01,
    PROTOCOLS[Contrast.DIXON_IN]: 0.01,
    PROTOCOLS[Contrast.DIXON_OPPOSED]: 0.01,
    GRADIENT_ECHO: 0.01,
}
_DARK_FLUID = tuple(c for c in PROTOCOLS if c not in (Contrast.T2W, Contrast.STIR, Contrast.T2W_FS))
_INVENTED = 0.22
_GAIN_SPREAD = 0.18
_FATTY = 0.6


def random_table(rng: np.random.Generator) -> np.ndarray:
    """Signal of every tissue (float32, COUNT) for one training sample."""
    if rng.random() < _INVENTED:
        return _near_cord(_invented(rng), rng, 0.15)
    protocol = list(_SHARES)[rng.choice(len(_SHARES), p=list(_SHARES.values()))]
    table = signal_table(varied_protocol(protocol, rng), rng, jitter=1.3)
    table = table * np.exp(rng.normal(0, _GAIN_SPREAD, tissues.COUNT)).astype(np.float32)
    flow = [int(Tissue.AORTA), int(Tissue.VENA_CAVA)]
    table[flow] = table[int(Tissue.CSF)] * rng.uniform(0, 1, 2) * rng.uniform(0, 1)
    _fatten(table, rng)
    if protocol.contrast in _DARK_FLUID:
        table = _near_cord(table, rng, 0.5)
    if rng.random() < 0.12:  # sclerotic or thin rim that does not stand out
        table[Tissue.CORTEX] = table[Tissue.MARROW] * rng.uniform(0.5, 0.9)
    return table / max(float(np.percentile(table, 95)), 1e-6)


def _fatten(table: np.ndarray, rng: np.random.Generator) -> None:
    """Between spinous processes lies anything from ligament to fat, and their marrow is often the fattier one."""
    fat, marrow = table[Tissue.EPIDURAL_FAT], table[Tissue.POSTERIOR_MARROW]
    if rng.random() < _FATTY:
        table[Tissue.INTERSPINOUS] = table[Tissue.MUSCLE] + (fat - table[Tissue.MUSCLE]) * rng.uniform(0, 1)
    if rng.random() < _FATTY:
        table[Tissue.POSTERIOR_MARROW] = marrow + (fat - marrow) * rng.uniform(-0.1, 0.5)


def _near_cord(table: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """In a share of the samples CSF and the roots in it differ from the cord by little, as T1 and PD images show."""
    if rng.random() < share:
        table = table.copy()
        table[Tissue.CSF] = table[Tissue.CORD] * rng.uniform(0.45, 1.05)
        table[Tissue.CISTERN] = table[Tissue.CSF]
        table[Tissue.NERVE_ROOT] = table[Tissue.CSF] + (table[Tissue.CORD] - table[Tissue.CSF]) * rng.uniform(0, 1)
        if rng.random() < 0.5:
            table[Tissue.DURA] = table[Tissue.CSF] * rng.uniform(0.6, 1.1)
    return table


def varied_protocol(protocol: Protocol, rng: np.random.Generator) -> Protocol:
    """A pulse sequence as another scanner might play it."""
    inversion = protocol.inversion_time
    fat = protocol.fat_left * float(rng.uniform(0.5, 2.5))
    return replace(
        protocol,
        repetition_time=protocol.repetition_time * float(rng.uniform(0.75, 1.3)),
        echo_time=protocol.echo_time * float(rng.uniform(0.7, 1.3)),
        inversion_time=inversion * float(rng.uniform(0.85, 1.15)) if inversion else None,
        fat_left=float(np.clip(fat, -1, 1)),
        agent=protocol.agent * float(rng.uniform(0.4, 1.4)),
    )


def _invented(rng: np.random.Generator) -> np.ndarray:
    table = rng.uniform(0, 1, tissues.COUNT).astype(np.float32)
    table[Tissue.AIR] = rng.uniform(0, 0.1)
    if rng.random() < 0.5:
        table[Tissue.LIGAMENT] = rng.uniform(0, 0.3)
    table[Tissue.CORTEX] = rng.uniform(0, 0.3) if rng.random() < 0.6 else table[Tissue.MARROW] * rng.uniform(0.4, 1)
    table[Tissue.POSTERIOR_CORTEX] = table[Tissue.SACRAL_CORTEX] = table[Tissue.CORTEX]
    for kind in (Tissue.POSTERIOR_MARROW, Tissue.SACRAL_MARROW, Tissue.RIB):
        table[kind] = table[Tissue.MARROW] * rng.uniform(0.8, 1.2)
    if rng.random() < 0.6:
        table[Tissue.NUCLEUS] = np.clip(table[Tissue.ANNULUS] + rng.uniform(-0.2, 0.3), 0, 1)
    if rng.random() < 0.5:
        fatty = [Tissue.MUSCLE_FAT, Tissue.EPIDURAL_FAT, Tissue.FORAMINAL_FAT]
        table[[int(t) for t in fatty]] = table[Tissue.SUBCUTANEOUS_FAT]
    table[Tissue.NERVE_ROOT] = table[Tissue.CORD] * rng.uniform(0.8, 1.2) if rng.random() < 0.6 else table[Tissue.CSF]
    table[Tissue.BRAIN], table[Tissue.CISTERN] = table[Tissue.CORD] * rng.uniform(0.85, 1.2), table[Tissue.CSF]
    return table


def texture_amplitudes(rng: np.random.Generator) -> np.ndarray:
    """Relative depth of the texture within each tissue, float32 of length COUNT."""
    depth = np.full(tissues.COUNT, 0.06, dtype=np.float32)
    depth[ORGANS] = 0.3
    for kind, value in {
        Tissue.SOFT: 0.35, Tissue.PREVERTEBRAL: 0.35, Tissue.INTERSPINOUS: 0.35, Tissue.MUSCLE: 0.2,
        Tissue.MUSCLE_FAT: 0.2, Tissue.LUNG: 0.4, Tissue.AORTA: 0.4, Tissue.VENA_CAVA: 0.4, Tissue.LIGAMENT: 0.25,
        Tissue.EPIDURAL_FAT: 0.15, Tissue.MARROW: 0.1, Tissue.POSTERIOR_MARROW: 0.1, Tissue.SACRAL_MARROW: 0.1,
        Tissue.LESION: 0.2,
    }.items():  # fmt: skip
        depth[kind] = value
    return depth * np.exp(rng.uniform(-0.7, 0.7, tissues.COUNT)).astype(np.float32) * np.float32(rng.uniform(0.3, 1.6))
