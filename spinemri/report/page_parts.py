"""What pages that open offline are put together from: templates, styles and a script inside, a policy that holds them.

jinja2 escapes every text. The policy of a page lets it run its own script and nothing else, and load nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from spinemri.report.text import unbroken
from spinemri.terms import term

POLICY = (
    "default-src 'none'; img-src data:; script-src '{script}'; style-src '{style}'; style-src-attr 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
"""Content-Security-Policy of a page; ``script`` and ``style`` are their checksums."""


def embedded(document: object) -> str:
    """JSON inside a script element: no character in it can end the element or begin a comment."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def checksum(source: str) -> str:
    """What a Content-Security-Policy calls an inline style or script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode('ascii')}"


def source(package: str, name: str) -> str:
    """A template's text as it stands."""
    environment = environment_of(package)
    return "" if environment.loader is None else environment.loader.get_source(environment, name)[0]


@cache
def environment_of(package: str) -> Environment:
    """What renders the templates of a package: every text is escaped, and a name without a value is an error."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken"] = unbroken
    environment.filters["term"] = term
    return environment
