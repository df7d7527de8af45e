"""Everything that an oncologic judgement rests on: measurements, lesions, earlier findings, the clinician's answers.

Headers and level names are facts here; nothing is measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from spinemri.assess.lesion import judge, may_be_tumour
from spinemri.clinical import Clinical
from spinemri.lesion import MarrowScreen
from spinemri.spine import Spine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.anatomy import Level
    from spinemri.assess.lesion import Entity, Signs
    from spinemri.finding import Finding
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement
    from spinemri.series import Series


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one study.

    Parameters
    ----------
    measurements : by id
    lesions, screen : marrow changes, and which marrow was looked at
    findings : those made already
    clinical : the clinician's answers
    series : every series of the study, read or not; ``used`` are those that were read
    spine : level names and what they rest on
    """

    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    lesions: tuple[Lesion, ...] = ()
    screen: MarrowScreen = field(default_factory=MarrowScreen)
    findings: tuple[Finding, ...] = ()
    clinical: Clinical = field(default_factory=Clinical)
    series: tuple[Series, ...] = ()
    used: tuple[Series, ...] = ()
    spine: Spine = field(default_factory=Spine)

    @cached_property
    def judged(self) -> tuple[tuple[Lesion, Signs, tuple[Entity, ...]], ...]:
        """Every lesion with its signs and its differential."""
        return judge(self.lesions, self.measurements)

    @cached_property
    def tumour_like(self) -> tuple[Lesion, ...]:
        """Lesions whose first entity is tumour-like, or cannot be told from a tumour on the sequences at hand."""
        return tuple(lesion for lesion, _, first in self.judged if may_be_tumour(first[0], lesion.seen_in))

    @cached_property
    def perhaps_tumour(self) -> tuple[Lesion, ...]:
        """Lesions of which any entity may be a tumour, those of ``tumour_like`` among them."""
        return tuple(v for v, _, entities in self.judged if any(may_be_tumour(e, v.seen_in) for e in entities))

    @property
    def searched(self) -> bool:
        """Whether anybody looked for lesions in any vertebra."""
        return bool(self.screen.assessed or self.lesions)

    def value(self, id_: str) -> float | None:
        """The value of a measurement; None when it is absent or could not be made."""
        found = self.measurements.get(id_)
        return None if found is None else found.value

    def named(self, name: str) -> tuple[Measurement, ...]:
        """Measurements of a name that have a value, in the order of the study."""
        return tuple(m for m in self.measurements.values() if m.name == name and m.value is not None)

    def of_kind(self, kind: str) -> tuple[Finding, ...]:
        """Findings of a kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def bodies_from(self, loss_pct: float) -> tuple[tuple[Level, float], ...]:
        """Levels whose height loss is at least so much, with the loss, head to foot."""
        found = [(m.level, m.value) for m in self.named("height_loss_pct") if m.level is not None]
        return tuple((level, loss) for level, loss in found if loss is not None and loss >= loss_pct)
