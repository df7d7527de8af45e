"""The salt of the tokens that stand for identifiers: a key file that never lies in an output folder.

With the same key the same patient gets the same token in every run, so results can be joined; without the key nobody
can find the identifier that belongs to a token.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from spinemri.cli.console import warning
from spinemri.errors import InputError, OutputError

_BYTES = 32
_MOST_BYTES = 4096


def default_key_file() -> Path:
    """``spinemri/token.key`` in the user's configuration folder."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("APPDATA")
    return (Path(base) if base else Path.home() / ".config") / "spinemri" / "token.key"


def token_key(path: Path | None, out: Path) -> bytes:
    """The key in a file, made when the file is absent; readable by its owner only.

    Where the user's own configuration folder cannot be written, a key for this run alone, with a warning.

    Raises
    ------
    InputError
        The file is too short or cannot be read.
    OutputError
        The file cannot be made, or lies within the output folder.
    """
    chosen = path or default_key_file()
    if out.resolve() in chosen.resolve().parents:
        raise OutputError(
            f"token key {chosen.name}: must not lie in the output folder; choose another with --token-key"
        )
    try:
        if not chosen.exists():
            _make(chosen)
        with chosen.open("rb") as stream:
            key = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        if path is None:
            warning(f"the key of the tokens cannot be kept ({error.strerror}): this run's tokens match no other run's")
            return secrets.token_bytes(_BYTES)
        raise OutputError(f"token key {chosen.name}: {error.strerror}; choose another file with --token-key") from error
    if len(key) > _MOST_BYTES:
        raise InputError(f"token key {chosen.name}: more than {_MOST_BYTES} bytes, expected a key")
    if len(key) < _BYTES // 2:
        raise InputError(f"token key {chosen.name}: {len(key)} bytes, expected at least {_BYTES // 2}")
    return key


def _make(path: Path) -> None:
    """Write a new key; when another process was quicker, its key stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(_BYTES))
