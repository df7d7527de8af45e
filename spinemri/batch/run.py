"""Many studies: ``run`` writes them into a folder with tables and can be repeated, ``analyze_many`` hands them out."""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spinemri.batch import store
from spinemri.batch.cluster import Cluster, on_cluster
from spinemri.batch.crew import crew
from spinemri.batch.line import Job, Outcome, line
from spinemri.batch.remote import Archive, find_remote, surveyed
from spinemri.batch.sources import as_source, find_sources
from spinemri.batch.tables import write_tables
from spinemri.batch.temporary import sweep
from spinemri.networks import Networks, axial_predictor, default_predictor, load_networks
from spinemri.pipeline import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from spinemri.analysis import Analysis
    from spinemri.batch.sources import Source

_LOG = logging.getLogger("spinemri.batch")  # warnings are not safe between threads
_PATIENCE_S = 10.0  # between two writings of the tables
_SHARE = 20.0  # or longer, so that writing them takes at most a twentieth of the time


def analyze_many(
    sources: Path | str | Archive | Iterable[Path | str],
    load: Callable[[], Networks] | None = None,
    options: Options | None = None,
    *,
    workers: int | Cluster = 1,
    failed: Callable[[Outcome], None] | None = None,
) -> Iterator[Analysis]:
    """Analyses of many studies, one after the other as they are ready; nothing is written.

    Parameters
    ----------
    sources : a folder in which every study is found, a BIDS data set, a CSV or Parquet file with a column ``path``
        (see ``batch.manifest``); several folders and files that are one study each; or a ``batch.remote.Archive``,
        each MR study of a DICOMweb server
    load : makes the networks; the bundled ones on the best device when None. With several workers a function of a
        module, called in each.
    options : for every study
    workers : processes; 1 is this one, in which loading, the network and measuring overlap. Or a
        ``batch.cluster.Cluster``: those of Ray, on one machine or many.
    failed : told of every study that fails, which yields nothing; when None the log is

    Raises
    ------
    InputError
        There is no study.
    ServerError
        The server cannot be asked which studies there are.
    ModelError
        The networks cannot be loaded.
    """
    options = options or Options()
    if not options.keep_identifiers and options.token_key is None:
        options = replace(options, token_key=secrets.token_bytes(32))
    found: Iterable[Source]
    if isinstance(sources, Archive):
        found = find_remote(sources, options)
    elif isinstance(sources, Path | str):
        found = find_sources(Path(sources), options)
    else:
        found = [as_source(path, options) for path in dict.fromkeys(map(Path, sources))]
    threads = workers.threads if isinstance(workers, Cluster) else 1 if workers > 1 else None
    job = Job(load or partial(load_networks, "auto", threads), options)
    for outcome in outcomes(found, job, workers):
        if outcome.analysis is not None:
            yield outcome.analysis
        elif failed is not None:
            failed(outcome)
        else:
            _LOG.warning("study %s failed (%s): %s", outcome.id, outcome.stage, outcome.error)


def outcomes(
    sources: Iterable[Source], job: Job, workers: int | Cluster = 1, threads: int | None = None
) -> Iterator[Outcome]:
    """Outcomes of studies: from this process, from ``workers`` others with ``threads`` (1 when None), or a cluster."""
    try:
        if isinstance(workers, Cluster):
            yield from on_cluster(sources, job, workers)
        else:
            yield from line(sources, job) if workers == 1 else crew(sources, job, workers, threads or 1)
    finally:
        sweep()  # what workers had fetched when they ended
        if job.out is not None:
            with suppress(OSError):
                store.sweep(job.out)  # what they had begun to write


def run(
    sources: Iterable[Source], job: Job, out: Path, workers: int | Cluster = 1, threads: int | None = None
) -> Iterator[Outcome]:
    """Outcomes of studies whose results are written below ``out``; the tables follow from time to time and at the end.

    Parameters
    ----------
    sources : from ``find_sources`` or ``find_remote``
    job : its ``out`` is the argument here
    workers, threads : as of ``outcomes``

    Raises
    ------
    ModelError
        The networks cannot be loaded.
    OutputError
        The folder is full or read-only; what was done before is kept.
    ServerError
        The server of the studies cannot be asked whether they changed; afterwards this is the failure of a study.
    """
    store.prepare(out)
    sources = surveyed(sources)
    written, took = time.monotonic(), 0.0
    try:
        for outcome in outcomes(sources, replace(job, out=out), workers, threads):
            yield outcome
            if time.monotonic() - written > max(_PATIENCE_S, _SHARE * took):
                took = _tables_written(out)
                written = time.monotonic()
    finally:
        _tables_written(out)


def networks(device: str, threads: int | None, *, lesions: bool) -> Networks:
    """The bundled networks on a device, that for lesions when it is wanted. Raises ModelError as ``load_networks``."""
    if lesions:
        return load_networks(device, threads)
    return Networks(default_predictor(None, device, threads), None, axial_predictor(device))


def _tables_written(out: Path) -> float:
    """Seconds that it took."""
    start = time.monotonic()
    write_tables(out)
    return time.monotonic() - start
