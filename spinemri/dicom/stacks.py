"""One DICOM series may hold several volumes; a stack is what can be loaded as one.

Frames are split by orientation, echo time, image type (Dixon and complex components), b-value and Stack ID. When
positions still repeat they are split by temporal position, then by acquisition, then by place within the plane, but
only if that leaves each stack with every position once; exact copies are left for loading to drop.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from spinemri.dicom.slices import distances, missing_geometry, position_groups
from spinemri.language import Phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from spinemri.dicom.facts import Frame

phrases = Phrases("dicom.stacks")

_SAME_DIRECTION = 2e-3  # difference of direction cosines: 0.1 degrees
_PLACE_MM = 10.0


def split(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Stacks of one DICOM series, in an order that does not depend on the order of the files.

    Parameters
    ----------
    frames : all image planes of one Series Instance UID
    """
    stacks: list[list[Frame]] = []
    for same_kind in _groups(frames, _kind):
        for parallel in _by_orientation(same_kind):
            stacks.extend(_split_repeats(parallel))
    return stacks


def repeats(frames: Sequence[Frame]) -> int:
    """How many frames lie at the most crowded position of a stack."""
    if any(missing_geometry(frame.plane) for frame in frames):
        return 1
    planes = [frame.plane for frame in frames]
    return max(len(group) for group in position_groups(distances(planes)))


def missing_parts(frames: Sequence[Frame]) -> str | None:
    """Which parts of a concatenated multi-frame object are absent; None when it is complete or not concatenated."""
    parts = {frame.concatenation for frame in frames if frame.concatenation}
    for uid, _, total in sorted(parts, key=repr):
        have = {part for other, part, _ in parts if other == uid}
        lacking = [str(n) for n in range(1, (total or 0) + 1) if n not in have]
        if lacking or total is None or None in have:
            return phrases.PART_CONCATENATION_MISSING.format(items=", ".join(lacking) or "?", total=total or "?")
    return None


def _kind(frame: Frame) -> Hashable:
    facts = frame.sequence
    echo = -1.0 if facts.echo_time is None else round(facts.echo_time, 1)
    b_value = -1.0 if facts.b_value is None else round(facts.b_value)
    return (facts.image_type[2:], facts.complex_component, echo, b_value, frame.stack_id, frame.plane.samples)


def _groups(frames: Iterable[Frame], key: Callable[[Frame], Hashable]) -> list[list[Frame]]:
    found: defaultdict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        found[key(frame)].append(frame)
    return [found[k] for k in sorted(found, key=repr)]


def _by_orientation(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Clusters of equal orientation; frames without one form their own."""
    clusters: list[list[Frame]] = []
    for frame in sorted(
        frames, key=lambda f: (f.plane.orientation or (), f.plane.position or (), str(f.path), f.index or 0)
    ):
        for cluster in clusters:
            if _parallel(cluster[0].plane.orientation, frame.plane.orientation):
                cluster.append(frame)
                break
        else:
            clusters.append([frame])
    return clusters


def _parallel(one: tuple[float, ...] | None, other: tuple[float, ...] | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.abs(np.subtract(one, other)).max() <= _SAME_DIRECTION)


def _split_repeats(frames: list[Frame]) -> list[list[Frame]]:
    crowd = repeats(frames)
    if crowd == 1:
        return [frames]
    for key in (_temporal, _acquisition, _place(frames)):
        parts = _groups(frames, key)
        if len(parts) == crowd and all(repeats(part) == 1 for part in parts):
            return parts
    return [frames]


def _temporal(frame: Frame) -> Hashable:
    return -1 if frame.temporal is None else frame.temporal


def _acquisition(frame: Frame) -> Hashable:
    return -1 if frame.acquisition is None else frame.acquisition


def _place(frames: Sequence[Frame]) -> Callable[[Frame], Hashable]:
    """Key of where a slice lies within its plane, for two blocks side by side such as cervical and lumbar."""
    cosines = np.asarray(frames[0].plane.orientation or np.zeros(6), dtype=np.float64).reshape(2, 3)

    def key(frame: Frame) -> Hashable:
        within = cosines @ np.asarray(frame.plane.position or (0, 0, 0), dtype=np.float64)
        return tuple(int(v) for v in np.round(within / _PLACE_MM))

    return key
