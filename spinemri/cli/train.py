"""``spinemri train``: train the network of a bundle, in the background, in as many sessions as it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinemri.cli.console import out as stdout

if TYPE_CHECKING:
    from spinemri.segment.lesion_model import LesionModel
    from spinemri.segment.level_model import LevelModel
    from spinemri.segment.model import Model


def command(
    bundle: Annotated[str, typer.Argument(help="Folder of a model bundle, or the name of one that ships.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder of checkpoint and log; taken up again if there.")],
    painted: Annotated[Path, typer.Option(help="Folder of painted subjects of the synthetic spine.")],
    minutes: Annotated[float, typer.Option(min=0.01, help="Training time, over all sessions of this run.")],
    paint: Annotated[int, typer.Option(min=0, help="Paint this many subjects into --painted first, if absent.")] = 0,
    shapes: Annotated[Path | None, typer.Option(help="Folder of vertebra meshes to paint with.")] = None,
    real: Annotated[
        Path | None, typer.Option(help="Folder of labelled sets; without it synthetic slices only.")
    ] = None,
    unlabelled: Annotated[
        list[Path] | None, typer.Option(help="Image without labels: keeps what the starting weights are sure to see.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Checkpoint to start from, 'new' for fresh weights; else the bundle's.")
    ] = None,
    rate: Annotated[float, typer.Option(min=1e-7, help="Highest learning rate.")] = 1e-3,
    stacks: Annotated[int, typer.Option(min=1, help="Synthetic stacks per step; of a lesion network all.")] = 1,
    real_stacks: Annotated[int, typer.Option(min=1, help="Real stacks per step.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that make samples.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the network.")] = 2,
    replays: Annotated[
        int, typer.Option(min=0, help="Of a lesion network: show each batch so often again, a little changed.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Start of every random sequence.")] = 1,
    version: Annotated[
        str, typer.Option(help="Write the averaged weights into BUNDLE under this version at the end.")
    ] = "",
    change: Annotated[str, typer.Option(help="Line for the bundle's changelog.")] = "trained further",
) -> None:
    """Train the network of BUNDLE on painted subjects and real images; goes on where it was interrupted."""
    from spinemri.segment.bundle import BundleKind, bundle_kind
    from spinemri.training.clock import TrainingConfig
    from spinemri.training.export import checkpoint_state, export_weights

    config = TrainingConfig(out, minutes, rate, stacks=stacks, real_stacks=real_stacks, seed=seed)
    kind = bundle_kind(bundle)
    where = (painted, paint, shapes, real, tuple(unlabelled or ()), workers, threads)
    model: Model | LesionModel | LevelModel
    if kind is BundleKind.LESIONS:
        from spinemri.networks import default_predictor
        from spinemri.segment.lesion_model import load_lesion_model
        from spinemri.training.marrow_run import MarrowData, train_lesion_bundle

        model = load_lesion_model(bundle)
        anatomy = default_predictor(threads=threads)
        checkpoint = train_lesion_bundle(model, anatomy, MarrowData(*where, replays), config, start)
    elif kind is BundleKind.LEVELS:
        from spinemri.networks import default_predictor
        from spinemri.segment.level_model import load_level_model
        from spinemri.training.level_run import train_level_bundle
        from spinemri.training.run import TrainingData

        model = load_level_model(bundle)
        anatomy = default_predictor(threads=threads)
        checkpoint = train_level_bundle(model, anatomy, TrainingData(*where), config, start)
    else:
        from spinemri.segment.model import load_model
        from spinemri.training.run import TrainingData, train_bundle

        model = load_model(bundle)
        checkpoint = train_bundle(model, TrainingData(*where), config, start)
    stdout.print(f"averaged weights in {checkpoint}", markup=False)
    if version:
        export_weights(checkpoint_state(checkpoint), model.path, version, change)
        stdout.print(f"{model.name} is now version {version}", markup=False)
