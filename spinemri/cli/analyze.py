"""``spinemri analyze``: from a folder of images to a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinemri.cli.console import out as stdout
from spinemri.cli.console import progress_bar, warning
from spinemri.errors import InputError

if TYPE_CHECKING:
    from spinemri.analysis import Analysis


def command(
    folder: Annotated[Path, typer.Argument(help="Folder with DICOM or NIfTI, NRRD, MetaImage files, in any layout.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; new or empty.")],
    patient: Annotated[
        str | None, typer.Option(help="Which patient, when the folder holds several: ID or listed number.")
    ] = None,
    contrast: Annotated[str | None, typer.Option(help="Contrast of volume files whose name does not say it.")] = None,
    anchor: Annotated[
        str | None, typer.Option(help="Name one body yourself: L5=2 says that the 2nd body from the bottom is L5.")
    ] = None,
    clinical: Annotated[
        Path | None, typer.Option(help="JSON file with pain, known cancer, the question asked; no names in it.")
    ] = None,
    labels: Annotated[
        list[Path] | None, typer.Option(help="Mask by another tool, NIfTI or DICOM SEG, in place of ours; repeatable.")
    ] = None,
    labels_from: Annotated[
        str | None, typer.Option(help="What its numbers mean: totalspineseg-step2, spineps-veridah, spinemri …")
    ] = None,
    labels_only: Annotated[
        bool, typer.Option("--labels-only", help="No network for anatomy: series without a mask are not measured.")
    ] = False,
    model: Annotated[str | None, typer.Option(help="Model bundle: a name or a folder.")] = None,
    no_lesions: Annotated[bool, typer.Option("--no-lesions", help="Do not look for marrow lesions.")] = False,
    lesion_model: Annotated[str | None, typer.Option(help="Lesion model bundle: a name or a folder.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    quality: Annotated[
        bool, typer.Option("--quality", help="Read every stack twice, left and right exchanged: slower, steadier.")
    ] = False,
    formats: Annotated[
        str | None,
        typer.Option(
            help="What to write: json,html,txt,csv,nifti unless you say so; also pdf, fhir, parquet, or all. Only when "
            "asked for (dicom-seg, dicom-sr, rtstruct, all): DICOM objects, which carry the patient's identity."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier result in the output folder.")
    ] = False,
    keep_identifiers: Annotated[
        bool, typer.Option("--keep-identifiers", help="Write UIDs and patient ID instead of salted tokens.")
    ] = False,
    token_key: Annotated[Path | None, typer.Option(help="File with the salt of the tokens; made when absent.")] = None,
) -> None:
    """Segment, name, measure and report the newest spine MR study in a folder."""
    from spinemri.cli.token_key import token_key as read_key
    from spinemri.clinical import read_clinical
    from spinemri.report.write import check_sources, check_writable, formats_named, write
    from spinemri.series import contrast_named

    check_writable(out, overwrite=overwrite)
    wanted = formats_named(formats)
    said = read_clinical(clinical) if clinical else None
    key = None if keep_identifiers else read_key(token_key, out)
    from spinemri.pipeline import Networks, Options, default_predictor, finish, infer, lesion_predictor, read_study

    masks = tuple(labels or ())
    if labels_only and not masks:
        raise InputError("--labels-only without --labels: nothing would be measured")
    options = Options(patient, contrast_named(contrast), anchor, keep_identifiers, key, said, masks, labels_from)
    with progress_bar() as update:
        loaded = read_study(folder, options, update)
        check_sources(wanted, loaded.images)
        anatomy = None if labels_only else default_predictor(model, device, threads, quality=quality)
        networks = Networks(anatomy, None if no_lesions else lesion_predictor(lesion_model, device))
        case = finish(loaded, infer(loaded, networks, options, update), networks, options, update)
        write(case, out, formats=wanted, overwrite=overwrite)
    _summary(case.analysis)
    main = "report.html" if "html" in wanted else "report.json"
    stdout.print(f"report: {Path(out.resolve().name) / main}", markup=False)


def _summary(analysis: Analysis) -> None:
    """Print problems, level names and alignment: what a user must know before opening the report."""
    from spinemri.finding import Urgency

    for text in analysis.warnings:
        warning(text)
    levels = ", ".join(f"{v.level}{' (cut)' if v.cut else ''}" for v in analysis.spine.vertebrae)
    basis = sorted({v.assignment.basis.value for v in analysis.spine.vertebrae})
    stdout.print(f"levels: {levels} ({'; '.join(basis)})", markup=False)
    labels = {s.series_uid: f"{s.label} ({s.contrast.value})" for s in analysis.used_series()}
    pairs = sorted({(a.fixed_series_uid, a.moving_series_uid) for a in analysis.alignments})
    for fixed, moving in pairs:
        shown = [a for a in analysis.alignments if (a.fixed_series_uid, a.moving_series_uid) == (fixed, moving)]
        parts = [f"{a.level} {'?' if a.residual_mm is None else format(a.residual_mm, '.1f')}" for a in shown]
        moved = [str(a.level) for a in shown if a.status != "aligned"]
        note = f"; over the limit: {', '.join(moved)}" if moved else ""
        stdout.print(
            f"alignment of series {labels[moving]} with {labels[fixed]}, mm: {', '.join(parts)}{note}", markup=False
        )
    for finding in sorted(analysis.findings, key=lambda f: f.urgency is Urgency.NONE):
        if finding.certainty.value in ("present", "borderline"):
            stdout.print(f"finding: {finding.statement}", markup=False)
