"""``spinemri watch``: new studies of a DICOMweb server analysed as they come, and their objects stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinemri.cli import web
from spinemri.cli.console import err, warning
from spinemri.errors import InputError

if TYPE_CHECKING:
    from spinemri.batch.watch import Event


def command(
    state: Annotated[Path, typer.Option(help="Small folder that remembers which studies are done; no names in it.")],
    from_: web.From = None,
    store: web.Store = None,
    from_auth: web.FromAuth = None,
    store_auth: web.StoreAuth = None,
    ca: web.Ca = None,
    no_verify: web.NoVerify = False,
    timeout: web.Timeout = web.PATIENCE_S,
    days: Annotated[int, typer.Option(min=0, help="A study is new when its date is at most so many days ago.")] = 2,
    interval: Annotated[float, typer.Option(min=1, help="Seconds between two looks at the server.")] = 60.0,
    formats: Annotated[str | None, typer.Option(help="DICOM formats to store, as in analyze.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    no_lesions: Annotated[bool, typer.Option("--no-lesions", help="Do not look for marrow lesions.")] = False,
    token_key: Annotated[Path | None, typer.Option(help="File with the salt of the tokens; made when absent.")] = None,
) -> None:
    """Watch a DICOMweb server: analyse each new MR study once, and store SEG, SR and RTSTRUCT."""
    from functools import partial

    from spinemri.batch.archive import objects_of
    from spinemri.batch.run import networks
    from spinemri.batch.watch import Watch, watch
    from spinemri.cli.token_key import token_key as read_key
    from spinemri.pipeline import Options
    from spinemri.report.write import formats_named

    access = web.Access(from_auth, store_auth, ca, no_verify, timeout)
    source, target = web.servers(from_, store, access)
    if source is None or target is None:
        raise InputError("expected --from URL and --store URL")
    wanted = objects_of(formats_named(formats) if formats else ())
    options = Options(token_key=read_key(token_key, state))
    load = partial(networks, device, threads, lesions=not no_lesions)
    job = Watch(source, target, state, options, load, wanted, days, interval)
    last = None
    try:
        with web.ended_politely():
            err.print(f"watching {source.name}; Ctrl-C ends", markup=False)
            for event in watch(job):
                if event != last:
                    _show(event)
                last = event
    except KeyboardInterrupt:
        err.print("ended; what was being worked on is taken up by the next watch")


def _show(event: Event) -> None:
    about = f"study {event.study} {event.status}" if event.study else event.status
    line = f"{about}: {event.told}" if event.told else about
    if event.status in {"failed", "later", "unreachable"}:
        warning(line)
    else:
        err.print(line, markup=False)
