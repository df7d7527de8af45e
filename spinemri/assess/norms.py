"""What is normal in asymptomatic adults, with the source of every row; blank where no source was read."""

from __future__ import annotations

WEDGE_RATIO: dict[str, tuple[float, float]] = {
    "T10": (0.92, 0.08), "T11": (0.92, 0.08), "T12": (0.90, 0.06), "L1": (0.89, 0.06), "L2": (0.90, 0.07),
}  # fmt: skip
"""Level -> mean and standard deviation of anterior / posterior height on MR, 115 asymptomatic adults."""
WEDGE_RATIO_SOURCE = "Surg Radiol Anat 2011;33:223 (PMID 21104252)"

SAC_HEALTHY: dict[str, tuple[str, str]] = {
    "C": ("mid-C5 11.2 +- 1.4, C5/6 disc 9.5 +- 1.8", "Kato et al., Eur Spine J 2012;21:1499 (n = 1211, canal)"),
    "L": ("L1/2 15.6 down to L5/S1 11.6", "Chatha et al. 2011 (n = 100, mid-sagittal canal)"),
}
"""Region -> healthy antero-posterior diameter on MR in mm, as text, and its source; no thoracic norm is accepted."""
