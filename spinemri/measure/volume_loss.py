"""Volume loss of a vertebral body against the patient's own intact bodies, by the rules for heights (`height_loss`).

The volume is that of the mask: voxels times voxel size. Intact bodies are those whose heights are (below 15 % loss).
From level to level volume is carried over with the product of body height and endplate area (Panjabi 1991, 1992). A
body that the stack cuts off at its side, or with a slice that must not be measured, has no volume.

Known failure: where a mask runs into the pedicles, or stops short of them, differs from level to level by some percent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.height_loss import INTACT_BELOW_PCT, Scheme, losses_against
from spinemri.measure.height_profile import height_profile
from spinemri.measurement import Measurement, Status
from spinemri.norms import norm, threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.measure.bodies import MissingSlices, Shapes
    from spinemri.measure.height_loss import HeightLoss
    from spinemri.measure.vertebra import BodyShape
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

phrases = Phrases("measure.volume_loss")

NAME = "volume_loss_pct"
_EDGE_SD_SLICES = 0.2  # of both sides of a body together, where it is half as tall as in its middle


def volume_profile(level: Level) -> NDArray[np.float64] | None:
    """Mean volume (1,) of a level's body in mm3, for ratios between levels; None where a table lacks the level."""
    heights, area = height_profile(level), norm("endplate_area", level.name)
    return None if heights is None or area is None else np.array([heights.mean() * area.value])


VOLUMES = Scheme(volume_profile, threshold("volume_profile_scatter"))


def volume_losses(
    spine: Spine,
    shapes: Shapes,
    losses: Mapping[Level, HeightLoss | None],
    segmentations: Mapping[str, Segmentation],
    missing: MissingSlices,
) -> list[Measurement]:
    """Volume loss of every body, head to foot.

    Parameters
    ----------
    losses : height losses, which tell the intact bodies
    segmentations : series_uid -> segmentation
    missing : series_uid -> sagittal slices that must not be measured
    """
    places = [Place(StructureKind.VERTEBRAL_BODY, v.level, None, v.series_uid) for v in spine.vertebrae]
    found = {p: _volume(p, shapes[p.level], segmentations, missing) for p in places}
    volumes = {p.level: np.array([v[0]]) for p, v in found.items() if not isinstance(v, Gap)}
    sd = {p.level: np.array([v[1]]) for p, v in found.items() if not isinstance(v, Gap)}
    intact = [v for v in volumes if (loss := losses.get(v)) is not None and loss.loss_pct.max() < INTACT_BELOW_PCT]
    lost = losses_against(volumes, sd, intact, spine.levels, VOLUMES)
    return [_stated(p, v, shapes[p.level], lost.get(p.level)) for p, v in found.items()]


def _volume(
    place: Place, shape: BodyShape | Gap, segmentations: Mapping[str, Segmentation], missing: MissingSlices
) -> tuple[float, float] | Gap:
    """Volume of a body in mm3 and its standard deviation, or why there is none."""
    if isinstance(shape, Gap):
        return shape
    if "lateral_cut" in shape.flags:
        return Gap(Status.OUT_OF_FIELD, phrases.STACK_SLICES_ENDS_WITHIN_BODY.format(level=place.level))
    segmentation = segmentations[place.series_uid or ""]
    body = segmentation.body(place.level)
    if body is None:
        return Gap(Status.NOT_ASSESSABLE, phrases.NO_MASK_BODY.format(level=place.level))
    grid, mask = segmentation.geometry, segmentation.mask(body)
    across = grid.axis_along(0)
    counts = np.count_nonzero(mask, axis=tuple(a for a in range(3) if a != across))
    shown = np.flatnonzero(counts)
    if any(shown[0] <= n <= shown[-1] for n in missing.get(place.series_uid or "", ())):
        return Gap(Status.NOT_ASSESSABLE, phrases.SLICE_THROUGH_BODY_MISSING.format(level=place.level))
    volume = float(counts.sum()) * float(np.prod(grid.spacing))
    return volume, _EDGE_SD_SLICES * float(counts.max()) * float(np.prod(grid.spacing))


def _stated(
    place: Place, volume: tuple[float, float] | Gap, shape: BodyShape | Gap, loss: HeightLoss | None
) -> Measurement:
    """The loss of one body; its points are the ends of the middle height."""
    if isinstance(volume, Gap):
        return place.absent(NAME, volume)
    if isinstance(shape, Gap) or loss is None:
        return place.absent(NAME, Gap(Status.NOT_ASSESSABLE, phrases.NO_INTACT_BODY_COMPARE_VOLUME))
    ends = np.stack([shape.upper[1], shape.lower[1]])
    stated = place.measured(NAME, float(loss.loss_pct[0]), float(loss.sd_pct[0]), ends)
    said = {"reference_levels": loss.reference_levels, "flags": (f"reference:{loss.method}",)}
    return stated.model_copy(update=said)
