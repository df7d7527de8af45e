"""How much of the space around the cord is lost at every cervical disc and mid-body.

Definition: 1 - (A - C) / the mean of (A - C) at the nearest normal levels above and below, where A and C are the areas
of sac and cord perpendicular to the sac's centre line, each the smallest within 3 mm. References are chosen as for the
sac (`sac.compromises`): discs with discs, bodies with bodies; a level that itself lost more than 15 % of the space, or
has none left, is no reference. Kang's cervical grade asks whether more than half of the space is gone, on axial T2w
images (Kang et al., AJR 2011;197:W134); this share from sagittal ones is an own choice, and no grade.

Known failure: the difference of two areas has the error of both, most where slices lie far apart; a neck that is narrow
at every level has no normal one and seems to have lost little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.sac import compromises
from spinemri.measurement import Status
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from spinemri.anatomy import Level
    from spinemri.measure.sac import Compromise
    from spinemri.measurement import Measurement

phrases = Phrases("measure.subarachnoid")

SAGITTAL = ("dural_sac_area", "cord_area", "sas_obliteration")
AXIAL = ("axial_sac_area", "axial_cord_area", "axial_sas_obliteration")
"""Names of the areas of sac and cord, and of what is made of them."""

Names = tuple[str, str, str]
_SAC_SD, _CORD_SD = threshold("interval.sac_area"), threshold("interval.cord_area")


def subarachnoid_measurements(
    canal: Sequence[Measurement], barred: Collection[Level] = (), names: Names = SAGITTAL
) -> list[Measurement]:
    """The space lost at every cervical place, head to foot.

    Parameters
    ----------
    canal : measurements of sac and cord at every place of the spine, head to foot
    barred : levels whose body lost height; references only if they lost no space
    names : ``SAGITTAL`` or ``AXIAL``
    """
    areas, cords = ({m.place: m for m in canal if m.name == name} for name in names[:2])
    found = {}
    for at_disc in (False, True):
        places = [m for m in areas.values() if (m.lower is not None) == at_disc]
        lost = _lost(places, cords, barred)
        for sac, loss in zip(places, lost, strict=True):
            if sac.level is not None and sac.level.region == "C":
                place = Place(StructureKind.CORD, sac.level, sac.lower, sac.series_uid)
                found[sac.place] = _stated(place, names[2], (sac, cords.get(sac.place)), loss, places)
    return [found[place] for place in areas if place in found]


def _lost(
    places: Sequence[Measurement], cords: dict[str, Measurement], barred: Collection[Level]
) -> list[Compromise | None]:
    """Loss of the space between sac and cord, place by place."""
    pairs = [(sac.value, cord.value if (cord := cords.get(sac.place)) else None) for sac in places]
    free = [None if a is None or c is None else max(a - c, 0.0) for a, c in pairs]
    errors = [np.hypot(_SAC_SD * a, _CORD_SD * c) for a, c in pairs if a is not None and c is not None]
    no_reference = [n for n, sac in enumerate(places) if free[n] == 0.0 or {sac.level, sac.lower} & {*barred}]
    return compromises(free, float(np.median(errors)) if errors else 0.0, no_reference)


def _stated(
    place: Place,
    name: str,
    areas: tuple[Measurement, Measurement | None],
    loss: Compromise | None,
    places: Sequence[Measurement],
) -> Measurement:
    missing = next((m for m in areas if m is not None and m.value is None), None)
    if missing is not None or loss is None:
        return place.absent(name, _alone() if missing is None else Gap(missing.status, missing.reason))
    stated = place.measured(name, loss.pct / 100, loss.sd_pct / 100, within=(-np.inf, 1.0))
    levels = tuple(v for n in loss.references for v in places[n].levels)
    one_sided = ("one_sided_reference",) if len(loss.references) == 1 else ()
    return stated.model_copy(update={"reference_levels": levels, "flags": one_sided})


def _alone() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.ALONE)
