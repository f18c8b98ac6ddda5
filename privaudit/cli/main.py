"""The command line: each command parses its options, calls one function and prints the result.

Slow imports happen inside the commands.
"""

from __future__ import annotations

import io
import sys
import traceback
from typing import Annotated

import typer

from privaudit import __version__
from privaudit.cli import (
    attacks,
    canaries,
    compare,
    config,
    data,
    demo,
    geometry,
    invert,
    lab,
    origin,
    report,
    scan,
    sweep,
)
from privaudit.cli.command import ConfiguredCommand
from privaudit.cli.output import print_error
from privaudit.errors import PrivauditError
from privaudit.escape import terminal

EXIT_ERROR = 2
EXITS = "Exit codes: 0 pass or no gate, 1 a gate failed, 2 an error, 3 inconclusive, 130 interrupted."
SETTABLE = (
    "Each option can also be set by an environment variable, such as PRIVAUDIT_SEED for --seed, and in privaudit.toml: "
    "privaudit config shows what applies."
)

app = typer.Typer(
    name="privaudit",
    help="Does a latent diffusion model reveal which images it was trained on?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXITS,
)
app.command("scan", cls=scan.ScanCommand, epilog=f"{EXITS} {SETTABLE}")(scan.scan)
app.command("demo", cls=demo.DemoCommand, epilog=f"{EXITS} {SETTABLE}")(demo.demo)
app.command("compare", cls=compare.CompareCommand, epilog=f"{EXITS} {SETTABLE}")(compare.compare)
app.command("report", epilog="Exits 0 whatever the verdict is, 2 if there is no report to read.")(report.report)
app.command("config", context_settings=config.CONTEXT)(config.config)
app.command("data", cls=ConfiguredCommand, epilog=f"Exits 0, or 2 if a set cannot be read. {SETTABLE}")(data.data)
app.command("attacks")(attacks.attacks)
app.command("sweep", cls=ConfiguredCommand, epilog=SETTABLE)(sweep.sweep)
app.command("invert", cls=ConfiguredCommand, epilog=SETTABLE)(invert.invert)
app.command("solvers")(invert.solvers)
app.command("geometry", cls=ConfiguredCommand, epilog=SETTABLE)(geometry.geometry)
app.command("estimators")(geometry.estimators)
app.command("origin", cls=ConfiguredCommand, epilog=SETTABLE)(origin.origin)
app.add_typer(canaries.app, name="canaries")
app.add_typer(lab.app, name="lab")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"privaudit {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Does a latent diffusion model reveal which images it was trained on?"""


def main() -> None:
    """Run the command line and exit; 2 for every error, with one line per problem if a user can act on it."""
    # Escape characters that the terminal's encoding lacks, such as those of a file name, instead of raising.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except (PrivauditError, OSError) as error:  # OSError: a full disk, a folder that cannot be written
        print_error(error)
        sys.exit(EXIT_ERROR)
    except Exception:  # a defect of privaudit: print the traceback; Python's exit code 1 would mean a failed gate
        typer.echo(terminal(traceback.format_exc(), keep="\n"), err=True, nl=False)
        sys.exit(EXIT_ERROR)
