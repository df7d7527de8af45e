"""``spinemri score``: any tool's masks and measurements against a synthetic study's truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinemri.cli.console import out as stdout
from spinemri.cli.console import warning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spinemri.evaluate.benchmark import MaskScore, MeasurementScore

_TABLE, _CSV = "segmentation.json", "measurements.csv"


def command(
    truth: Annotated[Path, typer.Argument(help="Folder that `spinemri phantom` wrote.")],
    prediction: Annotated[
        Path, typer.Argument(help="A mask file, or a folder with masks and measurements.csv, as `analyze` writes.")
    ],
    labels_map: Annotated[
        Path | None, typer.Option(help='JSON that names the mask\'s values: {"41": "vertebral body L1", …}.')
    ] = None,
    measurements: Annotated[
        Path | None, typer.Option(help="CSV of measurements; measurements.csv of the folder when not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Score masks and measurements of any tool against the truth of a synthetic study."""
    import json
    from dataclasses import asdict

    from spinemri.errors import InputError
    from spinemri.evaluate import benchmark

    true = benchmark.read_truth(truth)
    if not prediction.exists():
        raise InputError(f"{prediction.name} is missing")
    beside = prediction if prediction.suffix == ".csv" else prediction / _CSV
    table = measurements or (beside if beside.is_file() else None)
    files = _mask_files(prediction)
    if not files and table is None:
        raise InputError(f"{prediction.name}: holds neither masks nor {_CSV}")
    if files and table and not (truth / benchmark.TRUE_MASK).is_file():
        warning(f"{truth.name}: no {benchmark.TRUE_MASK}; only measurements are scored")
        files = []
    masks = _scored(truth, files, labels_map, true["body_centres_lps_mm"]) if files else []
    values = benchmark.score_measurements(table, true) if table else ()
    if as_json:
        found = {"masks": [asdict(m) for m in masks], "measurements": [asdict(m) for m in values]}
        stdout.print_json(json.dumps(found))
        return
    for mask in masks:
        _show_mask(mask)
    if values:
        _show_measurements(values)


def _mask_files(prediction: Path) -> list[Path]:
    """The mask file, or those of a folder: several, one per series."""
    from spinemri.read import suffix_of

    files = sorted(prediction.iterdir()) if prediction.is_dir() else [prediction]
    return [path for path in files if suffix_of(path)]


def _scored(
    truth: Path, files: list[Path], labels_map: Path | None, centres: dict[str, list[float]]
) -> list[MaskScore]:
    """Scores of mask files; values mean what the map says, the table beside them, or what spinemri writes."""
    from spinemri.errors import InputError
    from spinemri.evaluate import benchmark
    from spinemri.evaluate.label_table import read_labels_map, read_result_table

    beside = files[0].parent / _TABLE
    names = read_labels_map(labels_map) if labels_map else read_result_table(beside) if beside.is_file() else None
    if not (truth / benchmark.TRUE_MASK).is_file():
        raise InputError(
            f"{truth.name}: no {benchmark.TRUE_MASK}, so masks cannot be scored; make the study again with "
            "`spinemri phantom` (the same seed gives the same pixels)"
        )
    true = benchmark.read_labels(truth / benchmark.TRUE_MASK)
    return [benchmark.score_mask(benchmark.read_labels(path, names), true, centres) for path in files]


def _show_mask(score: MaskScore) -> None:
    rows = ((s.structure, f"{s.dice:.3f}", _number(s.surface_mm, 2)) for s in score.structures)
    _print(score.file, ("structure", "Dice", "surface mm"), rows)
    if score.levels is not None:
        stdout.print(f"levels named right: {score.levels} of {score.levels_true}", markup=False)
    if score.invented:
        warning(f"{score.file}: not in the truth: {', '.join(score.invented)}")


def _show_measurements(scores: tuple[MeasurementScore, ...]) -> None:
    rows = []
    for name in dict.fromkeys(s.name for s in scores):
        mine = [s for s in scores if s.name == name]
        errors = [abs(s.error) for s in mine if s.error is not None]
        mean, worst = (sum(errors) / len(errors), max(errors)) if errors else (None, None)
        rows.append((name, mine[0].unit, f"{len(errors)} of {len(mine)}", _number(mean, 2), _number(worst, 2)))
    _print("measurements", ("name", "unit", "measured", "mean error", "worst error"), rows)


def _print(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for n, head in enumerate(heads):
        table.add_column(head, justify="left" if n == 0 else "right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    stdout.print(table)


def _number(value: float | None, digits: int) -> str:
    return "none" if value is None else f"{value:.{digits}f}"
