"""Own DICOM SEG objects back in: their segments are numbered from 1, and what each is stands in its label."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import InputError
from spinemri.labels.schemes import OWN, SCHEMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.image import Image

_VALUE_OF = {str(structure): value for value, (structure,) in SCHEMES[OWN].table.items()}


def by_segment(labels: Image, segments: Mapping[int, str], name: str) -> Image:
    """The mask with the values of spinemri's scheme, found by the segments' labels.

    Parameters
    ----------
    labels : segment numbers as voxel values
    segments : number -> Segment Label, as ``report`` writes it ('vertebral body L4'); numbers are taken for values
        when none is one of these
    name : of the file

    Raises
    ------
    InputError
        Some segments have labels of spinemri and others have not.
    """
    known = {number: _VALUE_OF[label] for number, label in segments.items() if label in _VALUE_OF}
    if not known:
        return labels
    if strange := [f"{number} {label!r}" for number, label in segments.items() if number not in known]:
        raise InputError(
            f"labels {name}, scheme {OWN}: segments {', '.join(strange)}: expected labels such as 'vertebral body L4',"
            " 'disc L4-L5', 'thecal sac'"
        )
    lookup = np.zeros(max(known) + 1, dtype=np.uint16)
    for number, value in known.items():
        lookup[number] = value
    return replace(labels, voxels=lookup[labels.voxels])
