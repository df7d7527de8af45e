"""State of the whole process that several threads want changed for a while: changed by the first, put back by the last.

``warnings.catch_warnings`` and pydicom's settings put back what they found. Two threads that do so by turns put back
what the other had changed, and a warning that repeats a header's value gets out, or none ever again.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOCK = Lock()


@dataclass(eq=False)
class _Changed:
    """How many are inside, and what puts the state back."""

    inside: int = 0
    back: ExitStack = field(default_factory=ExitStack)


_STATES: dict[str, _Changed] = {}


@contextmanager
def together(name: str, change: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
    """Change a state of the process while the context lasts; who comes while it is changed joins in.

    Parameters
    ----------
    name : of the state, the same wherever it is changed
    change : makes the context manager that changes the state and puts it back
    """
    with _LOCK:
        state = _STATES.setdefault(name, _Changed())
        if not state.inside:
            state.back.enter_context(change())
        state.inside += 1
    try:
        yield
    finally:
        with _LOCK:
            state.inside -= 1
            if not state.inside:
                state.back.close()
