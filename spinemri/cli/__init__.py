"""The command line: one file per command; the only place that prints or exits."""

from __future__ import annotations

import sys

import typer

from spinemri.cli import analyze, batch, compare, phantom, scan, score, train, watch
from spinemri.cli.console import failure
from spinemri.errors import SpineMRIError

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
app.command("phantom")(phantom.command)
app.command("score")(score.command)
app.command("train")(train.command)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from spinemri import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; a problem with the input or output is one line on stderr and exit code 2."""
    try:
        app()
    except SpineMRIError as error:
        failure(str(error))
        sys.exit(2)
    except MemoryError:
        failure("not enough memory for this study")
        sys.exit(2)
