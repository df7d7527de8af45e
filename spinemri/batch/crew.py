"""The same line in several processes, each with its own networks; the main process hands the studies out.

A process that dies (for want of memory, or killed) gives its studies back: each is tried once more in a process of its
own, and fails with that as its cause when it dies again. Each process has a pipe of its own, so none can block another.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from typing import TYPE_CHECKING

from spinemri.batch import store
from spinemri.batch.line import AHEAD, Outcome, line
from spinemri.errors import SpineMRIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from spinemri.batch.line import Job
    from spinemri.batch.sources import Source

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


@dataclass(eq=False)
class _Worker:
    """A process, this end of its pipe, the studies it has, and whether it waits for more."""

    process: SpawnProcess
    pipe: Connection
    has: dict[str, Source] = field(default_factory=dict)
    open: bool = True

    def give(self, waiting: deque[Source]) -> None:
        """The next study; or, once, word that there are no more."""
        if not self.open:
            return
        source = waiting.popleft() if waiting else None
        self.open = source is not None
        if source is not None:
            self.has[source.id] = source
        with suppress(OSError):  # it is dead, which is noticed when its pipe is read
            self.pipe.send(source)


def crew(sources: Iterable[Source], job: Job, workers: int, threads: int = 1) -> Iterator[Outcome]:
    """Outcomes of studies as they come, from several processes.

    Parameters
    ----------
    workers : processes
    threads : CPU threads of the libraries in each process

    Raises
    ------
    ModelError, OutputError
        As ``line`` does.
    """
    waiting = deque(sources)
    suspects: dict[str, Source] = {}
    tried: set[str] = set()
    staff: dict[Connection, _Worker] = {}
    try:
        while waiting or suspects or staff:
            while (waiting or suspects) and len(staff) < workers:
                worker = _hired(job, threads, waiting or deque([suspects.pop(next(iter(suspects)))]))
                staff[worker.pipe] = worker
            for pipe in connection.wait(list(staff)):
                worker = staff[pipe]  # type: ignore[index]  # it is one of those that were waited for
                message = _heard(worker)
                if isinstance(message, SpineMRIError):
                    raise message
                if message is None:
                    del staff[worker.pipe]
                    again = {name: source for name, source in worker.has.items() if name not in tried}
                    yield from _lost(worker, job, worker.has.keys() - again.keys())
                    suspects |= again
                    tried |= again.keys()
                else:
                    del worker.has[message.id]
                    worker.give(waiting)
                    yield message
    finally:
        for worker in staff.values():
            worker.process.terminate()
            worker.process.join()


def _hired(job: Job, threads: int, waiting: deque[Source]) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, job), daemon=True)
    with _environment(dict.fromkeys(THREADS, str(threads))):
        process.start()
    theirs.close()
    worker = _Worker(process, ours)
    for _ in range(AHEAD):
        worker.give(waiting)
    return worker


def _serve(pipe: Connection, job: Job) -> None:
    """What a worker does: studies from the pipe through the line, outcomes into it."""

    def given() -> Iterator[Source]:
        while (source := pipe.recv()) is not None:
            yield source

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends its workers
    with suppress(EOFError, BrokenPipeError):  # the main process is gone
        try:
            for outcome in line(given(), job):
                pipe.send(outcome)
        except SpineMRIError as error:
            pipe.send(error)


def _heard(worker: _Worker) -> Outcome | SpineMRIError | None:
    """What a worker sent; None when it has ended."""
    try:
        message: Outcome | SpineMRIError = worker.pipe.recv()
    except (EOFError, OSError):
        return None
    return message


def _lost(worker: _Worker, job: Job, names: Iterable[str]) -> Iterator[Outcome]:
    """Failures of the studies that a worker had when it ended, and not for the first time."""
    worker.process.join()
    worker.pipe.close()
    code = worker.process.exitcode or 0
    if code > 0:
        raise RuntimeError(f"a worker process failed by itself (exit {code})")
    told = f"the process that worked on it ended twice (exit {code}); perhaps for want of memory"
    for name in names:
        if job.out is not None:
            failure = store.Record(id=name, key="", status=store.FAILED, stage="process", error=told)
            store.save(job.out, failure, None)
        yield Outcome(name, store.FAILED, "process", told)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Variables that a process started meanwhile inherits; what the user has set stays."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
