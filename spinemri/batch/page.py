"""``index.html`` of an output folder: which studies are urgent, which failed and why, links to the reports, how the
main measurements are distributed and what lies far out.

One file that opens offline: no script and no request. jinja2 escapes every text.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from spinemri.batch import store
from spinemri.batch.cohort import cohort
from spinemri.finding import Urgency
from spinemri.report.page_parts import environment_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from spinemri.batch.store import Record

_URGENT_FIRST = {urgency.value: n for n, urgency in enumerate(reversed(Urgency))}


def page(out: Path, records: Sequence[Record]) -> str:
    """The page as text; urgent studies stand first, then by id.

    Parameters
    ----------
    out : folder of the results, in which the reports and ``results.csv`` lie
    records : of every study
    """
    done = [record for record in records if record.status == store.DONE]
    failed = [record for record in records if record.status == store.FAILED]
    distributions, outliers = cohort(out / "results.csv")
    return (
        environment_of("spinemri.batch")
        .get_template("index.html")
        .render(
            done=sorted(done, key=lambda r: (_URGENT_FIRST.get(r.urgency, len(_URGENT_FIRST)), r.id)),
            failed=failed,
            causes=Counter(record.error for record in failed).most_common(),
            links={record.id: _link(out, record.id) for record in done},
            distributions=distributions,
            outliers=outliers,
            urgent=sum(bool(record.urgency) for record in done),
        )
    )


def _link(out: Path, name: str) -> str:
    """Path of the report to open, from the page; empty when the result was removed."""
    folder = store.result_folder(out, name)
    files = ("report.html", "report.txt", "report.json")
    return next((f"studies/{name}/{file}" for file in files if (folder / file).is_file()), "")
