"""Every quantity that spinemri measures: its name, unit (UCUM) and definition in one line; and how to state it."""

from __future__ import annotations

import math
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
    Measure("dural_sac_area", "mm2", "area of the thecal sac perpendicular to its centre line"),
    Measure("dural_sac_area_compromise_pct", "%", "loss of sac area against the nearest normal levels"),
    Measure(
        "dural_sac_front_indent_mm", "mm", "the sac's front edge behind where it lies at the nearest normal levels"
    ),
    Measure("dural_sac_back_indent_mm", "mm", "the sac's back edge before where it lies at the nearest normal levels"),
    Measure("cord_ap", "mm", "mid-sagittal diameter of the cord, perpendicular to the sac's centre line"),
    Measure("cord_compression_pct", "%", "loss of cord diameter against the nearest normal levels above and below"),
    Measure("cord_area", "mm2", "area of the cord perpendicular to the sac's centre line"),
    Measure("occupation_ratio", "1", "area of the cord / area of the thecal sac"),
    Measure("csf_ring_fraction", "1", "share of the cord's front and back edge with visible fluid"),
    Measure("sas_obliteration", "1", "share of the space between sac and cord lost against the nearest normal levels"),
    Measure("cord_shift_mm", "mm", "the cord's centre behind where it would run between the levels above and below"),
    Measure("cord_t2_ratio", "1", "T2w signal of the cord / what the patient's own cord leads one to expect there"),
    Measure("cord_t2_length_mm", "mm", "length of the stretch of raised T2w signal of the cord that reaches here"),
    Measure("axial_sac_area", "mm2", "area of the thecal sac on axial slices, perpendicular to its centre line"),
    Measure("axial_sac_ap", "mm", "depth of the thecal sac through its middle on axial slices"),
    Measure("axial_sac_width", "mm", "width of the thecal sac through its middle on axial slices"),
    Measure("axial_sac_area_compromise_pct", "%", "loss of sac area on axial slices against the nearest normal levels"),
    Measure("axial_csf_fraction", "1", "share of the sac below the cord as bright as fluid on axial T2w slices"),
    Measure("axial_cord_area", "mm2", "area of the cord on axial slices, perpendicular to the sac's centre line"),
    Measure("axial_cord_ap", "mm", "depth of the cord through its middle on axial slices"),
    Measure("axial_cord_width", "mm", "width of the cord through its middle on axial slices"),
    Measure("cord_compression_ratio", "1", "depth / width of the cord on axial slices"),
    Measure("axial_occupation_ratio", "1", "area of the cord / area of the thecal sac on axial slices"),
    Measure("axial_sac_indent", "mm", "how far the thecal sac is pressed in on axial slices, beside a cord"),
    Measure("axial_cord_contact", "mm", "length of the cord's outline without room for fluid, on axial slices"),
    Measure("axial_csf_ring", "1", "share of the cord's outline with room for fluid, on axial slices"),
    Measure("axial_sas_obliteration", "1", "share of the space between sac and cord lost, on axial slices"),
    Measure("wedge_angle", "deg", "angle between both endplates of one body; kyphosis positive"),
    Measure("local_kyphosis", "deg", "angle from the body above to the body below, both intact; kyphosis positive"),
    Measure("slip_mm", "mm", "the upper body before the lower one, along its endplate; backwards negative"),
    Measure("slip_pct", "%", "slip / length of the lower body's upper endplate; backwards negative"),
    Measure(
        "thoracic_kyphosis", "deg", "angle from the upper endplate of T4 to the lower one of T12; kyphosis positive"
    ),
    Measure("lumbar_lordosis", "deg", "angle from a body's upper endplate to that of S1; lordosis negative"),
    Measure("cervical_lordosis", "deg", "angle from the lower endplate of C2 to that of C7; lordosis negative"),
    Measure(
        "coronal_curvature_estimate", "deg", "largest turn of the line through the bodies' centres, seen from front"
    ),
    Measure("crush_ratio_above", "1", "posterior height / posterior height of the body directly above"),
    Measure("crush_ratio_below", "1", "posterior height / posterior height of the body directly below"),
    Measure("wedge_ratio_z", "1", "wedge ratio against healthy adults at that level, in standard deviations"),
    Measure("volume_loss_pct", "%", "loss of the body's volume against the patient's intact bodies"),
    Measure("retropulsion_mm", "mm", "posterior wall behind the line of the posterior corners of intact neighbours"),
    Measure("posterior_wall_fraction", "1", "share of the posterior wall more than 1.5 mm behind where it should be"),
    Measure("endplate_depression_superior_mm", "mm", "depth of the upper endplate below the chord of its corners"),
    Measure("endplate_depression_inferior_mm", "mm", "depth of the lower endplate below the chord of its corners"),
    Measure("disc_height", "mm", "mean of the anterior, middle and posterior distance of the endplates beside a disc"),
    Measure("disc_height_index", "1", "disc height / mean height of the adjacent bodies"),
    Measure("posterior_disc_height", "mm", "distance of the endplates beside a disc at the posterior wall"),
    Measure("disc_bulge_mm", "mm", "posterior margin of the disc behind the line of the posterior endplate corners"),
    Measure("disc_signal_to_csf", "1", "T2w signal of the middle of a disc / of CSF beside it"),
    Measure("posterior_ligament_ratio", "1", "signal between two spinous processes on STIR or T2w-FS / of muscle"),
    Measure(
        "foraminal_height_left", "mm", "left neural foramen: lower border of the upper pedicle to the lower pedicle"
    ),
    Measure("foraminal_ap_left", "mm", "left neural foramen: least depth between disc and posterior elements"),
    Measure(
        "foraminal_area_left", "mm2", "left neural foramen: area that pedicles, disc and posterior elements enclose"
    ),
    Measure("perineural_fat_fraction_left", "1", "left neural foramen: share of its area with the T1w signal of fat"),
    Measure(
        "foraminal_height_right", "mm", "right neural foramen: lower border of the upper pedicle to the lower pedicle"
    ),
    Measure("foraminal_ap_right", "mm", "right neural foramen: least depth between disc and posterior elements"),
    Measure(
        "foraminal_area_right", "mm2", "right neural foramen: area that pedicles, disc and posterior elements enclose"
    ),
    Measure("perineural_fat_fraction_right", "1", "right neural foramen: share of its area with the T1w signal of fat"),
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

    def measured(
        self,
        name: str,
        value: float,
        sd: float,
        ends: NDArray[np.float64] | None = None,
        within: tuple[float, float] = (-math.inf, math.inf),
    ) -> Measurement:
        """The measurement ``name`` here, with a 95 % interval of 1.96 ``sd`` and its two ends (2, 3), LPS mm.

        ``within`` is what the quantity can be at all, such as 0 to 1; the interval does not leave it.
        """
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
            interval=(max(float(value - _Z95 * sd), within[0]), min(float(value + _Z95 * sd), within[1])),
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
