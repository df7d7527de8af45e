"""``spinemri scan``: what a folder holds, from headers only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinemri.cli.console import out, plain, progress_bar

if TYPE_CHECKING:
    from rich.table import Table

    from spinemri.series import Series, Study


def command(
    folder: Annotated[Path, typer.Argument(help="Folder with DICOM or NIfTI, NRRD, MetaImage files, in any layout.")],
    contrast: Annotated[
        str | None, typer.Option(help="Contrast of volume files whose name does not say it: T1w, T2w, STIR …")
    ] = None,
    skipped: Annotated[bool, typer.Option("--skipped", help="List every file that is no usable MR image.")] = False,
) -> None:
    """Print the series of a folder: contrast, plane, spacing, and whether each is used or why not."""
    from rich.markup import escape

    from spinemri.dicom.choose import choose, choose_study
    from spinemri.dicom.scan import scan
    from spinemri.series import contrast_named

    with progress_bar() as update:
        inventory = scan(
            folder, contrast=contrast_named(contrast), progress=lambda n, total: update("reading headers", n, total)
        )
    if not inventory.studies:
        choose_study(inventory)  # raises, and says what was found instead
    patients = {study.patient_key for study in inventory.studies}
    for number, study in enumerate(inventory.studies, start=1):
        used, refused = choose(study)
        out.print(f"study {number} of {len(inventory.studies)}: {len(used)} of {len(study.series)} series used")
        out.print(_table(study, {id(s) for s in used}))
        reasons = {id(s): why for s, why in refused}
        for series in study.series:
            why = "; ".join((reasons.get(id(series), series.contrast_reason), *series.warnings))
            out.print(escape(plain(f"  {series.label}: {why.strip('; ')}")))
    if len(patients) > 1:
        out.print(f"{len(patients)} patients: analyze needs --patient")
    if inventory.skipped:
        out.print(
            f"{len(inventory.skipped)} of {inventory.files_seen} files skipped"
            + ("" if skipped else " (--skipped lists them)")
        )
    if skipped:
        for entry in inventory.skipped:
            out.print(escape(plain(f"  {entry.path}: {entry.reason}")))


def _table(study: Study, used: set[int]) -> Table:
    """One row per series, narrow enough for 80 columns; the reasons, which are long, stand below it."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("series", "contrast", "plane", "region", "spacing mm", "slices", "used"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "region")
    for series in study.series:
        mark = "[green]yes[/]" if id(series) in used else "no"
        table.add_row(*(escape(plain(cell)) for cell in _cells(series)), mark)
    return table


def _cells(series: Series) -> tuple[str, ...]:
    spacing = " x ".join(f"{v:.2f}" for v in series.spacing) if series.spacing else "?"
    slices = str(series.shape[0]) if series.shape else "?"
    agent = "" if series.contrast_agent in ("none", "") else f" (agent {series.contrast_agent})"
    return series.label, series.contrast.value + agent, series.plane.value, series.region, spacing, slices
