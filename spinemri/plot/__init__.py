"""Drawings: pictures of slices, profiles along the spine, the map of lesions, agreement of two series of measurements.

``profile``, ``lesion_map`` and ``bland_altman`` return matplotlib figures that no pyplot state holds; ``to_svg`` and
``to_png`` write them, the same figure to the same bytes.
"""

from spinemri.plot.lesions import lesion_map
from spinemri.plot.limits import Agreement, agreement, bland_altman
from spinemri.plot.output import to_png, to_svg
from spinemri.plot.picture import (
    NAME_GAP_MM,
    Polygon,
    SagittalView,
    contours,
    draw,
    drawn_lines,
    fullest_slice,
    left_of,
    level_colour,
    mid_sagittal,
    name_position,
    onto_slice,
    outlines,
    sagittal,
    save_picture,
    slice_through,
    smooth_outlines,
    structure_colour,
    structures_shown,
)
from spinemri.plot.profiles import profile, title_of, told
from spinemri.plot.style import DARK, LIGHT, Theme

__all__ = [
    "DARK",
    "LIGHT",
    "NAME_GAP_MM",
    "Agreement",
    "Polygon",
    "SagittalView",
    "Theme",
    "agreement",
    "bland_altman",
    "contours",
    "draw",
    "drawn_lines",
    "fullest_slice",
    "left_of",
    "lesion_map",
    "level_colour",
    "mid_sagittal",
    "name_position",
    "onto_slice",
    "outlines",
    "profile",
    "sagittal",
    "save_picture",
    "slice_through",
    "smooth_outlines",
    "structure_colour",
    "structures_shown",
    "title_of",
    "to_png",
    "to_svg",
    "told",
]
