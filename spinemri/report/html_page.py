"""``report.html``: one file that opens offline, in light or dark, on paper or on a phone.

Everything is inside the file: styles, pictures as data URIs, one script, no request. The file's own policy lets it run
that script and nothing else, and load nothing. jinja2 escapes every text, since series descriptions and reasons come
from outside. Without scripts the page shows the middle of every series and every table.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from spinemri.language import in_its_language, spoken
from spinemri.measurement import Status
from spinemri.report.examination import alignment_pairs, contrast_list, pair_names
from spinemri.report.figure import sagittal_figure
from spinemri.report.lesions import lesion_section
from spinemri.report.narrative import narrate
from spinemri.report.page_parts import POLICY, checksum, embedded, environment_of, source
from spinemri.report.page_places import place_of, start
from spinemri.report.page_review import review_groups, review_identity
from spinemri.report.page_tables import grid_text, page_row, page_shift
from spinemri.report.phrases import marrow_phrases, page_phrases, phrases
from spinemri.report.profiles import drawings
from spinemri.report.reviewed import disclaimer
from spinemri.report.spine_map import map_key, spine_map
from spinemri.report.tables import level_rows
from spinemri.report.viewer import viewer_document

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.analysis import Analysis
    from spinemri.case import Case

_PACKAGE = "spinemri.report"
_STYLES = ("report.css", "spine.css", "viewer.css", "lesions.css", "review.css", "profiles.css", "print.css")
_SCRIPT = "report.js"
_PRINTED_CARDS = 4  # of lesions: more would not leave a report of four pages; the table holds all of them


def write_html(case: Case, folder: Path) -> None:
    """Write ``report.html``."""
    (folder / "report.html").write_text(to_html(case), encoding="utf-8")


@in_its_language
def to_html(case: Case) -> str:
    """The page as text."""
    analysis = case.analysis
    style, script = "".join(map(partial(source, _PACKAGE), _STYLES)), source(_PACKAGE, _SCRIPT)
    return (
        environment_of(_PACKAGE)
        .get_template("report.html")
        .render(
            analysis=analysis,
            phrases=phrases,
            language=spoken(),
            words=phrases["PAGE"],
            page_words=page_phrases,
            marrow_words=marrow_phrases,
            policy=POLICY.format(script=checksum(script), style=checksum(style)),
            style=style,
            script=script,
            data=embedded(_script_data(case)),
            contrasts=contrast_list(analysis),
            figures=[sagittal_figure(case, series, image, mask) for series, image, mask in case.sagittal()],
            lesions=lesion_section(case),
            printed_cards=_PRINTED_CARDS,
            disclaimer=disclaimer(analysis),
            **_told(analysis),
        )
    )


def _told(analysis: Analysis) -> dict[str, object]:
    """What the page says in words, maps and tables."""
    narrative, rows = narrate(analysis), level_rows(analysis)
    losses = [row.height_loss for row in rows]
    spine = spine_map(analysis)
    return {
        "narrative": narrative,
        "impression": [(sentence, place_of(analysis, sentence)) for sentence in narrative.impression.sentences],
        "urgent": any(s.tone == "urgent" for s in narrative.urgent.sentences),
        "spine_rows": spine,
        "spine_key": map_key(spine),
        "rows": [page_row(analysis, row) for row in rows],
        "measured_count": sum(m is not None and m.status is Status.MEASURED for m in losses),
        "matches": [(pair_names(analysis, p[0]), [page_shift(a) for a in p]) for p in alignment_pairs(analysis)],
        "grids": {record.series.series_uid: grid_text(record.series) for record in analysis.series},
        "skipped": Counter(skipped.reason for skipped in analysis.skipped).most_common(),
        "review": review_groups(analysis),
        "drawings": drawings(analysis),
    }


def _script_data(case: Case) -> dict[str, object]:
    """What the script is handed: the viewer's slices, the words it shows, and which analysis a review is of."""
    viewer, review = dict(page_phrases["VIEWER"]), dict(page_phrases["REVIEW"])
    words = {"viewer": viewer, "review": review, "sort": page_phrases.SORT}
    facts = {"words": words, "start": start(case.analysis), "review": review_identity(case.analysis)}
    return {**facts, **viewer_document(case)}
