"""Writes docs/sbom.cdx.json: what spinemri is made of, as CycloneDX 1.6, validated against its schema.

``make sbom`` runs it with cyclonedx-bom in an environment of its own and names the project's environment. Libraries
that happen to be there and that constraints.txt does not name are left out, so that the same pins give the same file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[1]
SBOM = ROOT / "docs" / "sbom.cdx.json"
STATED = {"asttokens": "Apache-2.0", "monai": "Apache-2.0", "protobuf": "BSD-3-Clause", "ray": "Apache-2.0"}
"""As in licences.py, which this environment need not be able to import."""


def pinned() -> dict[str, str]:
    """Versions of constraints.txt by normalised name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {normalised(name): version for name, _, version in (line.partition("==") for line in lines if "==" in line)}


def normalised(name: str) -> str:
    """A name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def described(python: str) -> dict[str, Any]:
    """What cyclonedx-py finds in an environment."""
    tool = [sys.executable, "-m", "cyclonedx_py", "environment", python, "--pyproject", str(ROOT / "pyproject.toml")]
    done = subprocess.run([*tool, "--output-reproducible"], check=True, capture_output=True, text=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def reduced(document: dict[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """Only the wanted libraries, without links to pages, and the licence of those whose metadata does not say it."""
    kept = [c for c in document["components"] if normalised(c["name"]) in wanted]
    for component in kept:
        component.pop("externalReferences", None)
        component["version"] = component["version"].partition("+")[0]
        component["purl"] = component["purl"].partition("%2B")[0].partition("+")[0]
        if not component.get("licenses") and (known := STATED.get(normalised(component["name"]))):
            component["licenses"] = [{"license": {"id": known}}]
    document["metadata"].get("component", {}).pop("externalReferences", None)
    refs = {c["bom-ref"] for c in kept} | {document["metadata"]["component"]["bom-ref"]}
    edges = [d for d in document["dependencies"] if d["ref"] in refs]
    for edge in edges:
        if "dependsOn" in edge:
            edge["dependsOn"] = [ref for ref in edge["dependsOn"] if ref in refs]
    return {**document, "components": kept, "dependencies": edges}


def check(text: str) -> None:
    """End with what is wrong when the text does not fit the schema of CycloneDX 1.6."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        sys.exit(f"{SBOM.name}: {fault}")


def main() -> None:
    """Write the file and say how many libraries it holds."""
    document = reduced(described(sys.argv[1]), pinned())
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    check(text)
    SBOM.write_text(text, encoding="utf-8")
    print(f"{SBOM.relative_to(ROOT)}: {len(document['components'])} libraries")


if __name__ == "__main__":
    main()
