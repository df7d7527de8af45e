"""``spinemri train``: train the network of a bundle, in the background, in as many sessions as it takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spinemri.cli.console import out as stdout
from spinemri.cli.console import progress_bar
from spinemri.errors import InputError, ModelError

if TYPE_CHECKING:
    from spinemri.segment.bundle import BundleKind
    from spinemri.training.clock import TrainingConfig
    from spinemri.training.new_bundle import Origin
    from spinemri.training.tune import Tuned

    _Words = tuple[str, ...]

_MINUTES, _RATE, _TUNING_RATE = 60.0, 1e-3, 3e-4
_LOG_STEPS = 10  # of a run on pairs, which is short
_ANY_MINUTES = 1e6  # the clock of a run that is as long as its steps
_NEW_VERSION = "0.1.0"


@dataclass(frozen=True)
class _Own:
    """Where pairs of one's own come from, and what trains on them."""

    sets: tuple[Path, ...]
    scheme: str
    painted: Path | None
    workers: int
    threads: int


def command(
    bundle: Annotated[
        str | None, typer.Argument(help="Folder of a model bundle, or the name of one that ships; or see --from.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of checkpoint and log; taken up again if there.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Own images with masks: a BIDS data set, or a CSV table with image,label; of a lesion network a table "
            "with study,lesions; repeatable."
        ),
    ] = None,
    labels_from: Annotated[str, typer.Option(help="Scheme of the masks of --data, where a table does not say it.")] = (
        "spinemri"
    ),
    into: Annotated[
        Path | None, typer.Option(help="New bundle to make of --data; BUNDLE_tuned here unless you say so.")
    ] = None,
    painted: Annotated[
        Path | None, typer.Option(help="Folder of painted subjects of the synthetic spine; needed without --data.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Training time, over all sessions of this run; 60 unless you say so.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="End after so many steps; --minutes then limits.")] = None,
    paint: Annotated[int, typer.Option(min=0, help="Paint this many subjects into --painted first, if absent.")] = 0,
    shapes: Annotated[Path | None, typer.Option(help="Folder of vertebra meshes to paint with.")] = None,
    real: Annotated[
        Path | None, typer.Option(help="Folder of labelled sets; without it synthetic slices only.")
    ] = None,
    unlabelled: Annotated[
        list[Path] | None, typer.Option(help="Image without labels: keeps what the starting weights are sure to see.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Start from a bundle, a checkpoint, or 'new' (fresh weights); else from BUNDLE."),
    ] = None,
    rate: Annotated[float | None, typer.Option(min=1e-7, help="Highest learning rate; 1e-3, with --data 3e-4.")] = None,
    stacks: Annotated[int, typer.Option(min=1, help="Synthetic stacks per step; of a lesion network all.")] = 1,
    real_stacks: Annotated[int, typer.Option(min=1, help="Real stacks per step.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that make samples.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the network.")] = 2,
    replays: Annotated[
        int, typer.Option(min=0, help="Show the stacks of each step so often again, a little changed.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Start of every random sequence.")] = 1,
    version: Annotated[
        str,
        typer.Option(
            help="Write the averaged weights into BUNDLE under this version at the end; with --data its version."
        ),
    ] = "",
    change: Annotated[str, typer.Option(help="Line for the bundle's changelog.")] = "trained further",
) -> None:
    """Train a network on images of your own with masks (--data), or on painted subjects; goes on where it stopped."""
    from spinemri.segment.bundle import BundleKind, bundle_kind
    from spinemri.training.clock import TrainingConfig

    bundle, start = _started(bundle, start)
    kind = bundle_kind(bundle)
    new = _new_folder(bundle, into, data)
    run = out or (new.with_name(f"{new.name}_run") if new else None)
    if run is None:
        raise InputError("no folder for the run: expected --output RUN")
    told = minutes or (_ANY_MINUTES if steps else _MINUTES)
    speed = rate or (_TUNING_RATE if data else _RATE)
    config = TrainingConfig(
        run, told, speed, stacks=stacks, real_stacks=real_stacks, replays=replays, seed=seed, max_steps=steps
    )
    if replays and (kind in {BundleKind.LEVELS, BundleKind.OUTLINES} or (data and kind is BundleKind.LESIONS)):
        raise InputError("--replays is for networks of anatomy, and of lesions on painted subjects")
    if data and new:
        if kind is BundleKind.LEVELS:
            raise InputError(
                f"--data trains networks of anatomy and of lesions; {Path(bundle).name} names levels, which it learns "
                "from whole spines: correct names in review.json, or train it on --painted subjects"
            )
        if kind is BundleKind.OUTLINES:
            raise InputError(
                f"--data trains networks of anatomy and of lesions; {Path(bundle).name} redraws bodies, which it "
                "learns beside the anatomy network: train that one on --data, or this one on --painted subjects and "
                "--real sets"
            )
        if real or unlabelled or paint:
            raise InputError("--data goes with subjects painted before, not with --real, --unlabelled or --paint")
        own = _Own(tuple(data), labels_from, painted, workers, threads)
        tune = _tune_lesions if kind is BundleKind.LESIONS else _tune
        tune(bundle, own, (new, version or _NEW_VERSION), replace(config, log_steps=_LOG_STEPS), start)
        return
    if painted is None:
        raise InputError("nothing to train on: expected --data MY_SET (images with masks) or --painted VOLUMES")
    where = (painted, paint, shapes, real, tuple(unlabelled or ()), workers, threads)
    checkpoint = _train(kind, bundle, where, config, start)
    stdout.print(f"averaged weights in {checkpoint}", markup=False)
    if version:
        _export(checkpoint, bundle, version, change)


def _train(kind: BundleKind, bundle: str, data: tuple[Any, ...], config: TrainingConfig, start: str | None) -> Path:
    """Train on painted subjects and sets of fixed people; the last checkpoint."""
    from spinemri.segment.bundle import BundleKind
    from spinemri.training.run import TrainingData, train_bundle

    if kind is BundleKind.ANATOMY:
        from spinemri.segment.model import load_model

        return train_bundle(load_model(bundle), TrainingData(*data), config, start)
    from spinemri.networks import default_predictor

    anatomy = default_predictor(threads=data[-1])
    if kind is BundleKind.OUTLINES:
        from spinemri.segment.outline_model import load_outline_model
        from spinemri.training.outline_run import train_outline_bundle

        return train_outline_bundle(load_outline_model(bundle), anatomy, TrainingData(*data), config, start)
    if kind is BundleKind.LESIONS:
        from spinemri.segment.lesion_model import load_lesion_model
        from spinemri.training.marrow_run import MarrowData, train_lesion_bundle

        return train_lesion_bundle(load_lesion_model(bundle), anatomy, MarrowData(*data), config, start)
    from spinemri.segment.level_model import load_level_model
    from spinemri.training.level_run import train_level_bundle

    return train_level_bundle(load_level_model(bundle), anatomy, TrainingData(*data), config, start)


def _started(bundle: str | None, start: str | None) -> tuple[str, str | None]:
    """The bundle whose network is trained, and what its weights start from: None for its own."""
    from spinemri.segment.bundle import WEIGHTS, find_bundle

    if bundle is not None:
        return bundle, str(Path(start) / WEIGHTS) if start and Path(start).is_dir() else start
    if start is None:
        raise InputError("which network? Expected a bundle: spinemri train BUNDLE, or --from BUNDLE")
    try:
        find_bundle(start)
    except ModelError as error:
        raise InputError(f"--from {Path(start).name} without BUNDLE: expected a bundle's folder or name") from error
    return start, None


def _new_folder(bundle: str, into: Path | None, data: list[Path] | None) -> Path | None:
    """The folder of the bundle to make of pairs: what a card says of other weights is not true of these."""
    from spinemri.training.new_bundle import check_new

    if into is not None and not data:
        raise InputError("--into goes with --data: it is a new bundle for weights trained on it")
    if not data:
        return None
    chosen = into or Path(f"{Path(bundle).resolve().name}_tuned")
    check_new(chosen)
    return chosen


def _tune(bundle: str, own: _Own, made: tuple[Path, str], config: TrainingConfig, start: str | None) -> None:
    """Train on pairs, and make a new bundle (folder, version) of the weights."""
    from spinemri.segment.model import load_model
    from spinemri.training.new_bundle import make_bundle
    from spinemri.training.pairs import find_pairs
    from spinemri.training.tune import OwnData, tune_bundle

    model = load_model(bundle)
    pairs = tuple(pair for folder in own.sets for pair in find_pairs(folder, own.scheme))
    stdout.print(f"{len(pairs)} pair{'s' if len(pairs) > 1 else ''} of image and mask", markup=False)
    with progress_bar() as update:
        tuned = tune_bundle(model, OwnData(pairs, own.painted, own.workers, own.threads), config, start, update)
    taught = ", ".join(f"{kind} in {count}" for kind, count in sorted(tuned.taught.items()))
    stdout.print(f"taught: {taught}; averaged weights in {tuned.checkpoint}", markup=False)
    schemes = tuple(sorted({pair.scheme for pair in pairs}))
    contrasts = tuple(sorted({pair.contrast.value if pair.contrast else _shown(pair.image) for pair in pairs}))
    origin = _origin(own, (len(pairs), schemes, contrasts), tuned, config, start)
    folder = make_bundle(model, tuned.checkpoint, made[0], origin, made[1])
    stdout.print(f"new bundle: {folder} (spinemri analyze FOLDER -o OUT --model {folder})", markup=False)


def _tune_lesions(bundle: str, own: _Own, made: tuple[Path, str], config: TrainingConfig, start: str | None) -> None:
    """Train on outlines of lesions, and make a new bundle (folder, version) of the weights."""
    from spinemri.networks import default_predictor
    from spinemri.segment.lesion_model import load_lesion_model
    from spinemri.training.new_bundle import make_bundle
    from spinemri.training.own_lesions import find_studies
    from spinemri.training.tune_lesions import OwnLesionData, tune_lesion_bundle

    model = load_lesion_model(bundle)
    studies = tuple(study for table in own.sets for study in find_studies(table))
    stdout.print(f"{len(studies)} stud{'ies' if len(studies) > 1 else 'y'} with outlines", markup=False)
    data = OwnLesionData(studies, default_predictor(threads=own.threads), own.painted, own.workers, own.threads)
    with progress_bar() as update:
        tuned = tune_lesion_bundle(model, data, config, start, update)
    taught = ", ".join(f"{kind} in {count}" for kind, count in tuned.taught.items()) or "no lesion in any study"
    stdout.print(f"taught: {taught}; averaged weights in {tuned.checkpoint}", markup=False)
    origin = _origin(own, (len(studies), ("kinds of marrow change",), ("of each study",)), tuned, config, start)
    folder = make_bundle(model, tuned.checkpoint, made[0], origin, made[1])
    stdout.print(f"new bundle: {folder} (spinemri analyze FOLDER -o OUT --lesion-model {folder})", markup=False)


def _origin(
    own: _Own, read: tuple[int, _Words, _Words], tuned: Tuned, config: TrainingConfig, start: str | None
) -> Origin:
    """What the new bundle says it was made of; names of sets, never of images.

    Parameters
    ----------
    read : how many images or studies, schemes of their masks, their contrasts
    """
    from spinemri.training.new_bundle import Origin
    from spinemri.training.start import FRESH

    settings = {
        "learning_rate": config.learning_rate,
        "minutes": config.minutes if config.minutes < _ANY_MINUTES else "as long as the steps took",
        "max_steps": config.max_steps,
        "stacks": config.stacks if own.painted else 0,
        "real_stacks": config.real_stacks,
        "average": config.average,
        "seed": config.seed,
        "start": "the bundle's weights" if start is None else Path(start).name,
    }
    return Origin(
        tuple(dict.fromkeys(folder.resolve().name for folder in own.sets)),
        read[0],
        tuned.taught,
        *read[1:],
        own.painted is not None,
        start == FRESH,
        settings,
    )


def _shown(image: Path) -> str:
    """Contrast of an image by its name."""
    from spinemri.read import named_contrast

    return "as DICOM headers say" if image.is_dir() else named_contrast(image).value


def _export(checkpoint: Path, bundle: str, version: str, change: str) -> None:
    from spinemri.segment.bundle import find_bundle
    from spinemri.training.export import checkpoint_state, export_weights

    path = find_bundle(bundle)
    export_weights(checkpoint_state(checkpoint), path, version, change)
    stdout.print(f"{path.name} is now version {version}", markup=False)
