"""The command line: one file per command; the only place that prints or exits."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import typer

from spinemri.cli import analyze, batch, compare, convert_labels, deidentify, export, phantom, scan, score, train, watch
from spinemri.cli.console import failure
from spinemri.errors import SpineMRIError
from spinemri.faults import cause_of

app = typer.Typer(
    name="spinemri",
    help="Spine MRI from DICOM to measured, graded, structured reports. For research, not for diagnosis.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("scan")(scan.command)
app.command("analyze")(analyze.command)
app.command("compare")(compare.command)
app.command("batch")(batch.command)
app.command("watch")(watch.command)
app.command("deidentify")(deidentify.command)
app.command("convert-labels")(convert_labels.command)
app.command("phantom")(phantom.command)
app.command("score")(score.command)
app.command("train")(train.command)
app.command("export")(export.command)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from spinemri import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; a problem with the input or output is one line on stderr and exit code 2.

    An error of the program itself is one line too, with exit code 1: a traceback would show values and paths.
    """
    for chatty in ("pydicom", "highdicom"):  # they quote values of headers
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    try:
        app()
    except SpineMRIError as error:
        failure(str(error))
        sys.exit(2)
    except OSError as error:  # a name that no file can have, a disc that went away
        failure(f"{Path(str(error.filename or 'file')).name[:80]}: {error.strerror or type(error).__name__}")
        sys.exit(2)
    except MemoryError:
        failure("not enough memory for this study")
        sys.exit(2)
    except Exception:
        sys.excepthook = lambda _, error, __: _told(error)  # in place of the one that typer put there
        raise


def _told(error: BaseException) -> None:
    """What Python shows of an error that nobody caught: no traceback, which would quote values and paths."""
    failure(f"{cause_of(error)} (--debug FILE.zip of analyze and batch writes what a bug report needs)")
