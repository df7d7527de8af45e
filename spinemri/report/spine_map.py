"""The map of the spine: a row per level from head to foot, coloured by the weightiest thing found there.

A level that nobody saw is named as a gap, and one that was seen but not measured is never shown as free of findings:
'nothing reported' stands only where something was measured. A disc belongs to the vertebra above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.anatomy import STANDARD_LEVELS
from spinemri.finding import Certainty
from spinemri.report.lesion_values import DIAMETER, finding_of, first_kind, looks_benign, quantity, values_of
from spinemri.report.lesions import MOST_CARDS
from spinemri.report.narrative import is_reported
from spinemri.report.phrases import page_phrases as words
from spinemri.report.sentences import level_ranges
from spinemri.report.statements import HEIGHT_LOSS_KIND
from spinemri.report.tables import HEIGHT_LOSS, level_rows
from spinemri.terms import kind_of, term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level
    from spinemri.finding import Finding
    from spinemri.report.tables import LevelRow

GROUPS = {
    HEIGHT_LOSS_KIND: "fracture",
    "thecal_sac_narrowing": "narrowing",
    "foraminal_narrowing": "narrowing",
    "escc": "narrowing",
    "escc_screen": "narrowing",
    "cord_compression": "narrowing",
    "cord_displacement": "other",
    "cord_signal": "other",
    "spondylolisthesis": "other",
    "disc_bulge": "other",
    "disc_degeneration": "other",
    "posterior_ligament_signal": "other",
}
"""Kind of a finding -> what it counts as on the map; kinds that judge other findings are not on it."""
_AXIS = 2  # rank of C2: the atlas and the axis have no body height


@dataclass(frozen=True)
class MapItem:
    """One thing found at a level: what it counts as, in words, where it stands in the page and lies in the images."""

    kind: str
    text: str
    href: str
    place: str


@dataclass(frozen=True)
class MapRow:
    """One level, or a gap: levels that are not seen. ``kind`` is the weightiest of its items."""

    level: str
    kind: str
    items: tuple[MapItem, ...] = ()
    gap: str = ""


def spine_map(analysis: Analysis) -> tuple[MapRow, ...]:
    """Rows from head to foot with the gaps between and around them; gaps of relative levels cannot be named."""
    rows = {row.level: _row(analysis, row) for row in level_rows(analysis)}
    if not rows or any(level.is_relative for level in rows):
        return tuple(rows.values())
    return tuple(_with_gaps(rows))


def map_key(rows: tuple[MapRow, ...]) -> tuple[str, ...]:
    """What the map's colours mean, of those that it uses."""
    used = {item.kind for row in rows for item in row.items} | {row.kind for row in rows if not row.gap}
    return tuple(kind for kind in words["CLASSES"] if kind in used)


def _with_gaps(rows: dict[Level, MapRow]) -> Iterator[MapRow]:
    first, last = min(rows), max(rows)
    for level in sorted({*rows, *STANDARD_LEVELS}):
        missing = [other for other in STANDARD_LEVELS if other not in rows]
        if level in rows:
            yield rows[level]
        elif level == missing[0] or _before(level) in rows:
            run = _run(level, rows)
            phrase = words["MAP"]["not_named"] if first < level < last else words["MAP"]["not_seen"]
            yield MapRow("", "gap", gap=phrase.format(levels=level_ranges(run, STANDARD_LEVELS)))


def _before(level: Level) -> Level:
    return STANDARD_LEVELS[max(0, STANDARD_LEVELS.index(level) - 1)]


def _run(level: Level, rows: dict[Level, MapRow]) -> list[Level]:
    """The level and those below it that are not seen either."""
    run = []
    for other in STANDARD_LEVELS[STANDARD_LEVELS.index(level) :]:
        if other in rows:
            break
        run.append(other)
    return run


def _row(analysis: Analysis, row: LevelRow) -> MapRow:
    found = sorted((*_findings(analysis, row.level), *_lesions(analysis, row.level)), key=_weight)
    items = (*found, *_gaps(analysis, row))
    return MapRow(str(row.level), items[0].kind if items else "nothing", items)


def _weight(item: MapItem) -> int:
    return list(words["CLASSES"]).index(item.kind)


def _findings(analysis: Analysis, level: Level) -> Iterator[MapItem]:
    for finding in analysis.findings:
        worth = is_reported(finding) and finding.kind in GROUPS
        if worth and finding.levels and finding.levels[0] == level:
            text = _finding_text(analysis, finding)
            text = words["MAP"]["borderline"].format(text=text) if finding.certainty is Certainty.BORDERLINE else text
            place = "-".join(map(str, finding.levels))
            yield MapItem(GROUPS[finding.kind], text, f"#level-{level}", place)


def _finding_text(analysis: Analysis, finding: Finding) -> str:
    measured = (analysis.measurement(id_) for id_ in finding.evidence)
    loss = next((m for m in measured if m is not None and m.name == HEIGHT_LOSS and m.value is not None), None)
    if finding.kind == HEIGHT_LOSS_KIND and loss is not None:
        grade = words["GENANT"].get(finding.grade) or term(finding.grade)
        said = words["MAP"]["grade"].format(grade=grade) if grade else ""
        return words["MAP"]["height_loss"].format(value=loss.value, grade=said)
    kind = words["FINDING_KINDS"].get(finding.kind) or kind_of(finding.kind)
    kind = words["MAP"]["sided"].format(kind=kind, side=term(finding.side)) if finding.side else kind
    place = f"{'-'.join(map(str, finding.levels))} " if len(finding.levels) > 1 else ""
    grade = term(finding.grade)
    named = (
        words["FINDING_GRADES"][finding.kind].format(grade=grade) if finding.kind in words["FINDING_GRADES"] else grade
    )
    grade = words["MAP"]["finding_grade"].format(grade=named) if finding.grade else ""
    return words["MAP"]["finding"].format(place=place, kind=kind, grade=grade)


def _lesions(analysis: Analysis, level: Level) -> Iterator[MapItem]:
    for n, lesion in enumerate(analysis.lesions):
        if level not in lesion.levels:
            continue
        finding = finding_of(analysis, lesion)
        size = quantity(values_of(analysis, lesion).get(DIAMETER))
        text = words["MAP"]["lesion"].format(
            lesion=lesion.id,
            size=words["MAP"]["lesion_size"].format(size=size) if size else "",
            kind=term(first_kind(lesion, finding).value),
        )
        anchor = f"#{lesion.id}" if n < MOST_CARDS else f"#row-{lesion.id}"
        yield MapItem("benign" if looks_benign(lesion, finding) else "lesion", text, anchor, lesion.id)


def _gaps(analysis: Analysis, row: LevelRow) -> Iterator[MapItem]:
    """What was not assessed at a level; nobody expects a height of C1, C2 or the sacrum."""
    vertebra, level = row.vertebra, row.level
    expected = level.is_relative or (level.rank > _AXIS and level.region != "S")
    missing = []
    if vertebra.cut:
        missing.append(words["MAP"]["cut"])
    elif vertebra.excluded:
        missing.append(words["MAP"]["excluded"].format(reason=vertebra.excluded))
    elif expected and (row.height_loss is None or row.height_loss.value is None):
        missing.append(words["MAP"]["no_height"])
    if any(level == other for other, _ in analysis.marrow.not_assessed) and analysis.marrow.assessed:
        missing.append(words["MAP"]["no_marrow"])
    sac = (row.sac_at_body, row.sac_at_disc)
    if expected and all(m is None or m.value is None for m in sac):
        missing.append(words["MAP"]["no_sac"])
    yield from (MapItem("gap", text, f"#level-{level}", str(level)) for text in missing)
