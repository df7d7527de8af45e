"""Which series must not be measured, told from headers alone, and in one line why.

``REFUSALS`` is read from the top. Derived and secondary images are refused unless they are a vendor's composed view of
several stations or a Dixon reconstruction; so are localizers, projections, reformats, maps, mosaics and single slices.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.language import Phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spinemri.dicom.facts import Frame
    from spinemri.geometry import Geometry

phrases = Phrases("dicom.refusal")

_COMPOSED = frozenset({"COMPOSED", "COMP", "COMP_SP", "COMP_SPINE", "COMPOSE", "MOBIVIEW"})
_COMPOSED_NAME = re.compile(r"(?<![A-Z])(?:COMP|COMPOSED?|MOBI ?VIEW)(?![A-Z])")
_DIXON = frozenset(
    {
        "W",
        "WATER",
        "F",
        "FAT",
        "IP",
        "IN_PHASE",
        "INPHASE",
        "OP",
        "OPP_PHASE",
        "OUT_PHASE",
        "DIXON",
    }
)
_PROJECTION = frozenset(
    {"MIP", "MINIP", "MNIP", "PROJECTION IMAGE", "MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER"}
)
_REFORMAT = frozenset(
    {
        "MPR",
        "CSA MPR",
        "CSA RESAMPLED",
        "CSAPARALLEL",
        "REFORMATTED",
        "CURVED_MPR",
        "MPR_CURVED",
        "THICK_MPR",
    }
)
_MAP = frozenset(
    {
        "ADC",
        "FA",
        "TENSOR",
        "T1 MAP",
        "T2 MAP",
        "T1_MAP",
        "T2_MAP",
        "T2_STAR_MAP",
        "R2_STAR",
        "R2STAR",
        "B0",
        "B1",
        "SUBTRACTION",
        "SUBTRACT",
        "PHASE MAP",
        "FIELD_MAP",
        "CBF",
        "TTP",
        "MTT",
    }
)
_NOT_MAGNITUDE = frozenset(
    {"P", "PHASE", "R", "REAL", "I", "IMAGINARY", "P_SE", "R_SE", "I_SE", "P_FFE", "R_FFE", "I_FFE"}
)
_SCOUT_NAME = re.compile(r"LOCALI[SZ]ER|(?<![A-Z])(?:LOC|SCOUT|SURVEY|3[ -]?P(?:LANE|L)|TOPO|HASTE.?LOC)(?![A-Z])")
_SCOUT_SLICES, _SCOUT_THICKNESS_MM, _SCOUT_FIELD_MM = 3, 7.0, 350.0


@dataclass(frozen=True)
class Stack:
    """What the rules look at: the frames of one stack, their grid when they form one, and of the whole series how many
    stacks it has and in how many planes (sagittal, coronal, axial) they lie.
    """

    frames: Sequence[Frame]
    geometry: Geometry | None
    stacks_in_series: int
    planes_in_series: int

    @property
    def first(self) -> Frame:
        """Any frame: they share image type and orientation."""
        return self.frames[0]

    @property
    def types(self) -> frozenset[str]:
        """Every value of Image Type."""
        return frozenset(self.first.sequence.image_type)

    @property
    def slices(self) -> int:
        """Slices of the grid, or frames when there is none."""
        return self.geometry.shape[0] if self.geometry else len(self.frames)


def is_composed(frame: Frame) -> bool:
    """Whether the scanner joined several stations into this image."""
    kind = frame.sequence.image_type
    derived = "DERIVED" in kind[:1] or "SECONDARY" in kind[1:2]
    named = bool(_COMPOSED_NAME.search(frame.sequence.name.upper().replace("_", " ")))
    return bool(_COMPOSED & set(kind)) or (derived and named)


def refusal(stack: Stack) -> str | None:
    """Why a stack is not measured; None when it may be."""
    return next((phrases["REASONS"][reason] for reason, applies in REFUSALS if applies(stack)), None)


def is_localizer(refused: str) -> bool:
    """Whether a stack was refused for being a localizer."""
    return refused in [words for reason, words in phrases["REASONS"].items() if reason.startswith("a localizer")]


def _derived(stack: Stack) -> bool:
    kind = stack.first.sequence.image_type
    exempt = is_composed(stack.first) or bool(_DIXON & set(kind))
    return ("DERIVED" in kind[:1] or "SECONDARY" in kind[1:2]) and not exempt


def _scout(stack: Stack) -> bool:
    """Image type or name says so, or a few thick slices over a large field."""
    named = bool(_SCOUT_NAME.search(stack.first.sequence.name.upper().replace("_", " ")))
    if "LOCALIZER" in stack.types or (named and stack.slices <= 15):
        return True
    if stack.slices > _SCOUT_SLICES or stack.geometry is None:
        return False
    field = max(n * s for n, s in zip(stack.geometry.shape[1:], stack.geometry.spacing[1:], strict=True))
    return (stack.first.plane.thickness or 0) >= _SCOUT_THICKNESS_MM and field > _SCOUT_FIELD_MM


def _three_planes(stack: Stack) -> bool:
    """Few slices in each of three planes; several blocks of one plane, each angled along a disc, are no localizer."""
    return stack.planes_in_series >= 3 and stack.slices <= _SCOUT_SLICES


REFUSALS: tuple[tuple[str, Callable[[Stack], bool]], ...] = (
    ("Siemens mosaic: many slices tiled in one image", lambda s: "MOSAIC" in s.types),
    (
        "colour image, not an MR image",
        lambda s: s.first.plane.samples != 1 or s.first.plane.photometric not in {"MONOCHROME1", "MONOCHROME2"},
    ),
    ("an animal: its left, right, front and back are named in another way", lambda s: s.first.quadruped),
    ("a localizer: it may help to number levels, it is not measured", _scout),
    ("a projection (MIP), not a slice", lambda s: bool(_PROJECTION & {*s.types, s.first.calculation})),
    ("a reformatted view of another series", lambda s: bool(_REFORMAT & {*s.types, s.first.calculation})),
    ("a calculated map, not an image", lambda s: bool(_MAP & s.types)),
    (
        "phase, real or imaginary image; magnitude is measured",
        lambda s: bool(_NOT_MAGNITUDE & {*s.first.sequence.image_type[2:], s.first.sequence.complex_component}),
    ),
    ("derived or secondary image", _derived),
    ("text is burned into the image", lambda s: s.first.burned_in),
    (
        "a single slice: it can be shown, it is not measured",
        lambda s: s.slices == 1 and s.stacks_in_series == 1 and s.geometry is not None,
    ),
    ("a localizer of three planes: it may help to number levels, it is not measured", _three_planes),
    ("a single slice of this orientation: it is not measured", lambda s: s.slices == 1 and s.geometry is not None),
    ("only 2 slices; at least 3 are needed", lambda s: s.slices == 2 and s.geometry is not None),
)
