"""The command line, run in this process: what it prints and how it exits."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from spinemri.cli import main


@dataclass(frozen=True)
class Outcome:
    """Exit code, and what went to stdout and stderr."""

    code: int
    out: str
    err: str


def run(*arguments: object) -> Outcome:
    """Run ``spinemri ARGUMENTS`` as the installed program does; an unexpected exception passes through."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    line = ["spinemri", *map(str, arguments)]
    with patch.object(sys, "argv", line), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue())
