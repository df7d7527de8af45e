"""The same studies on a Ray cluster: actors on any of its machines, each with its own networks, over one shared drive.

Ray places the actors, starts machines for those that find no room, and notices when one dies; here is only what each is
given. An actor gets studies when it is ready, at most ``AHEAD`` at one time, and is let go when none are left, so a
cluster grows and shrinks with the work. When one dies, another takes its place, and the studies that it had are done
again, each alone; one that ends its actor ``TRIES`` times fails with that as its cause. Every machine needs spinemri,
sees studies and output folder under the same paths, and reaches the server that studies come from. Ray's usage
statistics and dashboard stay off.
"""

from __future__ import annotations

import math
import os
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from spinemri.batch import store
from spinemri.batch.crew import THREADS
from spinemri.batch.line import AHEAD, Flight, Outcome, Steps, ended, started
from spinemri.errors import InputError, SpineMRIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spinemri.batch.line import Job
    from spinemri.batch.sources import Source

TRIES = 3
_STORE_BYTES = 100 * 2**20  # what Ray shares between processes; images never pass through it
_NEEDED = "engine 'ray': needs Ray, which is not installed; expected pip install 'spinemri[ray]'"


@dataclass(frozen=True)
class Cluster:
    """Where the work is done.

    Parameters
    ----------
    address : of a running cluster, such as 'auto' or 'head:6379'; None starts one on this machine, unless one
        is connected already
    workers : most actors at one time; None is as many as the cluster has room for now
    threads : CPU threads of each
    gpus : GPUs of each; None is one where the cluster has any
    """

    address: str | None = None
    workers: int | None = None
    threads: int = 1
    gpus: int | None = None


def check_installed() -> None:
    """Raise InputError when Ray is not there; called before the long work begins."""
    if find_spec("ray") is None:
        raise InputError(_NEEDED)


def on_cluster(sources: Iterable[Source], job: Job, cluster: Cluster) -> Iterator[Outcome]:
    """Outcomes of studies as they come, from the actors of a cluster.

    Raises
    ------
    InputError
        Ray is not installed, or the cluster cannot be reached or has no room for a single worker.
    ModelError, OutputError
        As ``line`` does.
    """
    check_installed()
    waiting = deque(_anywhere(source) for source in sources)
    job = replace(job, out=job.out.absolute() if job.out else None)
    with _connected(cluster) as ray:
        crew = _Crew(ray, job, _sized(ray, cluster), waiting)
        try:
            yield from crew.outcomes()
        finally:
            for actor in crew.actors:
                ray.kill(actor.handle)


def _anywhere(source: Source) -> Source:
    """The study with paths that mean the same in every folder."""
    if source.remote is not None:
        return source
    return replace(source, base=source.base.absolute(), files=tuple(path.absolute() for path in source.files))


class Worker:
    """What an actor does: the studies it is given, through the steps of one process."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._steps: Steps | SpineMRIError
        try:
            self._steps = Steps.of(job)
        except SpineMRIError as error:
            self._steps = error

    def ready(self) -> SpineMRIError | None:
        """Why no network is loaded; None when all are."""
        return self._steps if isinstance(self._steps, SpineMRIError) else None

    def study(self, source: Source) -> Outcome | SpineMRIError:
        """How a study ended, or what ends the run; several threads ask at one time."""
        if isinstance(self._steps, SpineMRIError):
            return self._steps
        flight: Flight | Outcome | None = None
        try:
            flight = started(source, self._steps)
            return ended(flight, self._job)
        except SpineMRIError as error:
            if isinstance(flight, Flight):
                flight.land()
            return error


@dataclass(eq=False)
class _Actor:
    """An actor, and by Ray's reference the studies it has; the one without a study tells when it is ready."""

    handle: Any
    has: dict[Any, Source | None]
    is_ready: bool = False


@dataclass(eq=False)
class _Crew:
    """The actors and what is still to do."""

    ray: Any
    job: Job
    cluster: Cluster
    waiting: deque[Source]
    suspects: deque[Source] = field(default_factory=deque)
    died: Counter[str] = field(default_factory=Counter)
    unborn: int = 0  # actors in a row that died before they were ready
    actors: list[_Actor] = field(default_factory=list)

    def outcomes(self) -> Iterator[Outcome]:
        """Outcomes until nothing is left to do."""
        while self.waiting or self.suspects or any(source for actor in self.actors for source in actor.has.values()):
            while self._room():
                self.actors.append(self._hired())
            owner = {ref: actor for actor in self.actors for ref in actor.has}
            (ref, *_), _ = self.ray.wait(list(owner), num_returns=1)
            try:
                told = self.ray.get(ref)
            except self.ray.exceptions.RayTaskError:
                raise
            except self.ray.exceptions.RayError:
                yield from self._lost(owner[ref])
                continue
            if isinstance(told, SpineMRIError):
                raise told
            self._give(owner[ref], ref)
            if told is not None:
                yield told

    def _room(self) -> bool:
        """Whether another actor may come, and would have something to do."""
        coming = sum(not actor.is_ready for actor in self.actors)
        return len(self.actors) < (self.cluster.workers or 1) and coming < len(self.waiting) + len(self.suspects)

    def _hired(self) -> _Actor:
        threads = dict.fromkeys(THREADS, str(self.cluster.threads))
        needs = {"num_cpus": self.cluster.threads, "num_gpus": self.cluster.gpus, "runtime_env": {"env_vars": threads}}
        handle = self.ray.remote(Worker).options(**needs, max_concurrency=AHEAD).remote(self.job)
        return _Actor(handle, {handle.ready.remote(): None})

    def _give(self, actor: _Actor, told: Any) -> None:
        """More studies to the actor that told of one, or that it is ready; without any it is let go.

        A study whose actor died before is alone with the next.
        """
        del actor.has[told]
        actor.is_ready, self.unborn = True, 0
        if self.suspects and not actor.has:
            self._send(actor, self.suspects.popleft())
        elif not any(source and self.died[source.id] for source in actor.has.values()):
            while self.waiting and len(actor.has) < AHEAD:
                self._send(actor, self.waiting.popleft())
        if not actor.has:
            self.actors.remove(actor)
            self.ray.kill(actor.handle)

    def _send(self, actor: _Actor, source: Source) -> None:
        actor.has[actor.handle.study.remote(source)] = source

    def _lost(self, actor: _Actor) -> Iterator[Outcome]:
        """Failures of the studies of a dead actor that had their tries; the others are tried again."""
        self.actors.remove(actor)
        self.ray.kill(actor.handle)  # when it was only out of reach, it must not write any more
        self.unborn += not actor.is_ready
        if self.unborn == TRIES:
            raise InputError(f"engine 'ray': {TRIES} workers in a row ended before they were ready; see Ray's own logs")
        for source in filter(None, actor.has.values()):
            self.died[source.id] += 1
            if self.died[source.id] < TRIES:
                self.suspects.append(source)
                continue
            told = f"the worker that had it ended {TRIES} times; perhaps for want of memory"
            if self.job.out is not None:
                failure = store.Record(id=source.id, key="", status=store.FAILED, stage="process", error=told)
                store.save(self.job.out, failure, None)
            yield Outcome(source.id, store.FAILED, "process", told)


@contextmanager
def _connected(cluster: Cluster) -> Iterator[Any]:
    """Ray, connected; a connection that was there before stays."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_worker_niceness", "0")  # else actors give way to every other program of the machine
    ray = import_module("ray")
    if ray.is_initialized():
        yield ray
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if cluster.address:
            ray.init(cluster.address, **quiet)
        else:
            cores = max(os.cpu_count() or 1, (cluster.workers or 1) * cluster.threads)
            ray.init("local", num_cpus=cores, include_dashboard=False, object_store_memory=_STORE_BYTES, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise InputError(f"engine 'ray': no connection to a cluster ({type(error).__name__}: {error})") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _sized(ray: Any, cluster: Cluster) -> Cluster:
    """The cluster with as many workers as it has room for now, and their GPUs, where the user leaves that open."""
    has = ray.cluster_resources()
    gpus = int(has.get("GPU", 0) > 0) if cluster.gpus is None else cluster.gpus
    if not cluster.address and has.get("GPU", 0) < gpus:
        raise InputError(f"engine 'ray': {gpus} GPU a worker is asked for, and none is here; expected device cpu")
    room = min(has.get("CPU", 0) // cluster.threads, has.get("GPU", 0) // gpus if gpus else math.inf)
    return replace(cluster, gpus=gpus, workers=cluster.workers or max(1, int(room)))
