"""The command line: parse, call one function, print. Heavy imports happen inside the commands."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from privaudit import __version__
from privaudit.cli import attacks, canaries, demo, geometry, invert, lab, origin, scan, sweep
from privaudit.errors import PrivauditError

EXIT_ERROR = 2

app = typer.Typer(
    name="privaudit",
    help="Does a latent diffusion model reveal which images it was trained on?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 pass or no gate asked for, 1 a gate failed, 2 an error, 3 inconclusive.",
)
app.command("scan")(scan.scan)
app.command("sweep")(sweep.sweep)
app.command("demo")(demo.demo)
app.command("attacks")(attacks.attacks)
app.command("invert")(invert.invert)
app.command("geometry")(geometry.geometry)
app.command("origin")(origin.origin)
app.command("solvers")(invert.solvers)
app.command("estimators")(geometry.estimators)
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
    """Run the command line and exit: 2 for every error, with one line for those that a user can act on."""
    try:
        app()
    except (PrivauditError, OSError) as error:  # a disk that is full, a folder that cannot be written
        typer.echo(f"error: {error}", err=True)
        sys.exit(EXIT_ERROR)
    except Exception:  # a defect of ours: show it whole, but exit as an error and not as a failed gate
        traceback.print_exc()
        sys.exit(EXIT_ERROR)
