"""Writes spinemri/dicom/confidentiality.csv and terms.txt: the standard's table of de-identification, and its words.

The rows and the column of the Basic Profile are those of PS3.15 table E.1-1 of edition 2026c, as dicom-anonymizer 2.1
(Kitware, BSD-3-Clause) carries them. The columns of the options are those that dicom-standard 0.1 (Innolitics, MIT)
took from the standard's own pages; a row that is newer than it has none, which is the stricter reading: nothing of it
is retained by an option. The words are the enumerated values and defined terms of PS3.3.

Both packages are looked at, not run: unpack their wheels and name the folders.
"""

from __future__ import annotations

import argparse
import csv
import html
import importlib.util
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_VR

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent.parent / "spinemri" / "dicom"
OPTIONS = {
    "uids": "rtnUIDsOpt",
    "device": "rtnDevIdOpt",
    "institution": "rtnInstIdOpt",
    "patient": "rtnPatCharsOpt",
    "full_dates": "rtnLongFullDatesOpt",
    "modified_dates": "rtnLongModifDatesOpt",
    "descriptors": "cleanDescOpt",
    "structured": "cleanStructContOpt",
}
_TERM = re.compile(r"(?=.*[A-Z])(?!.*\d{4})[A-Z0-9][A-Z0-9_ ./+-]{0,15}")


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("anonymizer", type=Path, help="dicomfields_2026c.py of dicom-anonymizer")
    parser.add_argument("standard", type=Path, help="folder with confidentiality_profile_attributes.json")
    given = parser.parse_args()
    known = {row["tag"].upper(): row for row in json.loads((given.standard / _NAME).read_text(encoding="utf-8"))}
    with (HERE / "confidentiality.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("tag", "basic", *OPTIONS))
        for tag, action in sorted(basic_profile(given.anonymizer).items()):
            row = known.get(f"({tag[:4]},{tag[4:]})", {})
            table.writerow((tag, action, *(row.get(name, "") for name in OPTIONS.values())))
    terms = {term for name in _MODULES for term in terms_of(given.standard / name)}
    (HERE / "terms.txt").write_text("\n".join(sorted(terms)) + "\n", encoding="utf-8")


_NAME = "confidentiality_profile_attributes.json"
_MODULES = ("module_to_attributes.json", "macro_to_attributes.json")


def basic_profile(path: Path) -> dict[str, str]:
    """Tag -> code of the Basic Profile; repeating groups, which are removed whole, are left out."""
    spec = importlib.util.spec_from_file_location("fields", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path.name}: cannot be read")
    fields = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fields)
    found = {}
    for name in (name for name in vars(fields) if name.endswith("_TAGS") and name != "ALL_TAGS"):
        code = name.removesuffix("_TAGS").replace("_STAR", "*").replace("_", "/")
        found.update({f"{tag[0]:04X}{tag[1]:04X}": code for tag in getattr(fields, name) if len(tag) == 2})
    return found


def terms_of(path: Path) -> Iterator[str]:
    """Enumerated values and defined terms in the descriptions of attributes that hold coded strings."""
    for row in json.loads(path.read_text(encoding="utf-8")):
        if _kind(row["tag"]) != "CS":
            continue
        for term in re.findall(r"<dt>(.*?)</dt>", row["description"], re.DOTALL):
            word = html.unescape(re.sub(r"<[^>]*>", "", term)).strip()
            if _TERM.fullmatch(word):
                yield word


def _kind(tag: str) -> str:
    """Value representation of '(gggg,eeee)'; empty when the dictionary has none."""
    try:
        return dictionary_VR(int(tag.strip("()").replace(",", ""), 16))
    except (KeyError, ValueError):
        return ""


if __name__ == "__main__":
    main()
