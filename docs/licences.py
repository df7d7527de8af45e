"""The licence of every library that spinemri brings along, from its own metadata, and whether it is permissive.

``python docs/licences.py`` lists them.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

PERMISSIVE = re.compile(
    r"MIT(-CMU|-0)?|BSD(-[23]-Clause)?|0BSD|Apache(-2\.0)?|PSF(-2\.0)?|Python-2\.0|ISC|HPND|Zlib|Unlicense|CC0-1\.0|BSL-1\.0",
    re.IGNORECASE,
)
STATED = {  # the metadata says nothing, or not in words that a program reads; from the licence file of the library
    "asttokens": "Apache-2.0",
    "monai": "Apache-2.0",
    "protobuf": "BSD-3-Clause",
    "ray": "Apache-2.0",
}
EXCEPTIONS = {
    "certifi": "MPL-2.0: a list of certificates, used as it is",
    "hypothesis": "MPL-2.0: runs tests, not distributed",
    "pathspec": "MPL-2.0: comes with hatchling, mkdocs and mypy, builds and checks, not distributed",
}
"""Libraries that are not permissive in all of their parts, and why they are here all the same."""
_WORDS = (
    ("Apache", "Apache-2.0"), ("BSD", "BSD"), ("MIT", "MIT"), ("Python Software Foundation", "PSF-2.0"),
    ("ISC", "ISC"), ("Mozilla", "MPL-2.0"), ("Unlicense", "Unlicense"), ("HPND", "HPND"), ("Historical", "HPND"),
)  # fmt: skip


def closure(*roots: str) -> dict[str, Distribution]:
    """Every installed library that the given requirements bring in on this machine, by its normalised name."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(root) for root in roots]
    while waiting:
        wanted = waiting.pop()
        name = normalised(wanted.name)
        try:
            here = distribution(wanted.name)
        except PackageNotFoundError:
            continue
        extras = wanted.extras or {""}
        fresh = name not in found
        found[name] = here
        if not fresh and not wanted.extras:
            continue
        for line in here.requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                known = normalised(needed.name) in found and not needed.extras
                waiting += [] if known else [needed]
    return found


def normalised(name: str) -> str:
    """A name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(library: Distribution) -> str:
    """An SPDX expression or words close to one; empty when the metadata says nothing."""
    facts = library.metadata
    name = normalised(facts["Name"])
    if name in STATED:
        return STATED[name]
    if said := facts.get("License-Expression"):
        return str(said)
    classes = [c.rpartition(" :: ")[2] for c in facts.get_all("Classifier") or () if c.startswith("License ::")]
    told = classes or (facts.get("License") or "").strip().split("\n")[:1]
    return " OR ".join(dict.fromkeys(_short(one) for one in told))


def _short(told: str) -> str:
    return next((short for word, short in _WORDS if word in told), told)


def is_permissive(licence: str) -> bool:
    """Whether every part of an expression that joins with AND, and one part of each OR, is permissive."""
    plain = licence.replace("(", " ").replace(")", " ")
    parts = [part for part in re.split(r"\s+AND\s+", plain) if part.strip()]
    return bool(parts) and all(
        any(PERMISSIVE.fullmatch(one.strip().partition(" WITH ")[0]) for one in re.split(r"\s+OR\s+", part))
        for part in parts
    )


def main() -> None:
    """List every library with its licence."""
    for name, library in sorted(closure("spinemri[dev,notebook,parquet,ray,shapes,web]").items()):
        licence = licence_of(library)
        print(f"{name:28} {licence:40} {'' if is_permissive(licence) else EXCEPTIONS.get(name, 'NOT PERMISSIVE')}")


if __name__ == "__main__":
    main()
