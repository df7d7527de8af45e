"""Writes requirements.lock: every library of constraints.txt with the checksums of its files, torch left out.

``make lock`` runs it with pip-tools in an environment of its own. torch is left out because which file of it is right
depends on the machine (CPU, CUDA); install that first, then ``pip install --require-hashes -r requirements.lock``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
HEAD = """# Checksums of every library in constraints.txt but torch, whose file differs by machine. Made by `make lock`.
#   pip install -c constraints.txt torch && pip install --require-hashes -r requirements.lock
"""
_OPTIONS = [
    "--quiet",
    "--generate-hashes",
    "--strip-extras",
    "--no-emit-options",
    "--no-emit-index-url",
    "--no-emit-trusted-host",
    "--no-emit-find-links",
    "--no-annotate",
    "--no-header",
    "--extra",
    "dev",
    "--allow-unsafe",
    "--unsafe-package",
    "torch",
    "--resolver",
    "backtracking",
]


def resolved() -> str:
    """What pip-compile says, one block per library."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.txt"
        command = [sys.executable, "-m", "piptools", "compile", *_OPTIONS, "--constraint", "constraints.txt"]
        subprocess.run([*command, "--output-file", str(out), "pyproject.toml"], cwd=ROOT, check=True)
        return out.read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """Blocks 'name==version' with their checksums; remarks and torch with its own build are dropped."""
    joined = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    found = re.findall(r"^\S+==\S+ \\\n(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+", joined + "\n", flags=re.MULTILINE)
    return [block.rstrip() for block in found if not re.match(r"(torch|pip)==", block)]


def main() -> None:
    """Write the file and say how many libraries it holds."""
    found = blocks(resolved())
    LOCK.write_text(HEAD + "\n".join(found) + "\n", encoding="utf-8")
    print(f"{LOCK.name}: {len(found)} libraries")


if __name__ == "__main__":
    main()
