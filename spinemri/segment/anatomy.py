"""From an image to named anatomy: the network's classes, borders in the image, instances, levels, protrusions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.segment.borders import follow_borders
from spinemri.segment.label import label_anatomy
from spinemri.segment.level_evidence import Hints
from spinemri.segment.protrusion import with_protrusions

if TYPE_CHECKING:
    from spinemri.image import Image
    from spinemri.segment.levels import Anchor
    from spinemri.segment.predictor import ClassMap, Predictor
    from spinemri.segmentation import Segmentation
    from spinemri.spine import LevelAssignment


def segment_anatomy(
    image: Image, predictor: Predictor, *, anchor: Anchor | None = None
) -> tuple[Segmentation, tuple[LevelAssignment, ...], tuple[str, ...]]:
    """Vertebral bodies, posterior elements, discs, thecal sac, cord and sacrum of one series, named by level.

    Parameters
    ----------
    image : a sagittal series or a 3D volume
    predictor : the loaded model
    anchor : what the user says about the level of one body

    Returns
    -------
    Segmentation on the image's own grid, the basis of each level's name from head to foot, and warnings.

    Raises
    ------
    ModelError
        If the image is not sagittal, or the model does not accept its contrast.
    LevelError
        If the anchor does not fit the bodies found.
    """
    return name_anatomy(predictor.predict(image), image, anchor=anchor)


def name_anatomy(
    found: ClassMap, image: Image, *, anchor: Anchor | None = None
) -> tuple[Segmentation, tuple[LevelAssignment, ...], tuple[str, ...]]:
    """The same from what the network saw in the image.

    Raises
    ------
    LevelError
        If the anchor does not fit the bodies found.
    """
    classes = follow_borders(found.classes, image)
    hints = Hints(anchor, found.looks)
    named, names, told = label_anatomy(classes, image.geometry, image.series.series_uid, found.made_by, hints)
    outlined = found.outline(named, image.missing_slices) if found.outline else named
    return with_protrusions(outlined, image), names, told
