"""A DICOMweb server watched for new MR studies: each is analysed once, and its DICOM objects are stored.

A study is new when its date is recent and nothing is remembered of it. One that is still arriving is waited for until
the number of its images has not changed from one look to the next. What is remembered stands in a small folder, a file
for each study under its salted token: written before the work begins and again when it has ended, whole each time, so
a watch that is killed takes up what it was working on. What fails for its own sake fails once; what a server refuses is
tried again, later each time and not for ever, and so is a study over which the program itself was ended.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from spinemri.analysis import token
from spinemri.batch import store
from spinemri.batch.archive import STORED, fetched, send
from spinemri.batch.lock import locked
from spinemri.dicom.web import count_images, find_studies
from spinemri.errors import InputError, OutputError, ServerError
from spinemri.faults import cause_of
from spinemri.pipeline import Options, finish, infer, read_study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from spinemri.dicom.server import Server
    from spinemri.networks import Networks

ATTEMPTS = 5
"""How often a study is tried that a server refuses, or over which the program is ended."""
_LATER = 4  # times longer is waited before each further attempt
STARTED, STORED_BACK, FAILED, LATER = "started", "stored", "failed", "later"
ARRIVING, UNREACHABLE = "arriving", "unreachable"


class Record(BaseModel):
    """What is remembered of a study."""

    model_config = ConfigDict(frozen=True)

    status: str = LATER
    attempts: int = 0
    not_before: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Watch:
    """What is watched, and what is done.

    Parameters
    ----------
    source, target : servers that studies come from and objects go to
    state : the folder that remembers; nothing else lies in it
    options : for every study, with a ``token_key``
    load : makes the networks, when the first study is there
    formats : DICOM formats that are stored
    days : a study is new when its date is at most so many days ago
    interval_s : between two looks

    Raises
    ------
    InputError
        There is no ``token_key``: nothing could be remembered without a UID.
    """

    source: Server
    target: Server
    state: Path
    options: Options
    load: Callable[[], Networks]
    formats: tuple[str, ...] = STORED
    days: int = 2
    interval_s: float = 60.0

    def __post_init__(self) -> None:
        if self.options.token_key is None:
            raise InputError("a watch remembers studies by salted tokens: give Options a token_key")

    def name_of(self, study: str) -> str:
        """The token of a study."""
        return token(study, self.options.token_key or b"")

    @property
    def work(self) -> Path:
        """Where studies lie while they are worked on."""
        return self.state / "work"


@dataclass(frozen=True)
class Event:
    """What happened: to a study, named by its token, or, without one, between here and the server."""

    status: str
    study: str = ""
    told: str = ""


def watch(job: Watch, pause: Callable[[float], None] = time.sleep) -> Iterator[Event]:
    """Events, without end, while the server is watched.

    Raises
    ------
    InputError
        Another watch works with the folder, or it was made with another token key.
    ModelError
        The networks cannot be loaded.
    OutputError
        The folder cannot be written.
    """
    networks: list[Networks] = []
    counted: dict[str, int] = {}
    with _remembering(job):
        while True:
            try:
                for study in _recent(job):
                    if _settled(study, job, counted):
                        networks = networks or [job.load()]
                        yield Event(STARTED, job.name_of(study))
                        yield _tried(study, job, networks[0])
                    elif counted.get(job.name_of(study)):
                        yield Event(ARRIVING, job.name_of(study), f"{counted[job.name_of(study)]} images so far")
            except ServerError as error:
                yield Event(UNREACHABLE, told=cause_of(error))
            pause(job.interval_s)


def _recent(job: Watch) -> Iterator[str]:
    """Recent studies that are neither done nor put off; only what is at hand is asked for again."""
    since = datetime.now(UTC).astimezone().date() - timedelta(days=job.days)
    for study in (listed.uid for listed in find_studies(job.source, since)):
        record = _recall(job, job.name_of(study))
        if record.status in {STARTED, LATER} and record.not_before <= time.time():
            yield study


def _settled(study: str, job: Watch, counted: dict[str, int]) -> bool:
    """Whether a study has as many images as at the last look, and any."""
    name, count = job.name_of(study), count_images(job.source, study)
    before = counted.pop(name, 0)
    if count and count == before:
        return True
    counted[name] = count
    return False


def _tried(study: str, job: Watch, networks: Networks) -> Event:
    """Analyse and store one study, and remember how that ended."""
    name = job.name_of(study)
    before = _recall(job, name)
    attempts = before.attempts + 1
    if attempts > ATTEMPTS:
        return _ended(job, name, Record(status=FAILED, attempts=ATTEMPTS, error="the program ended over it each time"))
    _remember(job, name, Record(status=STARTED, attempts=attempts))
    try:
        number = _done(study, job, networks)
    except ServerError as error:
        wait = job.interval_s * _LATER ** (attempts - 1)
        status = LATER if attempts < ATTEMPTS else FAILED
        record = Record(status=status, attempts=attempts, not_before=time.time() + wait, error=cause_of(error))
        return _ended(job, name, record)
    except Exception as error:
        if isinstance(error, OutputError) and isinstance(error.__cause__, OSError):
            _remember(job, name, before)
            raise
        return _ended(job, name, Record(status=FAILED, attempts=attempts, error=cause_of(error)))
    except BaseException:  # the user ends the program: no attempt
        _remember(job, name, before)
        raise
    _remember(job, name, Record(status=STORED_BACK, attempts=attempts))
    return Event(STORED_BACK, name, f"{number} objects")


def _done(study: str, job: Watch, networks: Networks) -> int:
    with fetched(job.source, study, within=job.work) as folder:
        loaded = read_study(folder, job.options)
        case = finish(loaded, infer(loaded, networks, job.options), networks, job.options)
        return send(case, job.target, job.formats, job.work)


def _ended(job: Watch, name: str, record: Record) -> Event:
    _remember(job, name, record)
    return Event(record.status, name, record.error)


@contextmanager
def _remembering(job: Watch) -> Iterator[None]:
    """The folder made, tidied, and kept from other watches."""
    try:
        job.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = locked(job.state / "lock")
        if lock is None:
            raise InputError(f"state folder {job.state.name}: another watch works with it")
        try:
            _check_key(job)
            shutil.rmtree(job.work, ignore_errors=True)  # what a killed watch left
            job.work.mkdir(mode=0o700)
            (job.state / "studies").mkdir(exist_ok=True)
            yield
        finally:
            shutil.rmtree(job.work, ignore_errors=True)
            lock.release()
    except OSError as error:
        raise store.not_written(job.state, error) from error


def _check_key(job: Watch) -> None:
    """With another key no study would be known again."""
    mark = hashlib.sha256(b"watch" + (job.options.token_key or b"")).hexdigest()[:16]
    path = job.state / "key"
    if not path.exists():
        store.write_whole(path, mark)
    elif path.read_text(encoding="utf-8") != mark:
        raise InputError(f"state folder {job.state.name}: made with another token key; --token-key names the file")


def _recall(job: Watch, name: str) -> Record:
    """What is remembered of a study; nothing when its file is absent or no record."""
    try:
        return Record.model_validate_json((job.state / "studies" / f"{name}.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return Record()


def _remember(job: Watch, name: str, record: Record) -> None:
    store.write_whole(job.state / "studies" / f"{name}.json", record.model_dump_json())
