"""Every finding of a study, from its measurements alone: one per place and kind, the normal ones included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.alignment import (
    CURVATURE_KIND,
    SCOLIOSIS_KIND,
    SLIP_KIND,
    curvature_finding,
    scoliosis_finding,
    slip_finding,
)
from spinemri.assess.canal_grades import canal_grade_findings
from spinemri.assess.cord import (
    COMPRESSION,
    DISPLACEMENT,
    ESCC,
    SIGNAL,
    compression_finding,
    displacement_finding,
    escc_screen,
    signal_finding,
)
from spinemri.assess.disc import BULGE, DEGENERATION, bulge_finding, degeneration_finding
from spinemri.assess.escc import ESCC_GRADE, escc_finding
from spinemri.assess.foramen import KIND as FORAMINAL
from spinemri.assess.foramen import foraminal_finding
from spinemri.assess.fracture import KIND as HEIGHT_LOSS
from spinemri.assess.fracture import height_loss_finding
from spinemri.assess.ligament import KIND as LIGAMENT
from spinemri.assess.ligament import ligament_finding
from spinemri.assess.of_class import KIND as OF_CLASS
from spinemri.assess.of_class import of_class_finding, without_tumour
from spinemri.assess.stenosis import KIND as NARROWING
from spinemri.assess.stenosis import narrowing_finding
from spinemri.faults import attempt
from spinemri.language import Phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from spinemri.anatomy import Level
    from spinemri.finding import Finding
    from spinemri.measurement import Measurement

    Rule = Callable[[Mapping[str, Measurement], Measurement], Finding | None]

phrases = Phrases("assess.study")

RULES: tuple[tuple[str, str, Rule], ...] = (
    ("height_loss_pct", HEIGHT_LOSS, height_loss_finding),
    ("posterior_wall_fraction", OF_CLASS, of_class_finding),
    ("disc_signal_to_csf", DEGENERATION, degeneration_finding),
    ("disc_bulge_mm", BULGE, bulge_finding),
    ("slip_mm", SLIP_KIND, slip_finding),
    ("thoracic_kyphosis", CURVATURE_KIND, curvature_finding),
    ("lumbar_lordosis", CURVATURE_KIND, curvature_finding),
    ("cervical_lordosis", CURVATURE_KIND, curvature_finding),
    ("coronal_curvature_estimate", SCOLIOSIS_KIND, scoliosis_finding),
    ("foraminal_height_left", FORAMINAL, foraminal_finding),
    ("foraminal_height_right", FORAMINAL, foraminal_finding),
    ("posterior_ligament_ratio", LIGAMENT, ligament_finding),
    ("dural_sac_compromise_pct", NARROWING, narrowing_finding),
    ("cord_compression_pct", COMPRESSION, compression_finding),
    ("cord_compression_pct", ESCC, escc_screen),
    ("axial_cord_contact", ESCC_GRADE, escc_finding),
    ("cord_shift_mm", DISPLACEMENT, displacement_finding),
    ("cord_t2_ratio", SIGNAL, signal_finding),
)
"""Name of the deciding measurement, kind of finding, and the function that grades it; None where it does not apply."""


def assess(measurements: Iterable[Measurement], suspected: Collection[Level] = ()) -> tuple[Finding, ...]:
    """Findings of a study, in the order of the measurements: bodies head to foot, alignment, discs, the sac, the cord.

    A normal place yields a finding with certainty ABSENT, so that a report can say what was looked at and was normal;
    a place that could not be measured yields NOT_ASSESSABLE with the reason in its statement; so do, once per region,
    the grades of the canal that need axial images. A level that is ``suspected`` because a lesion there may be tumour
    gets no class of osteoporotic fracture.
    """
    by_id = {m.id: m for m in measurements}
    made = (
        attempt(f"{kind.replace('_', ' ')} ({m.id})", None, rule, by_id, m)
        for m in by_id.values()
        for name, kind, rule in RULES
        if name == m.name
    )
    own = without_tumour((finding for finding in made if finding is not None), suspected)
    return (*own, *attempt(phrases.GRADES_CANAL, (), canal_grade_findings, by_id))
