"""A stack of frames becomes a ``Series``: contrast, plane, grid, and whether it may be measured."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.dicom.contrast import classify, contradiction
from spinemri.dicom.pixels import undecodable
from spinemri.dicom.refusal import Stack, is_composed, refusal
from spinemri.dicom.slices import Arrangement, arrange, missing_geometry, normal_of
from spinemri.dicom.stacks import missing_parts
from spinemri.errors import SeriesError
from spinemri.language import Phrases
from spinemri.series import Contrast, Plane, Series, SeriesFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.dicom.facts import Frame, PlaneFacts, SequenceFacts

phrases = Phrases("dicom.describe")

_PLANES = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)
_OBLIQUE_DEG = 20.0
_REGIONS = (
    ("whole spine", r"WSPINE|WHOLE ?SPINE|TOTAL ?SPINE|GANZE ?WS|(?<![A-Z])GWS"),
    ("cervicothoracic", r"CTSPINE"),
    ("thoracolumbar", r"TLSPINE"),
    ("lumbosacral", r"LSSPINE"),
    ("cervical", r"C-?SPINE|CERV|HWS|(?<![A-Z])NECK"),
    ("thoracic", r"T-?SPINE|THORA|DORS|BWS"),
    ("lumbar", r"L-?SPINE|LUMB|LWS"),
    ("sacral", r"SSPINE|SACR"),
)


def describe(stacks: Sequence[Sequence[Frame]], stack: int, first_plain: str) -> Series:
    """Header facts of one stack.

    Parameters
    ----------
    stacks : all stacks of a DICOM series, the image planes of each in any order
    stack : index of the one to describe
    first_plain : time of the first series of the study without contrast agent; empty when there is none
    """
    frames = stacks[stack]
    ordered = _spatial_order(frames)
    first = ordered[0]
    facts = first.sequence
    label = Series(series_uid=first.series_uid, number=first.number, stack=stack).label
    arrangement, geometry_fault = _arrangement(ordered, label)
    time = min((f.time for f in frames if f.time), default="")
    contrast, reason, agent = classify(facts, after_plain=bool(first_plain) and time > first_plain)
    geometry = arrangement.geometry if arrangement else None
    planes = {plane_of(other[0].plane)[0] for other in stacks}
    facts_for_rules = Stack(ordered, geometry, len(stacks), len(planes))
    plane, obliquity = plane_of(first.plane)
    return Series(
        series_uid=first.series_uid,
        study_uid=first.study_uid,
        frame_of_reference_uid=first.plane.frame_of_reference_uid,
        number=first.number,
        stack=stack,
        description=facts.name,
        contrast=contrast,
        contrast_reason=reason,
        contrast_agent=agent,
        plane=plane,
        obliquity_deg=obliquity,
        composed=is_composed(first),
        region=region_of(facts.body_part, facts.name),
        shape=geometry.shape if geometry else None,
        spacing=geometry.spacing if geometry else None,
        reach_mm=geometry.span(2) if geometry else None,
        slice_thickness_mm=first.plane.thickness,
        repetition_time_ms=facts.repetition_time,
        echo_time_ms=facts.echo_time,
        inversion_time_ms=facts.inversion_time or None,
        field_strength_t=facts.field_strength,
        acquisition_time=time,
        files=_files(ordered),
        warnings=tuple(_warnings(ordered, facts, contrast, agent, arrangement)),
        refusal=refusal(facts_for_rules)
        or missing_parts(ordered)
        or undecodable(first.transfer_syntax)
        or geometry_fault
        or next((frame.plane.misscaled for frame in ordered if frame.plane.misscaled), None),
    )


def region_of(body_part: str, name: str) -> str:
    """Part of the spine by Body Part Examined, or else by the name; empty when neither says it."""
    for words in (body_part, name.upper().replace("_", " ")):
        if found := next((region for region, pattern in _REGIONS if re.search(pattern, words)), None):
            return found
    return ""


def plane_of(plane: PlaneFacts) -> tuple[Plane, float | None]:
    """Plane whose axis the normal is nearest to, and the angle between them in degrees."""
    anywhere = replace(plane, position=(0.0, 0.0, 0.0), pixel_spacing=(1.0, 1.0), misplaced="")
    if missing_geometry(anywhere):
        return Plane.UNKNOWN, None
    components = np.abs(normal_of(plane))
    axis = int(np.argmax(components))
    return _PLANES[axis], round(float(np.degrees(np.arccos(min(1.0, components[axis])))), 1)


def _spatial_order(frames: Sequence[Frame]) -> list[Frame]:
    """Along the normal; ties and frames without geometry by instance number and path, so that order never matters."""
    tied = sorted(frames, key=lambda f: (f.instance or 0, f.index or 0, str(f.path)))
    if any(missing_geometry(frame.plane) for frame in tied):
        return tied
    normal = normal_of(min(tied, key=lambda f: f.plane.orientation or ()).plane)
    return sorted(tied, key=lambda f: round(float(np.dot(normal, f.plane.position or (0, 0, 0))), 3))


def _arrangement(frames: Sequence[Frame], label: str) -> tuple[Arrangement | None, str | None]:
    """The grid, or the reason why there is none without the words that name the series."""
    try:
        return arrange(frames, label), None
    except SeriesError as error:
        return None, str(error).removeprefix(f"series {label}: ")


def _files(frames: Sequence[Frame]) -> tuple[SeriesFile, ...]:
    """Files in spatial order; frames of one multi-frame file stay together."""
    if all(frame.index is None for frame in frames):
        return tuple(SeriesFile(path=frame.path) for frame in frames)
    paths = dict.fromkeys(frame.path for frame in frames)
    return tuple(
        SeriesFile(path=path, frames=tuple(f.index for f in frames if f.path == path and f.index is not None))
        for path in paths
    )


def _warnings(
    frames: Sequence[Frame], facts: SequenceFacts, contrast: Contrast, agent: str, arrangement: Arrangement | None
) -> list[str]:
    remarks = [contradiction(facts, contrast)]
    if agent == "uncertain":
        remarks.append(phrases.CONTRAST_AGENT_UNCERTAIN_ATTRIBUTE_TIME)
    if facts.repetition_time is None or facts.echo_time is None:
        remarks.append(phrases.CONTRAST_TAKEN_WITHOUT_TR_TE)
    if any(frame.lossy for frame in frames):
        remarks.append(phrases.COMPRESSED_WITH_LOSS_SMALL_SIGNAL)
    if is_composed(frames[0]):
        remarks.append(phrases.COMPOSED_FROM_SEVERAL_STATIONS_DISTANCES)
    if arrangement:
        remarks.extend(arrangement.warnings)
        if arrangement.repeats > 1:
            remarks.append(phrases.UP_IMAGES_ONE_POSITION.format(repeats=arrangement.repeats))
    obliquity = plane_of(frames[0].plane)[1]
    if obliquity is not None and obliquity >= _OBLIQUE_DEG:
        remarks.append(phrases.OBLIQUE_DEGREES_OFF_PLANE.format(obliquity=obliquity))
    return [remark for remark in remarks if remark]
