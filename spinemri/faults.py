"""What fails inside the program costs one part of a result, never the rest, and is told: logged, counted, reported.

``attempt`` stands where parts are independent: a series that is segmented, a group of measurements, a rule, a format.
Only within ``collecting`` does it catch anything; a part that is called on its own raises as ever. What is meant for
the user (a wrong anchor, a full disk, no memory) is no fault and always passes through.

What is told of an error holds no identifier: its type and its place in the program. The message is told only when it is
one of our own, which hold none.
"""

from __future__ import annotations

import logging
import traceback
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from spinemri.errors import GeometryError, SeriesError, SpineMRIError
from spinemri.language import Phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
P = ParamSpec("P")

_WORDS = Phrases("faults")
_LOG = logging.getLogger("spinemri.faults")
_PACKAGE = Path(__file__).parent


class Fault(BaseModel):
    """A part of an analysis that failed inside the program."""

    model_config = ConfigDict(frozen=True)

    part: str = Field(description="what is missing because of it: 'discs', 'segmentation of series 3', 'format pdf'")
    cause: str = Field(description="type and place of the error, without any value")
    trace: tuple[str, ...] = Field(default=(), exclude=True, description="calls that led to it, outermost first")

    @property
    def told(self) -> str:
        """One line for the reader of a report."""
        return _WORDS.TOLD.format(part=self.part, cause=self.cause)


_COLLECTED: ContextVar[list[Fault] | None] = ContextVar("faults", default=None)


@contextmanager
def collecting() -> Iterator[list[Fault]]:
    """A list that faults of ``attempt`` are added to while the context lasts; in this thread alone."""
    found: list[Fault] = []
    before = _COLLECTED.set(found)
    try:
        yield found
    finally:
        _COLLECTED.reset(before)


def attempt(part: str, default: T, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a call; ``default`` when it fails for a reason that the user cannot do anything about.

    Parameters
    ----------
    part : what is missing then, in words for a reader
    default : what stands for the result
    """
    try:
        return call(*args, **kwargs)
    except Exception as error:  # narrowed by ``is_fault``
        if _COLLECTED.get() is None or not is_fault(error):
            raise
        noted(part, error)
        return default


def is_fault(error: BaseException) -> bool:
    """Whether an error is the program's own failure; not so is what a user or the machine must mend."""
    if isinstance(error, SpineMRIError):
        return isinstance(error, GeometryError | SeriesError)
    return isinstance(error, Exception) and not isinstance(error, MemoryError | OSError)


def noted(part: str, error: BaseException) -> Fault:
    """The fault of an error, logged and added to those that are collected."""
    fault = Fault(part=part, cause=cause_of(error), trace=trace_of(error))
    _LOG.error("%s", fault.told)
    if (found := _COLLECTED.get()) is not None:
        found.append(fault)
    return fault


def cause_of(error: BaseException) -> str:
    """An error in one line that holds no path and no identifier; an unexpected one by its place in the program."""
    if isinstance(error, SpineMRIError):
        return " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return _WORDS.NO_MEMORY
    if isinstance(error, OSError):
        return _WORDS.NO_FILE.format(error=error.strerror or type(error).__name__)
    places = traceback.extract_tb(error.__traceback__)
    line = {"file": Path(places[-1].filename).name, "line": places[-1].lineno} if places else {}
    where = _WORDS.WHERE.format(**line) if line else ""
    return _WORDS.UNEXPECTED.format(error=type(error).__name__, where=where)


def trace_of(error: BaseException) -> tuple[str, ...]:
    """Calls that led to an error and, before them, to what caused it: file, line, function and types, no values."""
    told: list[str] = []
    if error.__cause__ is not None:
        told += [*trace_of(error.__cause__), "which led to"]
    for frame in traceback.extract_tb(error.__traceback__):
        told.append(f"{_place(Path(frame.filename))}:{frame.lineno} {frame.name}")
    return (*told, type(error).__name__)


def _place(path: Path) -> str:
    """Path of a source file within its package; of any other file its name alone."""
    if path.is_relative_to(_PACKAGE.parent) and path.is_relative_to(_PACKAGE):
        return path.relative_to(_PACKAGE.parent).as_posix()
    parts = path.parts
    return "/".join(parts[parts.index("site-packages") + 1 :]) if "site-packages" in parts else path.name
