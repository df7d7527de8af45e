"""``python -m spinemri.training.run``: train the anatomy model on painted volumes and the labelled real images.

Interrupt it when you like; the same command goes on from the last checkpoint until its minutes are spent.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from spinemri.errors import InputError
from spinemri.segment.model import load_model
from spinemri.segment.predictor import build_network
from spinemri.training.export import checkpoint_state, export_weights
from spinemri.training.loop import TrainingConfig, prepare_output, train
from spinemri.training.real import TRAINING, RealSlices, labelled_cases, load_case
from spinemri.training.synthetic import SyntheticSlices
from spinemri.training.volumes import write_volumes

_PRIORS = (0.75, 0.07, 0.05, 0.04, 0.04, 0.03, 0.02)  # share of pixels near the spine, per class
_PREFETCH = 4
_FIRST_SUBJECT = 3000  # far from the seeds that phantoms are tested with


def main(arguments: list[str] | None = None) -> Path:
    """Train with the options of the command line; returns the checkpoint."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    write_volumes(options.synthetic, range(_FIRST_SUBJECT, _FIRST_SUBJECT + options.paint))
    model = load_model(options.model)
    network = build_network(model)
    if options.init == "new":
        prepare_output(network, _PRIORS)
    else:
        start = model.weights if options.init is None else Path(options.init)
        network.load_state_dict(checkpoint_state(start))
    network = network.to("cuda" if torch.cuda.is_available() else "cpu")
    config = TrainingConfig(
        options.out, options.minutes, options.rate, real_weight=options.real_weight, seed=options.seed
    )
    synthetic = _loader(SyntheticSlices(options.synthetic, options.seed), options.synthetic_batch, options.workers)
    real = None
    if options.real is not None:
        volumes = [load_case(case, options.real, model) for case in labelled_cases(TRAINING)]
        real = _loader(RealSlices(volumes, options.seed), options.real_batch, 1)
    checkpoint = train(config, network, model.class_weights, synthetic, real)
    if options.version:
        export_weights(checkpoint_state(checkpoint), model.path, options.version, options.change)
    return checkpoint


def _loader(slices: SyntheticSlices | RealSlices, batch: int, workers: int) -> DataLoader[tuple[torch.Tensor, ...]]:
    if batch < 1 or workers < 1:
        raise InputError(f"batch of {batch} with {workers} workers: expected at least 1 of each")
    return DataLoader(slices, batch_size=batch, num_workers=workers, prefetch_factor=_PREFETCH)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spinemri.training.run", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder of checkpoint and log")
    add("--minutes", type=float, required=True, help="training time, over all sessions of this run")
    add("--synthetic", type=Path, required=True, help="folder of painted volumes")
    add("--paint", type=int, default=0, help="paint this many subjects into that folder first, if absent")
    add("--real", type=Path, help="folder of labelled sets; without it only synthetic slices are used")
    add("--init", help="checkpoint or weights to start from; the model's own by default; 'new' for fresh weights")
    add("--model", default=None, help="bundle name or folder")
    add("--rate", type=float, default=1e-3, help="learning rate")
    add("--real-weight", type=float, default=1.0, help="weight of the real slices' loss")
    add("--synthetic-batch", type=int, default=4, help="synthetic slices per step")
    add("--real-batch", type=int, default=4, help="real slices per step")
    add("--workers", type=int, default=1, help="processes that render synthetic slices")
    add("--threads", type=int, default=2, help="CPU threads of the network")
    add("--seed", type=int, default=1, help="start of every random sequence")
    add("--version", default="", help="write the result into the bundle under this version")
    add("--change", default="trained further", help="line for the bundle's changelog")
    return parser


if __name__ == "__main__":
    main()
