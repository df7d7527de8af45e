"""``spinemri compare``: what has changed between two or more examinations of one person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinemri.cli.choices import Language
from spinemri.cli.console import out as stdout
from spinemri.cli.console import progress_bar, warning
from spinemri.language import ENGLISH


def command(
    baseline: Annotated[Path, typer.Argument(help="Folder of images of the first examination.")],
    followup: Annotated[list[Path], typer.Argument(help="Folders of later examinations, in the order of their dates.")],
    *,
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the comparison; new or empty.")],
    force: Annotated[
        bool, typer.Option("--force", help="Compare even what is not known to be of one person (NIfTI, another ID).")
    ] = False,
    formats: Annotated[
        str | None,
        typer.Option(
            help="Divided by commas: json, txt, csv, html (these unless you say so), dicom-sr, or all. "
            "A DICOM SR carries the identity of the patient."
        ),
    ] = None,
    contrast: Annotated[str | None, typer.Option(help="Contrast of volume files whose name does not say it.")] = None,
    language: Language = ENGLISH,
    no_lesions: Annotated[bool, typer.Option("--no-lesions", help="Do not look for marrow lesions.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    keep_identifiers: Annotated[
        bool, typer.Option("--keep-identifiers", help="Write UIDs and patient ID instead of salted tokens.")
    ] = False,
    token_key: Annotated[Path | None, typer.Option(help="File with the salt of the tokens; made when absent.")] = None,
) -> None:
    """Compare examinations of one person: lesions, fractures, canal, cord; nothing is called a change within the MDC.

    Writes comparison.json, comparison.txt, comparison.csv, comparison.html and, where it is asked for and the
    examinations came from DICOM, comparison_sr.dcm for the latest study. Vertebrae are matched by level and by
    registration, so that a level named otherwise at one date is not compared with its neighbour.
    """
    from spinemri.cli.token_key import token_key as read_key
    from spinemri.compare.dicom_sr import FILE_NAME
    from spinemri.compare.files import SR, formats_named, write_comparison
    from spinemri.compare.study import How, compare_examinations, examine
    from spinemri.networks import Networks, axial_predictor, default_predictor, lesion_predictor
    from spinemri.pipeline import Options
    from spinemri.report.write import check_writable
    from spinemri.series import contrast_named

    wanted = formats_named(formats)
    check_writable(out)
    key = None if keep_identifiers else read_key(token_key, out)
    options = Options(
        contrast=contrast_named(contrast), keep_identifiers=keep_identifiers, token_key=key, language=language
    )

    def networks() -> Networks:
        lesions = None if no_lesions else lesion_predictor(None, device)
        return Networks(default_predictor(None, device, threads), lesions, axial_predictor(device))

    with progress_bar() as update:
        how = How(options, networks, forced=force, for_dicom=SR in wanted, progress=update)
        found = examine((baseline, *followup), how)
    compared = compare_examinations(found, forced=force)
    write_comparison(compared, out, formats=wanted)
    comparison = compared.comparison
    for text in comparison.warnings:
        warning(text)
    for step in comparison.steps:
        called = [f"lesion {one.id} in {one.place} {one.verdict.value}" for one in step.lesions if one.verdict.called]
        called += [f"{one.place} height {one.verdict.value}" for one in step.fractures if one.verdict.called]
        told = "; ".join(called) or "no change of lesions or vertebral height beyond what measurements vary by"
        stdout.print(f"examination {step.later} against {step.earlier}: {told}", markup=False)
    for name, what in (("comparison.html", "comparison"), (FILE_NAME, "DICOM SR, with the identity of the patient")):
        if (out / name).exists():
            stdout.print(f"{what}: {Path(out.resolve().name) / name}", markup=False)
