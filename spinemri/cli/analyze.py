"""``spinemri analyze``: from a folder of images to a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinemri.cli import debug as debugging
from spinemri.cli import web
from spinemri.cli.choices import Language
from spinemri.cli.console import out as stdout
from spinemri.cli.console import plain, progress_bar, warning
from spinemri.errors import InputError
from spinemri.language import ENGLISH

if TYPE_CHECKING:
    from spinemri.analysis import Analysis


def command(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with DICOM or NIfTI, NRRD, MetaImage files, in any layout.")
    ] = None,
    *,
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
    review: Annotated[
        Path | None, typer.Option(help="Verdicts exported from an earlier report.html of these images, to be applied.")
    ] = None,
    corrected: Annotated[
        list[Path] | None,
        typer.Option(help="Mask that we wrote of these images and a person changed, NIfTI or DICOM SEG; repeatable."),
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
            help="What to write: json,html,txt,csv,nifti unless you say so; also pdf, fhir, parquet, bids, or all. "
            "Only when asked for (dicom-seg, dicom-sr, rtstruct, dicom-pdf, key-images, all): DICOM objects, which "
            "carry the patient's identity."
        ),
    ] = None,
    language: Language = ENGLISH,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier result in the output folder.")
    ] = False,
    keep_identifiers: Annotated[
        bool, typer.Option("--keep-identifiers", help="Write UIDs and patient ID instead of salted tokens.")
    ] = False,
    token_key: Annotated[Path | None, typer.Option(help="File with the salt of the tokens; made when absent.")] = None,
    debug: debugging.Debug = None,
    from_: web.From = None,
    study: Annotated[str | None, typer.Option(help="Study Instance UID of the study to take from --from.")] = None,
    store: web.Store = None,
    from_auth: web.FromAuth = None,
    store_auth: web.StoreAuth = None,
    ca: web.Ca = None,
    no_verify: web.NoVerify = False,
    timeout: web.Timeout = web.PATIENCE_S,
) -> None:
    """Segment, name, measure and report the newest spine MR study in a folder, or a study of a DICOMweb server."""
    from spinemri.batch.archive import objects_of, send
    from spinemri.cli.token_key import token_key as read_key
    from spinemri.clinical import read_clinical
    from spinemri.faults import collecting
    from spinemri.report.write import check_sources, check_writable, formats_named, write
    from spinemri.review import read_review
    from spinemri.series import contrast_named

    check_writable(out, overwrite=overwrite)
    wanted = formats_named(formats)
    source, target = web.servers(from_, store, web.Access(from_auth, store_auth, ca, no_verify, timeout))
    objects = objects_of(wanted) if target else ()
    said = read_clinical(clinical) if clinical else None
    verdicts = read_review(review) if review else None
    key = None if keep_identifiers else read_key(token_key, out)
    from spinemri.networks import Networks, axial_predictor, default_predictor, lesion_predictor
    from spinemri.pipeline import Options, finish, infer, read_study

    masks = tuple(labels or ())
    if labels_only and not masks:
        raise InputError("--labels-only without --labels: nothing would be measured")
    chosen = (patient, contrast_named(contrast), anchor, keep_identifiers, key, said, masks, labels_from)
    options = Options(*chosen, review=verdicts, corrected=tuple(corrected or ()), language=language)
    said_of_run = {"formats": wanted, "device": device, "threads": threads, "quality": quality, **options.parameters}
    said_of_run |= {
        "labels": len(masks),
        "review": verdicts is not None,
        "corrected": len(options.corrected),
        "lesions": not no_lesions,
    }
    with web.study_folder(folder, source, study) as place, debugging.bundle(debug, "analyze", **said_of_run) as told:
        with progress_bar() as update:
            loaded = read_study(place, options, update)
            told.saw([*((i.series, "") for i in loaded.every_image), *loaded.refused])
            check_sources((*wanted, *objects), loaded.every_image)
            anatomy = None if labels_only else default_predictor(model, device, threads, quality=quality)
            lesions = None if no_lesions else lesion_predictor(lesion_model, device)
            axial = axial_predictor(device, quality=quality) if loaded.axial and not labels_only else None
            networks = Networks(anatomy, lesions, axial)
            case = finish(loaded, infer(loaded, networks, options, update), networks, options, update)
            told.made(case.analysis)
            with collecting() as failures:
                write(case, out, formats=wanted, overwrite=overwrite)
            told.failed(failures)
        _summary(case.analysis)
        main = "report.html" if "html" in wanted else "report.json"
        stdout.print(f"report: {Path(out.resolve().name) / main}", markup=False)
        if target:
            stdout.print(f"stored: {send(case, target, objects)} objects in {target.name}", markup=False)


def _summary(analysis: Analysis) -> None:
    """Print problems, level names and alignment: what a user must know before opening the report."""
    from spinemri.finding import Urgency

    for text in (*(fault.told for fault in analysis.failures), *analysis.warnings):
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
            stdout.print(plain(f"finding: {finding.statement}"), markup=False)
