"""Write docs/dicom_codes.md: codes of DICOM SEG and SR, from ``spinemri/codes.csv`` and the catalogue of measures."""

from __future__ import annotations

from pathlib import Path

from spinemri.anatomy import Level
from spinemri.codes import DISC, PRIVATE_SCHEME, TABLE, THECAL_SAC, level_code
from spinemri.measure.catalogue import LESION_MEASURES, MARROW_MEASURES, MEASURES

PAGE = Path(__file__).resolve().parent / "dicom_codes.md"
HEAD = f"""# Codes in DICOM output

Where the DICOM code dictionary has a code, it is used (SCT: SNOMED CT, DCM, UCUM, LN: LOINC, NCIt, RADLEX, UMLS). Where
it has none, the scheme is `{PRIVATE_SCHEME}`. SNOMED CT needs a licence in countries that are no members; its DICOM
subset may be used in DICOM objects. `docs/make_dicom_codes.py` writes this page from `spinemri/codes.csv`; a test
compares.
"""
WITHOUT_CODE = ("T13", "L6", "S1", "S2", "S3", "S4", "S5")


def page() -> str:
    """The whole page."""
    units = {m.name: (m.unit, m.definition) for m in (*MEASURES, *LESION_MEASURES, *MARROW_MEASURES)}
    measures = [(f"`{name}`", *told(code), *units[name]) for (of, name), code in TABLE.items() if of == "measurement"]
    parts = [HEAD]
    parts.append("## Places\n\nA vertebra and the level of a disc have their SNOMED CT code; those without one:\n")
    places = [level_code(Level(name)) for name in WITHOUT_CODE]
    places += [level_code(Level("V1")), level_code(Level("L5"), Level("L6")), DISC, THECAL_SAC]
    parts.append(table(("code", "scheme", "meaning"), [told(code) for code in places]))
    parts.append("Relative levels (V1 to V30) and other discs of variants follow the same pattern.\n")
    parts.append("## Measurements\n")
    parts.append(table(("name in `report.json`", "code", "scheme", "meaning", "unit", "definition"), measures))
    for title, wanted in (("Findings", "finding"), ("Answers, attributes and procedures", "word")):
        rows = [(f"`{name}`", *told(code)) for (of, name), code in TABLE.items() if of == wanted]
        parts += [f"## {title}\n", table(("name", "code", "scheme", "meaning"), rows)]
    return "\n".join(parts)


def told(code: tuple[str, str, str]) -> tuple[str, str, str]:
    """Value, scheme and meaning as cells."""
    return f"`{code[0]}`", code[1], code[2]


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name} written")
