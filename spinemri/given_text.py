"""Text files that a user names: a few pages of JSON or a table, never gigabytes, never something that has no end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 32 * 1024**2


def given_text(path: Path, what: str, *, encoding: str = "utf-8") -> str:
    """The text of a file.

    Parameters
    ----------
    path : as the user named it
    what : what the file is, in words that begin a message: 'clinical file'
    encoding : 'utf-8-sig' where a program may have put a mark before the text

    Raises
    ------
    InputError
        There is no such regular file, it cannot be read, is larger than ``MAX_BYTES``, or no UTF-8 text.
    """
    told = f"{what} {path.name}".strip()
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InputError(f"{told}: cannot be read (expected a file)")
        if size > MAX_BYTES:
            raise InputError(f"{told}: {size >> 20} MB, expected at most {MAX_BYTES >> 20} MB")
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{told}: cannot be read (it is not UTF-8 text)") from error
    except OSError as error:
        raise InputError(f"{told}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # a name that no file can have
        raise InputError(f"{what}: cannot be read (no such file)") from error
