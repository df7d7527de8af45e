"""What the terminal shows: results on stdout, progress and problems on stderr, one line each."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def plain(text: str) -> str:
    """Text from files as a terminal may have it: what is no letter (colours, bells, broken text) is spelled out."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def failure(message: str) -> None:
    """Print an error as one line."""
    err.print(f"[bold red]error:[/] {escape(plain(' '.join(message.split())))}")


def warning(message: str) -> None:
    """Print a warning as one line."""
    err.print(f"[yellow]warning:[/] {escape(plain(' '.join(message.split())))}")


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A callback (stage, done, total) that draws a progress line on a terminal and nothing elsewhere."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<18}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        tasks: dict[str, int] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=max(total, 1))
            bars.update(bars.task_ids[list(tasks).index(stage)], completed=done, total=max(total, 1))

        yield update
