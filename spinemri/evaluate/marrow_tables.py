"""The section on marrow lesions of the accuracy page: every line says how many people and lesions stand behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.evaluate.marrow import (
    area_under_curve,
    calibration_error,
    false_positives,
    macro_f1,
    sensitivity,
)
from spinemri.evaluate.marrow_sets import LARGE_MM3, SMALL_MM3, implants_of
from spinemri.lesion import MarrowChange
from spinemri.segment.candidates import SUSPICIOUS, suspicion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.evaluate.marrow import MarrowScore, TrueLesion
    from spinemri.segment.lesion_model import LesionModel

TITLE = "## Marrow lesions"
ABOUT = (
    "No real marrow lesion is labelled in the public data, so **every figure here is about simulated lesions**: "
    "implanted into real images of people that neither model has seen, by a method that no training has seen "
    "(`spinemri/evaluate/implants.py`), or rendered from signal equations (`spinemri/evaluate/marrow_phantoms.py`). No "
    "healthy real person with T1w and STIR is among the data: implants were put into T1w, T2w, or T1w and T2w. A "
    "lesion is found when a candidate covers a tenth of it and is called tumour-like, sclerotic or atypical "
    "haemangioma first (which may be a metastasis on the sequences at hand), at the one operating point that the "
    "bundle holds; a false positive is one of these that lies in no known lesion. People whose only series is T2w of "
    "slices under 2 mm are not judged, which the report says too; their implants do not count as missed."
)
LARGE, SMALL = (LARGE_MM3[0], 1e9), SMALL_MM3


def marrow_section(
    sets: Mapping[str, Sequence[MarrowScore]], model: LesionModel, diffuse: Mapping[str, Sequence[str]]
) -> list[str]:
    """Lines of the section.

    Parameters
    ----------
    sets : what -> scores, as ``marrow_sets.runs`` names them
    model : the lesion model that was scored
    diffuse : 'diffuse' and 'young' -> what was said of each person's marrow as a whole
    """
    rows = [*_implant_rows(sets, model), *_healthy_rows(sets, model), *_kind_rows(sets), *_diffuse_rows(diffuse)]
    rows += _calibration_rows(sets)
    table = ["| test | figure | bar | reached | behind it |", "|---|---|---|---|---|", *rows]
    return [
        TITLE, "", f"Lesion model {model.label}, operating point {model.operating_point:.2f}.", "",
        ABOUT, "", *table, "",
        "### Implants per person", "", *_people_table(sets.get("implants", ()), model), "",
        "### Kinds", "", *_kinds_table(sets.get("kinds", ())), "",
    ]  # fmt: skip


def _row(test: str, figure: str, bar: str, value: str, behind: str) -> str:
    return f"| {test} | {figure} | {bar} | {value} | {behind} |"


def _implant_rows(sets: Mapping[str, Sequence[MarrowScore]], model: LesionModel) -> list[str]:
    scores, point = [s for s in sets.get("implants", ()) if s.assessed], model.operating_point
    if not scores:
        return [_row("implants", "", "", "not measured: the public reference data are absent", "")]
    people = len({" ".join(s.name.split()[1:-1]).removesuffix(" T1w+T2w") for s in scores})
    rate = false_positives(scores, point)
    found = []
    for sizes, name, bar, overlap in ((LARGE, "1 mL or more", "0.90", "0.72"), (SMALL, "0.2 to 1 mL", "0.70", "")):
        share, count = sensitivity(scores, point, sizes)
        dices = list(implants_of(list(scores), sizes))
        behind = f"{count} implants, {people} people, {len(scores)} images; {rate:.2f} false positives per image"
        found.append(_row(f"implants of {name}", "sensitivity", bar, f"{share:.3f}", behind))
        mean = float(np.mean(dices)) if dices else float("nan")
        found.append(_row("the same", "Dice of found lesions", overlap, f"{mean:.3f}", f"{len(dices)} found"))
    return found


def _healthy_rows(sets: Mapping[str, Sequence[MarrowScore]], model: LesionModel) -> list[str]:
    found = []
    for what, name in (("healthy", "synthetic healthy T1w+STIR"), ("clean", "real people as they are")):
        scores = sets.get(what, ())
        if scores:
            assessed = sum(s.assessed for s in scores) / max(1, sum(s.vertebrae for s in scores))
            behind = f"{len(scores)} studies, {assessed:.0%} of vertebrae assessed"
            rate = false_positives(scores, model.operating_point)
            found.append(_row(name, "tumour-like lesions per study", "0.2", f"{rate:.2f}", behind))
    return found


def _kind_rows(sets: Mapping[str, Sequence[MarrowScore]]) -> list[str]:
    known = [k for s in sets.get("kinds", ()) for k in s.known]
    seen = [k for k in known if k.found_kind]
    if not seen:
        return []
    suspicious = {kind.value for kind in SUSPICIOUS}
    tumours = [suspicion(k.shares) for k in seen if k.kind in suspicious]
    mimics = [suspicion(k.shares) for k in seen if k.kind not in suspicious]
    behind = f"{len(seen)} of {len(known)} lesions found, {len({k.kind for k in known})} kinds"
    f1, area = macro_f1([(k.kind, k.found_kind) for k in seen]), area_under_curve(tumours, mimics)
    return [
        _row("synthetic, all kinds, T1w+STIR", "macro F1 of kind", "0.75", f"{f1:.3f}", behind),
        _row(
            "the same",
            "AUC tumour-like, sclerotic, atypical haemangioma against the other kinds",
            "0.93",
            f"{area:.3f}",
            f"{len(tumours)} and {len(mimics)}",
        ),
    ]


def _diffuse_rows(diffuse: Mapping[str, Sequence[str]]) -> list[str]:
    found = []
    for what, test, bar in (
        ("diffuse", "synthetic, all marrow replaced: called diffuse", "95 %"),
        ("young", "synthetic, healthy red marrow: called diffuse", "at most 2 %"),
    ):
        said = diffuse.get(what, ())
        if said:
            sure, maybe = said.count("present"), said.count("borderline")
            value = f"{sure / len(said):.0%}, possibly so {maybe / len(said):.0%}"
            found.append(_row(test, "share of people", bar, value, f"{len(said)} people"))
    return found


def _calibration_rows(sets: Mapping[str, Sequence[MarrowScore]]) -> list[str]:
    found = [f for scores in sets.values() for s in scores for f in s.found]
    error = calibration_error([f.probability for f in found], [f.true for f in found])
    return [_row("all of these", "expected calibration error", "0.08", f"{error:.3f}", f"{len(found)} candidates")]


def _people_table(scores: Sequence[MarrowScore], model: LesionModel) -> list[str]:
    lines = ["| person | sequences | images | found of 1 mL or more | of 0.2 to 1 mL | false positives per image |"]
    lines.append("|---|---|---|---|---|---|")
    names = dict.fromkeys(" ".join(s.name.split()[1:-1]) for s in scores)
    for name in names:
        mine = [s for s in scores if " ".join(s.name.split()[1:-1]) == name]
        large, small = (sensitivity(mine, model.operating_point, sizes) for sizes in (LARGE, SMALL))
        rate = false_positives(mine, model.operating_point)
        if not any(s.assessed for s in mine):
            lines.append(f"| {name} | {mine[0].contrasts} | {len(mine)} | not judged | not judged | – |")
            continue
        counts = f"{large[0]:.2f} of {large[1]} | {small[0]:.2f} of {small[1]}"
        lines.append(f"| {name} | {mine[0].contrasts} | {len(mine)} | {counts} | {rate:.2f} |")
    return lines


def _kinds_table(scores: Sequence[MarrowScore]) -> list[str]:
    lines = ["| kind | lesions | found | of the found called so first | most often called |", "|---|---|---|---|---|"]
    known = [k for s in scores for k in s.known]
    for kind in MarrowChange:
        mine = [k for k in known if k.kind == kind.value]
        if mine:
            lines.append(f"| {kind.value} | {_kind_cells(mine)} |")
    return lines


def _kind_cells(mine: Sequence[TrueLesion]) -> str:
    seen = [k for k in mine if k.found_kind]
    right = sum(k.found_kind == k.kind for k in seen)
    names = [k.found_kind for k in seen]
    common = max(set(names), key=names.count) if names else "–"
    share = f"{right / len(seen):.2f}" if seen else "–"
    return f"{len(mine)} | {len(seen)} | {share} | {common}"
