"""``spinemri batch``: many studies into one folder of results, tables and failures; run again to go on."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinemri.cli import debug as debugging
from spinemri.cli import web
from spinemri.cli.choices import Language
from spinemri.cli.console import err, progress_bar, warning
from spinemri.cli.console import out as stdout
from spinemri.errors import InputError
from spinemri.language import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from spinemri.batch.cluster import Cluster
    from spinemri.batch.line import Outcome
    from spinemri.batch.remote import Archive
    from spinemri.batch.sources import Source
    from spinemri.dicom.server import Server
    from spinemri.pipeline import Options


_DAY = ["%Y-%m-%d"]


class Engine(StrEnum):
    """Who runs the studies."""

    LOCAL = "local"
    RAY = "ray"


def command(
    root: Annotated[
        Path | None,
        typer.Argument(
            help="Folder with studies in any layout, BIDS data set, or a list (CSV or Parquet; column path)."
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; an earlier run in it goes on.")],
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes, each with its own networks: 1, or with Ray as many as there is room for."),
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="Processes of this machine, or actors of a Ray cluster.")
    ] = Engine.LOCAL,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster that runs: auto or HOST:PORT; without it one is started here.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of each process.")] = None,
    formats: Annotated[
        str | None, typer.Option(help="What to write of each study, as analyze: json,html,txt,csv,nifti; all …")
    ] = None,
    language: Language = ENGLISH,
    include: Annotated[
        list[str] | None,
        typer.Option(
            help="Only studies whose place below ROOT, or of a server DATE/DESCRIPTION, fits this glob; repeatable."
        ),
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Not these; repeatable.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many studies.")] = None,
    contrast: Annotated[str | None, typer.Option(help="Contrast of volume files whose name does not say it.")] = None,
    no_lesions: Annotated[bool, typer.Option("--no-lesions", help="Do not look for marrow lesions.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the studies: name of the result, place. Nothing is fetched.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Do studies again that are done.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when a study failed.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Print one JSON object per event.")] = False,
    keep_identifiers: Annotated[
        bool, typer.Option("--keep-identifiers", help="Name results by place and write UIDs instead of salted tokens.")
    ] = False,
    token_key: Annotated[Path | None, typer.Option(help="File with the salt of the tokens; made when absent.")] = None,
    debug: debugging.Debug = None,
    from_: web.From = None,
    since: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="Only studies of a server from this day on.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="Only studies of a server until this day.")
    ] = None,
    from_auth: web.FromAuth = None,
    ca: web.Ca = None,
    no_verify: web.NoVerify = False,
    timeout: web.Timeout = web.PATIENCE_S,
) -> None:
    """Analyse every study of a folder or server; go on where an earlier run ended, and report what failed and why."""
    from spinemri.batch.sources import chosen
    from spinemri.cli.token_key import token_key as read_key
    from spinemri.pipeline import Options
    from spinemri.report.write import formats_named
    from spinemri.series import contrast_named

    crew = _crew(engine, address, workers, threads, device)
    server, _ = web.servers(from_, None, web.Access(from_auth, None, ca, no_verify, timeout))
    studies = _studies(root, server, since, until)
    wanted = formats_named(formats)
    key = None if keep_identifiers else read_key(token_key, out)
    options = Options(
        contrast=contrast_named(contrast), keep_identifiers=keep_identifiers, token_key=key, language=language
    )
    sources = chosen(_found(studies, options), include or (), exclude or ())[:limit]
    if not sources:
        raise InputError("no study fits --include and --exclude")
    if dry_run:
        _list(sources, log_json=log_json)
        return
    from functools import partial

    from spinemri.batch.line import Job
    from spinemri.batch.run import networks, run

    load = partial(networks, device, threads or (None if crew == 1 else 1), lesions=not no_lesions)
    job = Job(load, options, formats=wanted, force=force)
    count: Counter[str] = Counter()
    said_of_run = {"formats": wanted, "device": device, "threads": threads, "workers": str(workers), "engine": engine}
    with ExitStack() as during:
        told = during.enter_context(debugging.bundle(debug, "batch", lesions=not no_lesions, **said_of_run))
        during.enter_context(web.ended_politely() if server else nullcontext())
        show = during.enter_context(_shown(len(sources), log_json=log_json))
        for outcome in run(sources, job, out, crew, threads):
            count[outcome.status] += 1
            told.events.append(facts_of(outcome, out) if debug else {})
            show(outcome, count)
    _summary(count, out, log_json=log_json)
    if strict and count["failed"]:
        raise typer.Exit(1)


def facts_of(outcome: Outcome, out: Path) -> dict[str, object]:
    """What a bug report says of a study: its number in the run, how it ended, and what its report lists as failed."""
    from spinemri.analysis import Analysis
    from spinemri.batch.store import result_folder

    report = result_folder(out, outcome.id) / "report.json"
    facts: dict[str, object] = {"status": outcome.status, "stage": outcome.stage, "error": outcome.error}
    facts |= {"trace": list(outcome.trace), "seconds": dict(outcome.seconds)}
    if outcome.status == "done" and report.is_file():
        analysis = Analysis.model_validate_json(report.read_bytes())
        facts["series"] = [debugging.facts_of(record.series) for record in analysis.series]
        facts["failures"] = [fault.told for fault in analysis.failures]
    return facts


def _crew(engine: Engine, address: str | None, workers: int | None, threads: int | None, device: str) -> int | Cluster:
    """Who works: so many processes, or a cluster."""
    if engine is Engine.LOCAL:
        if address:
            raise InputError("--address without --engine ray: expected both, or neither")
        return workers or 1
    from spinemri.batch.cluster import Cluster, check_installed

    check_installed()
    return Cluster(address, workers, threads or 1, {"auto": None, "cpu": 0}.get(device, 1))


def _studies(
    root: Path | None, server: Server | None, since: datetime | None, until: datetime | None
) -> Path | Archive:
    """Where the studies are."""
    if root is not None and server is None:
        if since or until:
            raise InputError("--since, --until: days of the studies of a server; expected --from URL with them")
        return root
    if root is not None or server is None:
        raise InputError("expected a folder or list of studies, or --from URL")
    from spinemri.batch.remote import Archive

    return Archive(server, since and since.date(), until and until.date())


def _found(studies: Path | Archive, options: Options) -> tuple[Source, ...]:
    from spinemri.batch.sources import find_sources

    if not isinstance(studies, Path):
        from spinemri.batch.remote import find_remote

        return find_remote(studies, options)
    with progress_bar() as update:
        return find_sources(studies, options, lambda done, total: update("reading headers", done, total))


def _list(sources: Sequence[Source], *, log_json: bool) -> None:
    for source in sources:
        facts = {"event": "study", "id": source.id, "place": source.place, "fault": source.fault}
        line = json.dumps(facts) if log_json else "\t".join(filter(None, (source.id, source.place, source.fault)))
        typer.echo(line)


@contextmanager
def _shown(total: int, *, log_json: bool) -> Iterator[Callable[[Outcome, Counter[str]], None]]:
    """A callback for every outcome: a live line on a terminal, else a line each, as text or JSON."""
    if log_json or not err.is_terminal:
        yield lambda outcome, count: _log(outcome, count, total, log_json=log_json)
        return
    from rich import progress

    from spinemri.cli.usage import Usage

    use = Usage()
    columns = (
        progress.TextColumn("studies"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]} {task.fields[use]} [red]{task.fields[failed]}[/]"),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task("studies", total=total, rate="", failed="", use=use)

        def update(outcome: Outcome, count: Counter[str]) -> None:
            if outcome.status == "failed":
                warning(f"study {outcome.id} failed ({outcome.stage}): {outcome.error}")
            worked, spent = count["done"] + count["failed"], bars.tasks[0].elapsed or 0.0
            rate = f"{3600 * worked / spent:.0f} an hour" if worked and spent else ""
            failed = f"{count['failed']} failed" if count["failed"] else ""
            bars.update(task, advance=1, rate=rate, failed=failed)

        yield update


def _log(outcome: Outcome, count: Counter[str], total: int, *, log_json: bool) -> None:
    spent = round(sum(outcome.seconds.values()), 1)
    number = count.total()
    if log_json:
        facts = {"event": outcome.status, "id": outcome.id, "number": number, "of": total, "seconds": spent}
        failure = {"stage": outcome.stage, "error": outcome.error} if outcome.error else {}
        typer.echo(json.dumps({**facts, **failure}))
        return
    told = f" ({outcome.stage}): {outcome.error}" if outcome.error else f" in {spent} s" if spent else ""
    err.print(f"{number} of {total}: study {outcome.id} {outcome.status}{told}", markup=False)


def _summary(count: Counter[str], out: Path, *, log_json: bool) -> None:
    if log_json:
        typer.echo(json.dumps({"event": "end", **dict(sorted(count.items()))}))
        return
    listed = ", ".join(f"{number} {status}" for status, number in sorted(count.items()))
    stdout.print(f"studies: {listed}", markup=False)
    stdout.print(f"overview: {Path(out.resolve().name) / 'index.html'}", markup=False)
