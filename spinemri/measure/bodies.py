"""Heights and height loss of every vertebral body of the spine, each from the series that shows it best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level, StructureKind
from spinemri.faults import attempt
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.frame import upward_directions
from spinemri.measure.height_loss import height_losses
from spinemri.measure.vertebra import COLUMNS, BodyShape, body_shape, touches_field_edge
from spinemri.measurement import Measurement, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.measure.height_loss import HeightLoss
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine, Vertebra

phrases = Phrases("measure.bodies")

Shapes = dict[Level, BodyShape | Gap]
MissingSlices = dict[str, frozenset[int]]

_NO_HEIGHT = ("C1", "C2")
_HEIGHTS = tuple(f"{column}_height" for column in COLUMNS)
_LOSSES = (*(f"height_loss_{column}_pct" for column in COLUMNS), "height_loss_pct")


def upward_by_level(spine: Spine) -> dict[Level, NDArray[np.float64]]:
    """Unit vector towards the head along the spine at each level (LPS)."""
    return dict(zip(spine.levels, upward_directions([v.centre for v in spine.vertebrae]), strict=True))


def body_shapes(spine: Spine, segmentations: Mapping[str, Segmentation], missing: MissingSlices) -> Shapes:
    """Six points of every body, or the reason why there are none.

    Parameters
    ----------
    segmentations : series_uid -> segmentation
    missing : series_uid -> sagittal slices that must not be measured
    """
    upward = upward_by_level(spine)
    return {
        v.level: attempt(
            phrases.BODY_OF.format(level=v.level), _failed(), shape_of, v, segmentations, upward[v.level], missing
        )
        for v in spine.vertebrae
    }


def shape_of(
    vertebra: Vertebra,
    segmentations: Mapping[str, Segmentation],
    upward: NDArray[np.float64],
    missing: MissingSlices,
) -> BodyShape | Gap:
    """Six points of the body of one vertebra in the series that it names; parameters as in `body_shapes`."""
    level = vertebra.level
    if level.region == "S":
        return Gap(Status.NOT_ASSESSABLE, phrases.HAS_NO_LOWER_ENDPLATE_HEIGHTS.format(level=level))
    if level.name in _NO_HEIGHT:
        return Gap(Status.NOT_ASSESSABLE, phrases.NO_HEIGHT)
    segmentation = segmentations.get(vertebra.series_uid)
    body = segmentation.body(level) if segmentation else None
    if segmentation is None or body is None:
        return Gap(Status.NOT_ASSESSABLE, phrases.NO_MASK_BODY_SERIES_MEASURED.format(level=level))
    mask = segmentation.mask(body)
    if not mask.any():
        return Gap(Status.NOT_ASSESSABLE, phrases.MASK_BODY_EMPTY.format(level=level))
    if vertebra.cut or body in segmentation.cut or touches_field_edge(mask, segmentation.geometry):
        return Gap(Status.OUT_OF_FIELD, phrases.FIELD_VIEW_CUTS_BODY.format(level=level))
    if vertebra.excluded:
        return Gap(Status.EXCLUDED, vertebra.excluded)
    shape = body_shape(mask, segmentation.geometry, upward, missing.get(vertebra.series_uid, frozenset()))
    if shape is None:
        return Gap(Status.NOT_ASSESSABLE, phrases.OUTLINE_BODY_CANNOT_FOLLOWED.format(level=level))
    return shape.drawn(segmentation.drawing)


def with_sacrum(
    shapes: Shapes, spine: Spine, segmentations: Mapping[str, Segmentation], missing: MissingSlices
) -> Shapes:
    """The shapes with that of S1 too, of which only the upper endplate and the wall below it may be used."""
    found = {**shapes}
    for vertebra in spine.vertebrae:
        segmentation = segmentations.get(vertebra.series_uid)
        body = segmentation.body(vertebra.level) if segmentation else None
        if vertebra.level.name != "S1" or vertebra.cut or segmentation is None or body is None:
            continue
        up, skipped = upward_by_level(spine)[vertebra.level], missing.get(vertebra.series_uid, frozenset())
        shape = body_shape(segmentation.mask(body), segmentation.geometry, up, skipped)
        if shape is not None:
            found[vertebra.level] = shape.drawn(segmentation.drawing)
    return found


def losses_of(shapes: Shapes) -> dict[Level, HeightLoss | None]:
    """Height loss of every body whose heights could be measured."""
    measured = {level: shape for level, shape in shapes.items() if isinstance(shape, BodyShape)}
    heights = {level: shape.heights for level, shape in measured.items()}
    return height_losses(heights, {level: shape.sd for level, shape in measured.items()}, [*shapes])


def body_measurements(spine: Spine, shapes: Shapes, losses: Mapping[Level, HeightLoss | None]) -> list[Measurement]:
    """Heights, ratios and height losses of every body, head to foot."""
    found: list[Measurement] = []
    for vertebra in spine.vertebrae:
        shape = shapes[vertebra.level]
        place = Place(StructureKind.VERTEBRAL_BODY, vertebra.level, None, vertebra.series_uid)
        if isinstance(shape, Gap):
            found += [place.absent(name, shape) for name in (*_HEIGHTS, "wedge_ratio", "biconcavity_ratio", *_LOSSES)]
        else:
            found += _heights(place, shape) + _losses(place, shape, losses[vertebra.level])
    return found


def _heights(place: Place, shape: BodyShape) -> list[Measurement]:
    ends = np.stack([shape.upper, shape.lower], axis=1)
    rows = zip(_HEIGHTS, shape.heights, shape.size_sd, ends, strict=True)
    found = [place.measured(name, value, sd, pair) for name, value, sd, pair in rows]
    relative = shape.sd / shape.heights
    for name, column in (("wedge_ratio", 0), ("biconcavity_ratio", 1)):
        ratio = shape.heights[column] / shape.heights[2]
        found.append(place.measured(name, ratio, ratio * float(np.hypot(relative[column], relative[2]))))
    return [m.model_copy(update={"flags": shape.flags}) for m in found]


def _losses(place: Place, shape: BodyShape, loss: HeightLoss | None) -> list[Measurement]:
    if loss is None:
        gap = Gap(Status.NOT_ASSESSABLE, phrases.NO_INTACT_BODY_COMPARE_WITH)
        return [place.absent(name, gap) for name in _LOSSES]
    ends = np.stack([shape.upper, shape.lower], axis=1)
    flags = (*shape.flags, f"reference:{loss.method}")
    columns = (0, 1, 2, loss.worst_column)
    return [
        place.measured(name, loss.loss_pct[c], loss.sd_pct[c], ends[c]).model_copy(
            update={"reference_levels": loss.reference_levels, "flags": flags}
        )
        for name, c in zip(_LOSSES, columns, strict=True)
    ]


def _failed() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.FAILED)
