"""Everything that is measured in one study: each vertebra once, from the series that shows it best.

Every expected measurement is present: with a value, or with a status and the reason why there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec

from spinemri.anatomy import StructureKind
from spinemri.faults import attempt
from spinemri.language import Phrases
from spinemri.measure.alignment import alignment_measurements
from spinemri.measure.axial import axial_measurements
from spinemri.measure.bodies import body_measurements, body_shapes, losses_of, with_sacrum
from spinemri.measure.body_ratios import ratio_measurements
from spinemri.measure.canal import canal_measurements
from spinemri.measure.disc import DiscMasks, disc_measurements
from spinemri.measure.disc_signal import disc_signals
from spinemri.measure.foramen import foraminal_measurements
from spinemri.measure.ligaments import ligament_measurements
from spinemri.measure.posterior_wall import posterior_walls, wall_measurements
from spinemri.measure.sac_masks import SacMasks
from spinemri.measure.second_view import OtherSeries, looked_at_twice
from spinemri.measure.subarachnoid import AXIAL, subarachnoid_measurements
from spinemri.measure.volume_loss import volume_losses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from spinemri.image import Image
    from spinemri.measurement import Measurement
    from spinemri.quality import SeriesQuality
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

    Stack = tuple[Image, Segmentation]

phrases = Phrases("measure.study")

P = ParamSpec("P")

_NO_SAC_REFERENCE_PCT = 20.0
_ORDER = {
    StructureKind.DISC: 1,
    StructureKind.POSTERIOR_ELEMENTS: 1,
    StructureKind.THECAL_SAC: 2,
    StructureKind.CORD: 3,
}


def measure(
    spine: Spine,
    images: Sequence[Image],
    segmentations: Sequence[Segmentation],
    quality: Sequence[SeriesQuality] = (),
    axial: Sequence[Stack] = (),
) -> tuple[Measurement, ...]:
    """All measurements of a study: bodies first, then discs and ligaments, sac and cord, each from head to foot.

    Parameters
    ----------
    spine : which vertebrae there are and which series shows each of them, and the sac, best
    images : the loaded series
    segmentations : masks on their series' own grids, found by ``series_uid``
    quality : of the series: signal is not read where fat suppression failed
    axial : stacks of axial slices with their masks, which show sac and cord in section

    Returns
    -------
    tuple of Measurement
        Ids are '<place>.<name>', such as 'L1.height_loss_pct', 'L4-L5.dural_sac_ap'; names are those of `MEASURES`.
    """
    by_uid = {s.series_uid: s for s in segmentations}
    frames = {v.level: _frame(by_uid.get(v.series_uid)) for v in spine.vertebrae}
    suppression = {q.series_uid: q.check("fat_suppression") for q in quality}
    found: list[Measurement] = []
    for frame in dict.fromkeys(frames.values()):
        here = tuple(v for v in spine.vertebrae if frames[v.level] == frame)
        part = spine.model_copy(update={"vertebrae": here})
        stacks = [stack for stack in axial if stack[0].geometry.frame_of_reference_uid == frame]
        found += _in_one_frame(part, images, by_uid, stacks)
        found += _tried(phrases.POSTERIOR_LIGAMENTS, ligament_measurements, part, images, by_uid, suppression)
    composed = {image.series.series_uid: image for image in images if image.series.composed}
    stated = [_flagged(m, composed) for m in found]
    return tuple(sorted(stated, key=lambda m: _ORDER.get(m.kind, 0)))


def _frame(segmentation: Segmentation | None) -> str | None:
    return segmentation.geometry.frame_of_reference_uid if segmentation else None


def _in_one_frame(
    spine: Spine, images: Sequence[Image], segmentations: Mapping[str, Segmentation], stacks: Sequence[Stack]
) -> list[Measurement]:
    """Measurements of vertebrae that share a frame of reference; only those may be compared by place."""
    missing = {
        image.series.series_uid: frozenset(image.missing_slices)
        for image in images
        if image.missing_slices and image.geometry.axis_along(0) == 0
    }
    shapes = body_shapes(spine, segmentations, missing)
    losses = losses_of(shapes)
    deformed = [v for v, loss in losses.items() if loss and loss.loss_pct.max() >= _NO_SAC_REFERENCE_PCT]
    masks = DiscMasks(segmentations, missing)
    bodies = _tried(phrases.BODY_HEIGHTS, body_measurements, spine, shapes, losses)
    others = OtherSeries(spine, segmentations, missing)
    bodies = attempt(phrases.BODY_HEIGHTS_OTHER_SERIES, bodies, looked_at_twice, bodies, losses, shapes, others)
    bodies += _tried(phrases.BODY_RATIOS, ratio_measurements, spine, shapes)
    bodies += _tried(phrases.BODY_VOLUMES, volume_losses, spine, shapes, losses, segmentations, missing)
    whole = with_sacrum(shapes, spine, segmentations, missing)
    walls = attempt(phrases.POSTERIOR_WALLS, {}, posterior_walls, whole)
    bodies += _tried(phrases.POSTERIOR_WALLS, wall_measurements, spine, whole, walls, shapes, losses)
    discs = _tried(phrases.DISCS, disc_measurements, spine, whole, walls, losses, masks)
    discs += _tried(phrases.DISC_SIGNALS, disc_signals, spine, images, segmentations)
    discs += _tried(phrases.FORAMINA, foraminal_measurements, spine, whole, images, masks)
    aligned = _tried(phrases.ALIGNMENT_SPINE, alignment_measurements, spine, shapes, losses, segmentations, missing)
    sacs = SacMasks(segmentations, images, missing)
    canal = _tried(phrases.SPINAL_CANAL_CORD, canal_measurements, spine, shapes, sacs, images, deformed)
    canal += _tried(phrases.SPACE_AROUND_CORD, subarachnoid_measurements, canal, deformed)
    sections = _tried(phrases.AXIAL_SECTIONS, axial_measurements, spine, shapes, sacs, stacks, deformed)
    sections += _tried(phrases.SPACE_AROUND_CORD_AXIAL_SLICES, subarachnoid_measurements, sections, deformed, AXIAL)
    return [*bodies, *aligned, *discs, *canal, *sections]


def _tried(part: str, call: Callable[P, Iterable[Measurement]], *args: P.args, **kwargs: P.kwargs) -> list[Measurement]:
    """Measurements of one kind; none when the program fails in them, which the report tells."""
    return list(attempt(part, (), call, *args, **kwargs))


def _flagged(measurement: Measurement, composed: Mapping[str, Image]) -> Measurement:
    """A value from a composed image says so, and whether the seams are known that it had to keep away from."""
    image = composed.get(measurement.series_uid or "")
    if image is None or measurement.value is None:
        return measurement
    flags = (*measurement.flags, "composed_series", *(() if image.seams else ("seams_unknown",)))
    return measurement.model_copy(update={"flags": flags})
