"""`privaudit canaries`: images whose membership is decided by sealed coin tosses before training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from privaudit.cli.command import PlainCommand
from privaudit.cli.output import tolerate_closed_stdout
from privaudit.cli.progress import StageProgress
from privaudit.cli.signature import Quiet

app = typer.Typer(
    help="Draw at random which images are trained on: the only audit whose false-positive rate is known.",
    no_args_is_help=True,
)


@app.command(cls=PlainCommand)
def make(
    candidates: Annotated[
        Path, typer.Argument(help="Folder or manifest of images that are not in the training data yet.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; must not hold canaries already.")],
    copy: Annotated[bool, typer.Option("--copy", help="Also copy the included files to OUT/train.")] = False,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Coins from a seed instead of a random key. For tests and demonstrations only: "
            "anyone who knows the seed knows every coin."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Toss a fair coin for every candidate, and seal the outcome.

    Each image is included with probability 1/2, independently: half of
    them in expectation, not exactly. Writes train.csv (the included
    images, for the training team), canaries.json (which images are
    included; keep it secret) and seal.json (publish it before training:
    it proves afterwards that nothing was changed). Copies,
    near-duplicates and further images of a group are left out.
    """
    from privaudit.canaries import draw_canaries
    from privaudit.tasks.drawn_summary import print_drawn

    with StageProgress(quiet=quiet, resumes=False) as progress:
        drawn = draw_canaries(
            candidates, out, seed=seed, copy=copy, on_image=lambda done, total: progress("candidates", done, total)
        )
    with tolerate_closed_stdout():
        print_drawn(drawn)


@app.command(cls=PlainCommand)
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder that privaudit canaries make wrote.")],
    seal: Annotated[str | None, typer.Option(help="The seal that was published before training.")] = None,
    quiet: Quiet = False,
) -> None:
    """Check that coins, captions, files and train.csv are unchanged since they were sealed; exits 2 if not."""
    from privaudit.canaries import verify_canaries

    with StageProgress(quiet=quiet, resumes=False) as progress:
        canaries = verify_canaries(folder, seal, lambda done, total: progress("canaries", done, total))
    against = "the published seal" if seal else "their own seal (pass --seal to compare with the published one)"
    included = len(canaries.included)
    typer.echo(f"{len(canaries)} canaries, {included} included, drawn {canaries.created}; seal {canaries.seal}")
    typer.echo(f"Coins, captions and files agree with {against}.")
    if canaries.seeded:
        typer.echo("They were drawn from a seed: anyone who knew it knew every coin.")
