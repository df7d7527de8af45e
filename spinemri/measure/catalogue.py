"""Every quantity that spinemri measures: its name, unit (UCUM) and definition in one line; and how to state it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from spinemri.lesion import LESION_QUANTITIES
from spinemri.measurement import Measurement, Status

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spinemri.anatomy import Level, StructureKind

_Z95 = 1.96


class Measure(NamedTuple):
    """One quantity: name as in `Measurement.name`, UCUM unit, definition in one line."""

    name: str
    unit: str
    definition: str


MEASURES: tuple[Measure, ...] = (
    Measure("anterior_height", "mm", "body height at the anterior wall, 5 % of the depth inside it"),
    Measure("middle_height", "mm", "body height half-way between the anterior and posterior points"),
    Measure("posterior_height", "mm", "body height at the posterior wall, 5 % of the depth inside it"),
    Measure("wedge_ratio", "1", "anterior / posterior height of one body"),
    Measure("biconcavity_ratio", "1", "middle / posterior height of one body"),
    Measure("height_loss_anterior_pct", "%", "loss of anterior height against the patient's intact bodies"),
    Measure("height_loss_middle_pct", "%", "loss of middle height against the patient's intact bodies"),
    Measure("height_loss_posterior_pct", "%", "loss of posterior height against the patient's intact bodies"),
    Measure("height_loss_pct", "%", "largest of the anterior, middle and posterior height losses"),
    Measure("dural_sac_ap", "mm", "mid-sagittal diameter of the thecal sac, perpendicular to its centre line"),
    Measure("dural_sac_compromise_pct", "%", "loss of sac diameter against the nearest normal levels above and below"),
)
"""What `measure` returns, in the order of the report."""

LESION_MEASURES: tuple[Measure, ...] = tuple(Measure(name, *what) for name, what in LESION_QUANTITIES.items())
"""What is measured of each marrow lesion; ids are '<lesion>.<name>'."""

MARROW_MEASURES: tuple[Measure, ...] = (
    Measure("marrow_t1_to_disc", "1", "T1w signal of a body's marrow / of the discs beside it"),
    Measure("marrow_t1_to_muscle", "1", "T1w signal of a body's marrow / of paraspinal muscle at its level"),
)
"""What is measured of the marrow of every vertebra, for the test for diffuse disease."""

_UNITS = {m.name: m.unit for m in (*MEASURES, *LESION_MEASURES, *MARROW_MEASURES)}


class Gap(NamedTuple):
    """Why there is no value."""

    status: Status
    reason: str


@dataclass(frozen=True)
class Place:
    """Where something is measured: a body (``level``) or a disc (``level`` above and ``lower`` below)."""

    kind: StructureKind
    level: Level
    lower: Level | None = None
    series_uid: str | None = None

    @property
    def name(self) -> str:
        """'L4' or 'L4-L5'."""
        return str(self.level) if self.lower is None else f"{self.level}-{self.lower}"

    def measured(self, name: str, value: float, sd: float, ends: NDArray[np.float64] | None = None) -> Measurement:
        """The measurement ``name`` here, with a 95 % interval of 1.96 ``sd`` and its two ends (2, 3), LPS mm."""
        points = () if ends is None else tuple((float(x), float(y), float(z)) for x, y, z in ends)
        return Measurement(
            id=f"{self.name}.{name}",
            name=name,
            kind=self.kind,
            level=self.level,
            lower=self.lower,
            value=float(value),
            unit=_UNITS[name],
            points=points,
            interval=(float(value - _Z95 * sd), float(value + _Z95 * sd)),
            series_uid=self.series_uid,
        )

    def absent(self, name: str, gap: Gap) -> Measurement:
        """The measurement ``name`` here, with the reason why there is no value."""
        return Measurement(
            id=f"{self.name}.{name}",
            name=name,
            kind=self.kind,
            level=self.level,
            lower=self.lower,
            unit=_UNITS[name],
            series_uid=self.series_uid,
            status=gap.status,
            reason=gap.reason,
        )
