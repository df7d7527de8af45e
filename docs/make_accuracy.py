"""Writes docs/accuracy.md: the whole job on synthetic studies with known truth, the network on real labelled images.

The real images are not part of the repository; without the folder given as first argument (default ../shared/data/
labelled) that part is left as it is in the page.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from spinemri.errors import SpineMRIError
from spinemri.evaluate.phantoms import PhantomScore, passes, score_phantom, summary
from spinemri.pipeline import default_predictor
from spinemri.training.validate import real_table

if TYPE_CHECKING:
    from spinemri.segment.predictor import Predictor

HERE = Path(__file__).parent
PAGE = HERE / "accuracy.md"
SETS = (  # title, seeds, anterior height loss in turn
    ("as `spinemri phantom` makes them", range(100, 120), (35.0,)),
    ("from slight to severe fractures", range(120, 130), (20.0, 27.0, 43.0, 50.0, 58.0)),
)
REAL_MARK = "## Real images"
REAL_TEXT = (
    "Dice of people the model has never seen, by the fixed split of `spinemri/training/split.csv`, inside the "
    "labelled extent, raw network output on the working grid. Sets differ by about a pixel in where a reader draws "
    "the border, so the found border moved by one pixel is given too. No real label of sac, cord, posterior elements "
    "or sacrum exists in these sets."
)


def main() -> None:
    """Score and write the page."""
    predictor = default_predictor()
    labelled = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent.parent / "shared" / "data" / "labelled"
    real = f"{REAL_TEXT}\n\n{real_table(labelled, predictor)}" if labelled.is_dir() else _kept_real_part()
    text = [
        "# Accuracy",
        "",
        (
            f"Made by `make prove` with model {predictor.model.label} on {platform.machine()}, "
            f"Python {platform.python_version()}."
        ),
        "",
        "## Synthetic studies, the whole job",
        "",
        "`spinemri phantom` studies (sagittal T1, STIR and T2) that no training saw; truth by construction.",
        "",
    ]
    for title, seeds, losses in SETS:
        text += _synthetic_part(title, seeds, losses, predictor)
    text += [REAL_MARK, "", real.strip(), ""]
    PAGE.write_text("\n".join(text), encoding="utf-8")
    print(f"written: {PAGE.relative_to(HERE.parent)}")


def _synthetic_part(title: str, seeds: range, losses: tuple[float, ...], predictor: Predictor) -> list[str]:
    scores: list[PhantomScore] = []
    failures: list[str] = []
    for number, seed in enumerate(seeds):
        try:
            scores.append(score_phantom(seed, predictor, losses[number % len(losses)]))
            print(scores[-1], flush=True)
        except SpineMRIError as error:
            failures.append(f"seed {seed}: {error}")
    kept = "yes" if passes(summary(scores)) and not failures else "no"
    return [
        f"### {title[0].upper()}{title[1:]}",
        "",
        f"Seeds {seeds.start} to {seeds.stop - 1}, anterior height loss {', '.join(f'{v:g}' for v in losses)} %.",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {value:.3g} |" for name, value in summary(scores).items()),
        f"| studies that could not be analysed | {len(failures)} |",
        f"| limits kept (loss: median 5, worst 8 points; sac: median 1 mm) | {kept} |",
        "",
        *_rows(scores),
        *(f"- {line}" for line in failures),
        "",
    ]


def _rows(scores: list[PhantomScore]) -> list[str]:
    heads = ("seed", "fractured", "named", "loss true", "found", "narrowed", "sac true mm", "found", "levels right",
             "heights mm")  # fmt: skip
    rows = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for s in scores:
        cells = (
            s.seed, s.fractured, s.named or "not found", f"{s.loss_true:.1f}", _number(s.loss_found), s.narrowed,
            f"{s.sac_true:.1f}", _number(s.sac_found), f"{s.levels_right} of {s.levels}", _number(s.height_error),
        )  # fmt: skip
        rows.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return rows


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}"


def _kept_real_part() -> str:
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return old.partition(REAL_MARK)[2] or "Not measured: the labelled images are not here."


if __name__ == "__main__":
    main()
