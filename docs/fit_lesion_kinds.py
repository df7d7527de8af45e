"""Fit what tells kinds of marrow change apart to the lesion bundle's weights, and write it into the bundle.

Run it after training and before ``calibrate_marrow.py``. Scenes are drawn with another seed than training's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from spinemri.evaluate.marrow import macro_f1
from spinemri.networks import default_predictor, lesion_predictor
from spinemri.training.lesion_kinds import fit_kinds, kind_examples, write_kinds
from spinemri.training.marrow_run import MarrowData, backgrounds
from spinemri.training.marrow_samples import MarrowSamples

_SEED = 1000


def main() -> None:
    """Make examples, fit, say how well kinds of further scenes are told apart, write."""
    options = _options()
    torch.set_num_threads(1)
    data = MarrowData(options.painted, real=options.real, unlabelled=tuple(options.unlabelled))
    scenes = backgrounds(data, default_predictor(threads=1))
    predictor = lesion_predictor()
    features, kinds = kind_examples(MarrowSamples(data.painted, scenes, seed=_SEED), predictor, options.examples)
    model = fit_kinds((features, kinds))
    further, true = kind_examples(MarrowSamples(data.painted, scenes, seed=_SEED + 1), predictor, options.examples // 5)
    count = model.out.shape[0]
    for name, said in (
        ("the network alone", further[:, :count].argmax(axis=1)),
        ("with what was fitted", [int(model.shares(one).argmax()) for one in further]),
    ):
        pairs = [(str(t), str(s)) for t, s in zip(true, said, strict=True)]
        print(f"{name}: macro F1 {macro_f1(pairs):.3f} on {len(pairs)} candidates of other scenes")
    print(f"written: {write_kinds(predictor.model, model).name}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--painted", type=Path, required=True, help="folder of painted subjects")
    parser.add_argument("--real", type=Path, help="folder of labelled sets")
    parser.add_argument("--unlabelled", type=Path, nargs="*", default=[], help="further images")
    parser.add_argument("--examples", type=int, default=80_000, help="candidates to learn from")
    return parser.parse_args()


if __name__ == "__main__":
    main()
