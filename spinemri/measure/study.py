"""Everything that is measured in one study: each vertebra once, from the series that shows it best.

Every expected measurement is present: with a value, or with a status and the reason why there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.measure.bodies import body_measurements, body_shapes, losses_of
from spinemri.measure.canal import sac_measurements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.image import Image
    from spinemri.measurement import Measurement
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

_NO_SAC_REFERENCE_PCT = 20.0


def measure(spine: Spine, images: Sequence[Image], segmentations: Sequence[Segmentation]) -> tuple[Measurement, ...]:
    """All measurements of a study, bodies first and then the thecal sac, each from head to foot.

    Parameters
    ----------
    spine : which vertebrae there are and which series shows each of them, and the sac, best
    images : the loaded series; only their missing slices matter here, and those are not measured
    segmentations : masks on their series' own grids, found by ``series_uid``

    Returns
    -------
    tuple of Measurement
        Ids are '<place>.<name>', such as 'L1.height_loss_pct', 'L4-L5.dural_sac_ap'; names are those of `MEASURES`.
    """
    by_uid = {s.series_uid: s for s in segmentations}
    missing = {
        image.series.series_uid: frozenset(image.missing_slices)
        for image in images
        if image.missing_slices and image.geometry.axis_along(0) == 0
    }
    shapes = body_shapes(spine, by_uid, missing)
    losses = losses_of(shapes)
    deformed = [v for v, loss in losses.items() if loss and loss.loss_pct.max() >= _NO_SAC_REFERENCE_PCT]
    bodies = body_measurements(spine, shapes, losses)
    return (*bodies, *sac_measurements(spine, shapes, by_uid, missing, deformed))
