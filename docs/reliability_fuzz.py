"""The section on damaged input of docs/reliability.md, from docs/fuzz.json, which ``make fuzz`` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("fuzz.json")
_SAID = {
    "dicom": "DICOM: classic, multi-frame, RLE, JPEG-LS, deflated, implicit",
    "volume": "NIfTI, NRRD, MetaImage",
    "labels": "masks: DICOM SEG, NIfTI",
    "clinical": "clinical files",
    "review": "reviews",
    "list": "lists of studies (CSV)",
    "chain": "the whole job, every format",
}


def section() -> str:
    """The section as Markdown; it says so when nothing was measured."""
    if not FIGURES.is_file():
        return "## Damaged input\n\nNot measured: `make fuzz` has not been run.\n"
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    faults = found["kinds_of_faults"]
    told = "none" if not faults else ", ".join(f"{kind} ({count})" for kind, count in faults.items())
    rows = [f"| {_SAID[target]} | {count:,} |" for target, count in found["by_target"].items()]
    seeds = "synthetic files and public DICOM files" if found["real_files"] else "synthetic files"
    return "\n".join(
        [
            "## Damaged input",
            "",
            f"{found['executions']:,} executions in {found['minutes']:.0f} minutes, {found['processes']} processes,",
            f"from {seeds}: bytes, DICOM elements, header fields and JSON values changed, removed, repeated,",
            "exchanged, nested, cut off. Each must be read or refused in one line: any other exception, 30 s of work,",
            "more than 4 GB or the death of the process is a fault. Every execution can be repeated by its number.",
            "",
            "| input | executions |",
            "|---|---|",
            *rows,
            "",
            f"Faults: {told}.{_repeated(found)}",
            "",
            *([found["note"], ""] if "note" in found else []),
        ]
    )


def _repeated(found: dict[str, Any]) -> str:
    """What became of the faults when the same executions were repeated with what mended them."""
    if "repeated" not in found:
        return ""
    return f" Repeated by their numbers with the code of today: {found['still_faults']} of {found['repeated']} fail."


if __name__ == "__main__":
    print(section())
