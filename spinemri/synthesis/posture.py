"""How a person lies: the forward tilt of every vertebra, from few numbers that are measured in people."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.synthesis import morphometry as sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.synthesis.numbering import Chain

_LUMBAR_SHARE = (1.0, 0.93, 0.80, 0.60, 0.34)  # of the lordosis, gained between S1 and L1 … L5
_SACRAL_DEG = (0.0, 3.0, -8.0, -28.0, -50.0, -60.0)  # of S1 … against S1


class Posture(NamedTuple):
    """Angles in degrees, supine.

    ``sacral_slope`` is the tilt of S1, recumbent about 37 (SD 7); ``lordosis`` L1 to S1, recumbent about 46 (20 to 81);
    ``kyphosis`` T1 to T12, about 33 (SD 9); ``cervical`` the lordosis C2 to C7, about 12 (SD 10).
    """

    sacral_slope: float
    lordosis: float
    kyphosis: float
    cervical: float


def tilts(posture: Posture, chain: Chain) -> NDArray[np.float64]:
    """Forward tilt of each vertebra's long axis in degrees, C2 to the sacrum's end.

    One vertebra more or fewer bends a region no more or less.
    """
    tilt = np.empty(sizes.COUNT)
    places = np.linspace(0, len(_LUMBAR_SHARE) - 1, chain.lumbar)
    share = np.interp(places, range(len(_LUMBAR_SHARE)), _LUMBAR_SHARE)
    tilt[chain.first_lumbar : chain.sacral] = posture.sacral_slope - posture.lordosis * share
    top, kyphosis = tilt[chain.first_lumbar] - 1.0, posture.kyphosis
    rise = np.linspace(1, 0, chain.thoracic + 1)[:-1]
    tilt[sizes.T1 : chain.first_lumbar] = (
        top + kyphosis * (0.5 - 0.5 * np.cos(np.pi * rise)) * 0.6 + kyphosis * 0.4 * rise
    )
    tilt[: sizes.T1] = tilt[sizes.T1] - posture.cervical * np.linspace(1.1, 0.15, sizes.T1)
    tilt[chain.sacral :] = posture.sacral_slope + np.array(_SACRAL_DEG[: sizes.COUNT - chain.sacral])
    return tilt
