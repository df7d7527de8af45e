"""Named anatomy of every series of a study: from the network, or from masks that are given; names agree in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import ModelError
from spinemri.faults import attempt, is_fault
from spinemri.language import Phrases
from spinemri.segment.anatomy import name_anatomy, segment_anatomy
from spinemri.segment.levels import phrases as naming
from spinemri.segment.levels import unsure_names
from spinemri.segment.reconcile import reconcile
from spinemri.segmentation import Segmentation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spinemri.image import Image
    from spinemri.segment.levels import Anchor
    from spinemri.segment.predictor import ClassMap, Predictor
    from spinemri.spine import LevelAssignment

    Names = tuple[LevelAssignment, ...]
    Anatomy = tuple[Segmentation, Names, tuple[str, ...]]
    Progress = Callable[[str, int, int], None]

phrases = Phrases("segment.study")

_NEARLY_MM = 60.0


def segment_study(
    images: Sequence[Image],
    predictor: Predictor | None,
    report: Progress,
    *,
    anchor: Anchor | None = None,
    given: Mapping[int, Anatomy] | None = None,
) -> tuple[tuple[Segmentation, ...], tuple[Names, ...], tuple[str, ...]]:
    """Segmentations and level assignments of every image, and what is to be told about them.

    Parameters
    ----------
    predictor : the loaded model; None leaves series without a given mask empty
    report : called with (stage, done, total)
    anchor : the user's word on one body, counted in the series that reach lowest
    given : number of the image -> segmentation, assignments and remarks from elsewhere

    Raises
    ------
    LevelError
        The anchor fits no body.
    ModelError
        The model does not accept an image.
    """
    found: list[Anatomy] = []
    seen = _seen_together([(n, image) for n, image in enumerate(images) if n not in (given or {})], predictor)
    for n, image in enumerate(images):
        report("segmenting", n, len(images))
        word = anchor if _reaches_bottom(image, images) else None
        known = (given or {}).get(n)
        part = phrases.ANATOMY_SERIES.format(label=image.series.label)
        empty = _empty(image, phrases.FAILED)
        found.append(known or attempt(part, empty, _segmented, image, predictor, word, seen.pop(n, None)))
    report("segmenting", len(images), len(images))
    segmentations, assignments, told = zip(*found, strict=True)
    agreed, names_agreed, notes = reconcile(images, segmentations, assignments)
    warnings = [
        phrases.SERIES.format(label=image.series.label, note=note)
        for image, names, remarks in zip(images, names_agreed, told, strict=True)
        for note in remarks
        if naming.RELATIVE_NAMES not in note or _relative(names)  # unless another series has settled it
    ]
    return agreed, names_agreed, (*warnings, *notes, *unsure_names(names_agreed))


def _seen_together(images: Sequence[tuple[int, Image]], predictor: Predictor | None) -> dict[int, ClassMap]:
    """What the network sees in several images where its device gains by reading them at once; else nothing.

    When one of them fails each is read alone afterwards, so that it costs itself only.
    """
    if predictor is None or predictor.together == 1 or len(images) == 1:
        return {}
    try:
        return dict(zip((n for n, _ in images), predictor.predict_all([image for _, image in images]), strict=True))
    except Exception as error:
        if not (is_fault(error) or isinstance(error, ModelError)):
            raise
        return {}


def _segmented(
    image: Image, predictor: Predictor | None, anchor: Anchor | None, seen: ClassMap | None = None
) -> Anatomy:
    if seen is not None:
        return name_anatomy(seen, image, anchor=anchor)
    if predictor is not None:
        return segment_anatomy(image, predictor, anchor=anchor)
    return _empty(image, phrases.NOT_SEGMENTED)


def _empty(image: Image, why: str) -> Anatomy:
    empty = np.zeros(image.geometry.shape, dtype=np.uint8)
    return Segmentation(empty, image.geometry, {}, image.series.series_uid, "nobody"), (), (why,)


def _relative(names: Names) -> bool:
    return bool(names) and names[0].level.is_relative


def _reaches_bottom(image: Image, images: Sequence[Image]) -> bool:
    """Whether a series reaches as far down as any other of its frame of reference, or nearly so."""
    frame = image.geometry.frame_of_reference_uid
    bottoms = [i.geometry.span(2)[0] for i in images if i.geometry.frame_of_reference_uid == frame]
    return image.geometry.span(2)[0] < min(bottoms) + _NEARLY_MM
