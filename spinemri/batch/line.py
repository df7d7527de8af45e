"""Studies one after the other in one process: while the network reads one, the next is loaded and the last is written.

Each step has a thread of its own, and a bounded number of studies is in memory. pydicom is told to be lenient for the
whole process, so fetching, loading and writing files exclude each other. What a study raises is its outcome; only an
output folder that is full or read-only ends the run. A study of a server lies on this machine while it is read, and
until it is written when a format takes the patient's identity from its files.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import deque
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from threading import Lock as Mutex
from typing import TYPE_CHECKING

from spinemri import __version__
from spinemri.batch import store
from spinemri.batch.archive import fetched
from spinemri.batch.heap import give_back
from spinemri.dicom.scan import relative_name
from spinemri.errors import InputError, OutputError
from spinemri.faults import cause_of, trace_of
from spinemri.norms import NORMS_SHA256
from spinemri.pipeline import finish, infer, read_study
from spinemri.report.write import DEFAULT_FORMATS, WITH_IDENTITY, check_sources, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from spinemri.analysis import Analysis
    from spinemri.batch.lock import Lock
    from spinemri.batch.sources import Source
    from spinemri.dicom.study import LoadedStudy
    from spinemri.image import Image
    from spinemri.networks import Networks
    from spinemri.pipeline import Options, Reading

    Seen = tuple[LoadedStudy, Reading]
    Written = tuple[Analysis, dict[str, float]]

AHEAD = 4  # studies in a process at one time: one in each step and one waiting
UNCHANGED, ELSEWHERE = "unchanged", "elsewhere"
_FILES = Mutex()


@dataclass(frozen=True)
class Job:
    """What is done with every study; it goes to other processes, so ``load`` must be a function of a module.

    Parameters
    ----------
    load : makes the networks, once in each process
    options : for every study; with a ``token_key`` unless identifiers are kept
    out : folder of the results; None writes nothing and hands the analyses out
    formats : what is written of each study
    force : do studies again that are done
    """

    load: Callable[[], Networks]
    options: Options
    out: Path | None = None
    formats: tuple[str, ...] = DEFAULT_FORMATS
    force: bool = False


@dataclass(frozen=True, eq=False)
class Outcome:
    """How one study ended.

    ``status`` is 'done', 'failed', 'unchanged' (done by an earlier run) or 'elsewhere' (another run works on it);
    ``analysis`` is there when nothing is written; ``trace`` says where in the program a study failed.
    """

    id: str
    status: str
    stage: str = ""
    error: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    analysis: Analysis | None = None
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Steps:
    """The networks, and the three threads that studies pass through; ``settings`` is what a result depends on."""

    job: Job
    networks: Networks
    settings: Mapping[str, object]
    reading: ThreadPoolExecutor
    seeing: ThreadPoolExecutor
    writing: ThreadPoolExecutor
    stopped: Event = field(default_factory=Event)

    @classmethod
    def of(cls, job: Job) -> Steps:
        """Load the networks. Raises ModelError when that fails."""
        networks = job.load()
        threads = (ThreadPoolExecutor(1), ThreadPoolExecutor(1), ThreadPoolExecutor(1))
        return cls(job, networks, _settings(job, networks), *threads)

    def close(self) -> None:
        """Wait for what runs; what only waits is not done, and a study that is being fetched is left."""
        self.stopped.set()
        for thread in (self.reading, self.seeing, self.writing):
            thread.shutdown(cancel_futures=True)

    def read(self, source: Source, held: ExitStack) -> LoadedStudy:
        """The first step; raises what is wrong with the study, as the others do.

        Files of a server that a later step needs are kept until ``held`` is closed.
        """
        if source.fault:
            raise InputError(source.fault)
        needed = source.remote and self.job.out and set(WITH_IDENTITY) & set(self.job.formats)
        with _FILES, ExitStack() as brief:
            folder = (held if needed else brief).enter_context(_folder_of(source, self._go_on))
            return _at_home(read_study(folder, source.options(self.job.options)))

    def _go_on(self, *_: object) -> None:
        """Called for every file that is fetched."""
        if self.stopped.is_set():
            raise CancelledError

    def see(self, source: Source, read: Future[LoadedStudy]) -> Seen:
        """What the networks see."""
        loaded = read.result()
        check_sources(self.job.formats if self.job.out else (), loaded.every_image)
        return loaded, infer(loaded, self.networks, source.options(self.job.options))

    def write(self, source: Source, seen: Future[Seen]) -> Written:
        """The analysis, written, and the seconds of each stage."""
        case = finish(*seen.result(), self.networks, source.options(self.job.options))
        start = time.perf_counter()
        if self.job.out is not None:
            with _FILES:
                write(case, store.result_folder(self.job.out, source.id), formats=self.job.formats, overwrite=True)
        return case.analysis, {**case.analysis.provenance.seconds, "write": time.perf_counter() - start}


@dataclass(frozen=True, eq=False)
class Flight:
    """A study on its way: what each step gives, or raises; ``held`` is what it keeps on this machine meanwhile."""

    source: Source
    key: str
    lock: Lock | None
    held: ExitStack
    read: Future[LoadedStudy]
    seen: Future[Seen]
    written: Future[Written]

    def land(self) -> None:
        """Let its files go, and other processes have it."""
        self.held.close()
        if self.lock is not None:
            self.lock.release()


def line(sources: Iterable[Source], job: Job) -> Iterator[Outcome]:
    """Outcomes in the order of the sources.

    Raises
    ------
    ModelError
        The networks cannot be loaded.
    OutputError
        The output folder is full or read-only.
    """
    flights: deque[Flight | Outcome] = deque()
    with ExitStack() as stack:
        stack.callback(_landed, flights)
        steps = Steps.of(job)
        stack.callback(steps.close)
        for source in sources:
            flights.append(started(source, steps))
            if len(flights) == AHEAD:
                yield _first_of(flights, job)
        while flights:
            yield _first_of(flights, job)


def _first_of(flights: deque[Flight | Outcome], job: Job) -> Outcome:
    """The oldest study's outcome; the study stays among the flights until it has one."""
    outcome = ended(flights[0], job)
    flights.popleft()
    return outcome


def _landed(flights: deque[Flight | Outcome]) -> None:
    """Let other processes have what a run that ends early leaves."""
    for flight in flights:
        if isinstance(flight, Flight):
            flight.land()


def _settings(job: Job, networks: Networks) -> dict[str, object]:
    """Everything besides the files that a result depends on."""
    models = [(model.label, model.sha256) for model in networks.models.values()]
    options, formats = repr(job.options), sorted(job.formats)
    return {"version": __version__, "norms": NORMS_SHA256, "models": models, "options": options, "formats": formats}


def started(source: Source, steps: Steps) -> Flight | Outcome:
    """The study on its way; or its outcome, when there is nothing to do. Raises OutputError."""
    out, key, lock = steps.job.out, "", None
    if out is not None:
        try:
            lock = store.lock_of(out, source.id)
        except OSError as error:
            raise store.not_written(out, error) from error
        if lock is None:
            return Outcome(source.id, ELSEWHERE)
        key = store.key_of(source, steps.settings)
        if not steps.job.force and store.is_done(out, source.id, key):
            lock.release()
            return Outcome(source.id, UNCHANGED)
    held = ExitStack()
    read = steps.reading.submit(steps.read, source, held)
    seen = steps.seeing.submit(steps.see, source, read)
    return Flight(source, key, lock, held, read, seen, steps.writing.submit(steps.write, source, seen))


def ended(flight: Flight | Outcome, job: Job) -> Outcome:
    """The study's outcome, recorded; waits for it. Raises OutputError, and then the study must be landed."""
    if isinstance(flight, Outcome):
        return flight
    outcome = _outcome(flight, job)
    flight.land()
    give_back()
    return outcome


def _outcome(flight: Flight, job: Job) -> Outcome:
    out = job.out
    steps: tuple[tuple[str, Future[LoadedStudy] | Future[Seen] | Future[Written]], ...]
    steps = ("read", flight.read), ("segment", flight.seen), ("measure", flight.written)
    for stage, step in steps:
        error = step.exception()
        if error is not None:
            unwritten = isinstance(error, OutputError) and step is not flight.read
            return _failed(flight, "write" if unwritten else stage, error, job)
    analysis, seconds = flight.written.result()
    if out is None:
        return Outcome(flight.source.id, store.DONE, seconds=seconds, analysis=analysis)
    store.save(out, store.record_of(flight.source.id, flight.key, analysis, seconds), analysis)
    return Outcome(flight.source.id, store.DONE, seconds=seconds)


def _failed(flight: Flight, stage: str, error: BaseException, job: Job) -> Outcome:
    out = job.out
    if out is not None and stage == "write" and isinstance(error.__cause__, OSError):
        raise store.not_written(out, error.__cause__) from error
    name, told = flight.source.id, cause_of(error)
    if not (flight.source.files or flight.source.remote or job.options.keep_identifiers):
        told = _without_names(told, flight.source.base)
    if out is not None:
        store.save(out, store.Record(id=name, key=flight.key, status=store.FAILED, stage=stage, error=told), None)
    return Outcome(name, store.FAILED, stage, told, trace=trace_of(error))


def _without_names(told: str, base: Path) -> str:
    """A message without names of folders and files, which are patients' names as often as not."""
    names = [base.name, *(relative_name(path, base) for path in base.rglob("*"))]
    told = told.removeprefix(f"{base.name}: ")
    for name in sorted(names, key=len, reverse=True):
        told = told.replace(f" in {name}", " in …")
    return told


@contextmanager
def _folder_of(source: Source, fetching: Callable[[str, int, int], None]) -> Iterator[Path]:
    """A folder that holds the study and nothing else: links, since other studies may lie among its files."""
    if source.remote is not None:
        with fetched(source.remote.server, source.remote.uid, fetching) as folder:
            yield folder
        return
    if not source.files:
        yield source.base
        return
    with tempfile.TemporaryDirectory(prefix="spinemri-") as temporary:
        folder = Path(temporary, "study")
        for path in source.files:
            link = folder / path.relative_to(source.base)
            link.parent.mkdir(parents=True, exist_ok=True)
            try:
                link.symlink_to(path)
            except OSError:  # a drive or user without symbolic links
                shutil.copy2(path, link)
        yield folder


def _at_home(loaded: LoadedStudy) -> LoadedStudy:
    """The study with the files themselves in place of the links, which are gone when it is written."""

    def at_home(image: Image) -> Image:
        files = tuple(f.model_copy(update={"path": f.path.resolve()}) for f in image.series.files)
        return replace(image, series=image.series.model_copy(update={"files": files}))

    images, axial = (tuple(map(at_home, some)) for some in (loaded.images, loaded.axial))
    return replace(loaded, images=images, axial=axial)
