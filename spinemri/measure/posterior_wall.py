"""Posterior wall and endplates of a body: retropulsion, displaced share of the wall, depth of the endplates.

Retropulsion is the furthest that the wall lies behind the line that joins the posterior corners of the nearest intact
bodies above and below; negative where all of it lies in front. A healthy wall is straight or hollow, so a hollow is
never a displacement: the expected wall is the line, or the parabola without a bulge to the back and at most 2 mm deep,
that most of the wall follows; what lies more than 1.5 mm behind it is displaced. An endplate's depression is its
largest distance below the chord of its corners; healthy endplates are 1 to 2 mm deep. All of it is measured in the
central third of the body's width: the median over slices at each height or depth.

Known failure: in a kyphosis healthy walls lie up to 1 mm behind the line of their neighbours. A wall that is displaced
over more than half of its height is taken as its own line: the share is too low there, retropulsion is right. A large
fragment shifts the posterior point of the six, so that the share is of a height that is itself wrong; one less than
3 mm high is smoothed away. The posterior corner of S1 is drawn several millimetres off by networks: the interval of
L5's retropulsion counts that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level, StructureKind
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.frame import frame_from
from spinemri.measure.height_loss import INTACT_BELOW_PCT
from spinemri.measure.six_points import FACING
from spinemri.measure.vertebra import BodyShape
from spinemri.measurement import Measurement, Status
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.measure.bodies import Shapes
    from spinemri.measure.height_loss import HeightLoss
    from spinemri.spine import Spine

phrases = Phrases("measure.posterior_wall")

NAMES = (
    "retropulsion_mm",
    "posterior_wall_fraction",
    "endplate_depression_superior_mm",
    "endplate_depression_inferior_mm",
)
DISPLACED_FROM_MM = threshold("posterior_wall.displaced_from")
HOLLOW_UP_TO_MM = threshold("posterior_wall.hollow_up_to")
_REACH = 3  # levels within which an intact body is looked for
_STEP_MM = 1.0
_LEAST_BINS = 6
_CORNER = 0.05  # fraction of the height: where a corner is read off the wall
_CUT_OFF_MM = 0.6
_MIN_PICK_GAP = 0.2  # of the wall's half height


@dataclass(frozen=True, eq=False)
class Wall:
    """The posterior wall of a body in its middle.

    Parameters
    ----------
    points : (n, 3) LPS mm, from the lower to the upper endplate
    upper, lower : (3,) LPS mm; its corners, on the wall without what is displaced, 5 % of the height from its ends
    displaced : (n,) mm that each point lies behind the wall without what is displaced
    """

    points: NDArray[np.float64]
    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    displaced: NDArray[np.float64]


Walls = dict[Level, Wall | None]


def posterior_wall(shape: BodyShape) -> Wall | None:
    """The wall between the posterior ends of the endplates, or None where its outline cannot be followed."""
    low, high = (float(shape.frame.to_local(end[2:3])[0, 2]) for end in (shape.lower, shape.upper))
    edges = np.linspace(low, high, max(round((high - low) / _STEP_MM), _LEAST_BINS) + 1)
    slices = []
    for outline in shape.outline:
        local = shape.frame.to_local(outline.points)
        wall = (outline.normals @ shape.frame.posterior > FACING) & (local[:, 1] > 0)
        slices.append(binned(local[wall, 2], local[wall, 1], edges))
    behind = median_of(slices)
    height = (edges[1:] + edges[:-1]) / 2
    known = np.isfinite(behind)
    if np.count_nonzero(known) < _LEAST_BINS:
        return None
    height, behind = height[known], behind[known]
    expected = _expected_wall(height, behind)
    inset = _CORNER * (high - low)
    ends = np.array([low + inset, high - inset])
    lower, upper = _placed(shape, np.polynomial.polynomial.polyval(ends, expected), ends)
    displaced = behind - np.polynomial.polynomial.polyval(height, expected)
    return Wall(_placed(shape, behind, height), upper, lower, displaced)


def posterior_walls(whole: Shapes) -> Walls:
    """The wall of every body that has a shape."""
    return {v: posterior_wall(s) for v, s in whole.items() if isinstance(s, BodyShape)}


def wall_measurements(
    spine: Spine, whole: Shapes, walls: Walls, shapes: Shapes, losses: Mapping[Level, HeightLoss | None]
) -> list[Measurement]:
    """Retropulsion, displaced share of the wall and depth of both endplates at every body, head to foot.

    Parameters
    ----------
    whole : shapes with that of S1, which serves as the body below L5
    walls : of ``whole``
    shapes : of the bodies that have heights
    losses : of every body with heights; intact bodies have lost less than 15 %
    """
    intact = _intact(whole, losses)
    found: list[Measurement] = []
    for vertebra in spine.vertebrae:
        place = Place(StructureKind.VERTEBRAL_BODY, vertebra.level, None, vertebra.series_uid)
        shape = shapes[place.level]
        if isinstance(shape, Gap):
            found += [place.absent(name, shape) for name in NAMES]
            continue
        stated = [_retropulsion(place, shape, walls, intact), _share(place, walls[place.level])]
        stated += [_depression(place, shape, upper=upper) for upper in (True, False)]
        found += [
            m.model_copy(update={"flags": (*shape.flags, *m.flags)}) if m.value is not None else m for m in stated
        ]
    return found


def _intact(shapes: Shapes, losses: Mapping[Level, HeightLoss | None]) -> dict[Level, bool]:
    """Level -> whether its corners may serve as reference; S1 always does."""
    known = {v: loss is not None and loss.loss_pct.max() < INTACT_BELOW_PCT for v, loss in losses.items()}
    return {v: isinstance(s, BodyShape) and (v.region == "S" or known.get(v, False)) for v, s in shapes.items()}


def _retropulsion(place: Place, shape: BodyShape, walls: Walls, intact: Mapping[Level, bool]) -> Measurement:
    order = [*intact]
    at, wall = order.index(place.level), walls[place.level]
    above = [v for v in order[max(at - _REACH, 0) : at] if intact[v] and walls[v] is not None][-1:]
    below = [v for v in order[at + 1 : at + 1 + _REACH] if intact[v] and walls[v] is not None][:1]
    if wall is None:
        return place.absent(NAMES[0], _no_wall(place))
    if not above or not below:
        where = phrases.ABOVE if not above else phrases.BELOW
        return place.absent(NAMES[0], Gap(Status.NOT_ASSESSABLE, phrases.NO_INTACT_BODY_DRAW_LINE.format(where=where)))
    top, bottom = walls[above[0]], walls[below[0]]
    if top is None or bottom is None:
        return place.absent(NAMES[0], _no_wall(place))
    line = frame_from(bottom.upper, top.lower - bottom.upper, shape.frame.left)
    behind = smoothed(line.to_local(wall.points)[:, 1])
    furthest = int(np.argmax(behind))
    ends = np.stack([wall.points[furthest], wall.points[furthest] - behind[furthest] * line.posterior])
    sacral = threshold("interval.sacral_corner") if below[0].region == "S" else 0.0
    own = threshold("interval.retropulsion") * shape.pixel_mm
    sd = float(np.linalg.norm([own, sacral, np.sqrt(2) * shape.drawing.wall]))
    stated = place.measured(NAMES[0], float(behind[furthest]), sd, ends)
    return stated.model_copy(update={"reference_levels": (above[0], below[0])})


def _share(place: Place, wall: Wall | None) -> Measurement:
    if wall is None:
        return place.absent(NAMES[1], _no_wall(place))
    share = float(np.mean(wall.displaced > DISPLACED_FROM_MM))
    sd = threshold("interval.wall_share") + threshold("interval.wall_share_displaced") * np.sqrt(share)
    return place.measured(NAMES[1], share, sd)


def _depression(place: Place, shape: BodyShape, *, upper: bool) -> Measurement:
    """Depth of an endplate below the chord of its corners, the largest of the medians over slices."""
    name = NAMES[2] if upper else NAMES[3]
    chord = shape.upper if upper else shape.lower
    normal = shape.superior_normal if upper else -shape.inferior_normal
    frame = frame_from(chord[2], normal, shape.frame.left if upper else -shape.frame.left)
    length = float(np.linalg.norm(chord[0] - chord[2]))
    edges = np.linspace(-length, 0, max(round(length / _STEP_MM), _LEAST_BINS) + 1)
    slices = []
    for outline in shape.outline:
        local = frame.to_local(outline.points)
        outer = (outline.points - shape.frame.origin) @ normal > 0
        plate = outer & (outline.normals @ normal > 0)
        slices.append(binned(local[plate, 1], local[plate, 2], edges, furthest=True))
    heights = median_of(slices)
    if np.count_nonzero(np.isfinite(heights)) < _LEAST_BINS:
        return place.absent(
            name, Gap(Status.NOT_ASSESSABLE, phrases.ENDPLATE_CANNOT_FOLLOWED.format(level=place.level))
        )
    lowest = int(np.nanargmin(heights))
    along = float((edges[lowest] + edges[lowest + 1]) / 2)
    ends = frame.to_patient([[0.0, along, 0.0], [0.0, along, heights[lowest]]])
    sd = float(np.hypot(threshold("interval.endplate_depression") * shape.pixel_mm, shape.drawing.edges))
    return place.measured(name, -float(heights[lowest]), sd, ends)


def _expected_wall(height: NDArray[np.float64], behind: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients (2,) or (3,) of where the wall would lie at a height if nothing of it were displaced.

    Lines through pairs and parabolas through triples of nine points compete by their residuals, cut off at 0.6 mm;
    parabolas that bulge to the back, or are hollowed out more than a healthy wall, do not take part. The winner is
    fitted again to what lies near it.
    """
    half = float(np.ptp(height)) / 2
    x = (height - height.mean()) / half
    design = np.stack([np.ones_like(x), x, x**2], axis=1)
    picks = np.round(np.linspace(0.0, 1.0, 9) * (len(x) - 1)).astype(int)
    best, cost, degree = np.full_like(behind, np.median(behind)), np.inf, 1
    for size in (2, 3):
        for chosen in combinations(picks, size):
            if np.min(np.diff(x[list(chosen)])) < _MIN_PICK_GAP:
                continue
            answer = np.linalg.solve(design[np.ix_(chosen, range(size))], behind[list(chosen)])
            if size == 3 and not 0 <= answer[2] <= HOLLOW_UP_TO_MM:
                continue
            expected = design[:, :size] @ answer
            total = float(np.minimum(np.abs(behind - expected), _CUT_OFF_MM).sum())
            if total < cost - 1e-6:
                best, cost, degree = expected, total, size - 1
    kept = np.abs(behind - best) < DISPLACED_FROM_MM / 2
    if np.count_nonzero(kept) < _LEAST_BINS:
        return np.asarray(np.polynomial.polynomial.polyfit(height, best, degree), dtype=np.float64)
    return np.asarray(np.polynomial.polynomial.polyfit(height[kept], behind[kept], degree), dtype=np.float64)


def binned(
    x: NDArray[np.float64], y: NDArray[np.float64], edges: NDArray[np.float64], *, furthest: bool = False
) -> NDArray[np.float64]:
    """Median (or largest) ``y`` between successive ``edges`` of ``x``; NaN where there is none."""
    place = np.digitize(x, edges) - 1
    bins = [y[place == n] for n in range(len(edges) - 1)]
    statistic = np.max if furthest else np.median
    return np.array([statistic(values) if len(values) else np.nan for values in bins])


def median_of(slices: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Median over slices bin by bin; NaN where no slice has a value."""
    stack = np.stack(slices)
    empty = ~np.isfinite(stack).any(axis=0)
    stack[:, empty] = 0.0
    return np.where(empty, np.nan, np.nanmedian(stack, axis=0))


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of each value and its two neighbours, so that a largest value is not that of the noise."""
    padded = np.pad(values, 1, mode="edge")
    return np.asarray(np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0))


def _placed(shape: BodyShape, behind: NDArray[np.float64], height: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, 3), LPS mm, in the body's mid-plane."""
    return shape.frame.to_patient(np.stack([np.zeros_like(height), behind, height], axis=1))


def _no_wall(place: Place) -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.POSTERIOR_WALL_CANNOT_FOLLOWED.format(level=place.level))
