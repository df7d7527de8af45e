"""``spinemri phantom``: a synthetic DICOM study with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinemri.cli.console import out as stdout


def command(
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the study; new or empty.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same pixels.")] = 0,
    height_loss: Annotated[
        float, typer.Option(min=0, max=70, help="Anterior height that the fractured vertebra lost, percent.")
    ] = 35.0,
    contrast: Annotated[
        list[str] | None, typer.Option(help="T1w, STIR, Dixon-water …; repeat it for several series. [T1w, STIR, T2w]")
    ] = None,
) -> None:
    """Make a synthetic lumbar study (sagittal, T1, STIR and T2 unless asked otherwise) and its truth.

    It shows a fracture, a marrow lesion and a narrowed thecal sac.
    """
    import json

    from spinemri.cli.choices import contrast_named
    from spinemri.convert import write_nifti
    from spinemri.dicom.write import StudyHeader, write_series
    from spinemri.errors import OutputError
    from spinemri.evaluate.benchmark import TRUE_MASK, TRUTH
    from spinemri.evaluate.truth import true_segmentation
    from spinemri.report.masks import label_of
    from spinemri.report.write import check_writable
    from spinemri.synthesis.phantom import CONTRASTS, make_phantom

    check_writable(out)
    wanted = [named for text in contrast or () if (named := contrast_named(text))]
    phantom = make_phantom(seed, height_loss_pct=height_loss, contrasts=wanted or CONTRASTS)
    try:
        for image in phantom.images:
            name = f"{image.series.number}_{image.series.contrast.value}"
            write_series(image, out / name, StudyHeader(f"PHANTOM{seed}"))
        text = json.dumps(phantom.truth, indent=1, sort_keys=True)
        (out / TRUTH).write_text(text + "\n", encoding="utf-8")
        true = true_segmentation(phantom.volume, phantom.images[0].geometry, phantom.images[0].series.series_uid)
        write_nifti(true.voxels, true.geometry, out / TRUE_MASK)
        labels = {"labels": {str(value): label_of(known) for value, known in sorted(true.structures.items())}}
        table = out / TRUE_MASK.replace(".nii.gz", ".json")
        table.write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{out.name}: cannot be written ({error.strerror})") from error
    stdout.print(f"{len(phantom.images)} series, truth.json and true masks in {out}", markup=False)
