"""``--debug FILE.zip``: what a bug report needs, without identifiers and without pixels.

Of headers it holds the few facts that decide how a series is read, taken from ``Series`` by name; nothing that is not
named here gets in. Traces hold files of the program, lines and functions, never values or messages of libraries.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinemri.cli.console import warning
from spinemri.errors import OutputError, SpineMRIError
from spinemri.faults import Fault, cause_of, trace_of

if TYPE_CHECKING:
    from spinemri.analysis import Analysis
    from spinemri.series import Series

Debug = Annotated[
    Path | None,
    typer.Option("--debug", help="Write a zip for a bug report: versions, facts of series, timings, no identifiers."),
]
_SERIES = (
    *("number", "stack", "source", "contrast", "contrast_reason", "contrast_agent", "plane", "obliquity_deg"),
    *("composed", "region", "shape", "spacing", "reach_mm", "slice_thickness_mm", "repetition_time_ms"),
    *("echo_time_ms", "inversion_time_ms", "field_strength_t", "warnings", "refusal"),
)
_LIBRARIES = (
    *("spinemri", "pydicom", "highdicom", "SimpleITK", "numpy", "scipy", "torch", "monai", "pydantic", "matplotlib"),
    *("reportlab", "python-gdcm"),
)


@dataclass(eq=False)
class Bundle:
    """What is gathered while a command runs; written when it ends, however it ends."""

    options: Mapping[str, object]
    series: list[dict[str, object]] = field(default_factory=list)
    failures: list[dict[str, object]] = field(default_factory=list)
    events: list[Mapping[str, object]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def saw(self, found: Sequence[tuple[Series, str]]) -> None:
        """Take over the facts of series, each with the reason why it was not used."""
        self.series = [facts_of(series) | {"not_used_because": why} for series, why in found]

    def made(self, analysis: Analysis) -> None:
        """Take over what an analysis tells."""
        self.saw([(record.series, "" if record.used else record.reason) for record in analysis.series])
        self.failed(analysis.failures)
        self.seconds = dict(analysis.provenance.seconds)

    def failed(self, faults: Sequence[Fault]) -> None:
        """Add faults with their traces."""
        self.failures += [{**fault.model_dump(), "trace": list(fault.trace)} for fault in faults]


def facts_of(series: Series) -> dict[str, object]:
    """The facts of a series that may leave: geometry, physics and what was concluded from them."""
    return series.model_dump(mode="json", include=set(_SERIES))


@contextmanager
def bundle(path: Path | None, command: str, **options: object) -> Iterator[Bundle]:
    """A bundle that is written to ``path`` at the end, also when the command fails; not at all without a path.

    Parameters
    ----------
    command : name of the command
    options : what was chosen, without paths and free text
    """
    made = Bundle(options)
    error: BaseException | None = None
    try:
        yield made
    except BaseException as raised:
        error = raised
        raise
    finally:
        if path is not None:
            _write(path, command, made, error)


def _write(path: Path, command: str, made: Bundle, error: BaseException | None) -> None:
    ended: dict[str, object] = {"ended": "completed"}
    if error is not None:
        kind = "refused" if isinstance(error, SpineMRIError) else "failed"
        cause = _without_names(cause_of(error))
        ended = {"ended": kind, "error": type(error).__name__, "cause": cause, "trace": list(trace_of(error))}
    parts = {
        "about.json": {**_about(), "command": command, "options": dict(made.options), **ended},
        "series.json": made.series,
        "failures.json": made.failures,
        "events.json": made.events,
        "seconds.json": made.seconds,
    }
    partial = path.with_name(f".{path.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in parts.items():
                packed.writestr(name, json.dumps(content, indent=2, default=str) + "\n")
        partial.replace(path)
    except OSError as fault:
        partial.unlink(missing_ok=True)
        if error is None:
            raise OutputError(f"debug file {path.name}: cannot be written ({fault.strerror})") from fault
        warning(f"debug file {path.name}: cannot be written ({fault.strerror})")


def _without_names(told: str) -> str:
    """A message without what was typed: a folder may be named after a patient."""
    typed = {Path(word).name for word in sys.argv[1:] if not word.startswith("-")}
    for name in sorted((name for name in typed if len(name) > 2), key=len, reverse=True):
        told = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", told)
    return told


def _about() -> dict[str, object]:
    """Versions and the kind of machine; not its name, and nothing of its user."""
    return {
        "libraries": {name: version(name) for name in _LIBRARIES},
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": os.cpu_count(),
    }
