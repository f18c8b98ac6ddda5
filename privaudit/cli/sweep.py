"""`privaudit sweep`: AUROC against noise level for each attack under each mask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from privaudit.auditing.option_table import HOW
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.parsed_options import default_folder
from privaudit.cli.given import options_together
from privaudit.cli.output import to_reader
from privaudit.cli.progress import StageProgress
from privaudit.cli.signature import After, Config, Quiet, takes

OPTIONS = (
    *("target", "members", "nonmembers", "attacks", "gamma", "mask_scope", "influence", "geometry_latents"),
    *("attack_latents", "solver", "device", "dtype", "batch_size", "memory", "seed", "strict", "fresh"),
)


@takes(AuditOptions, OPTIONS)
def sweep(
    *,
    points: Annotated[
        int, typer.Option(help="Levels of a curve, finer where there is less noise."), After("nonmembers")
    ] = 25,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; of a scan, to use its latents and geometry."),
    ] = None,
    drop: Annotated[
        float,
        typer.Option(rich_help_panel=HOW, help="Share of latent dimensions that the hard masks drop."),
        After("attacks"),
    ] = 0.4,
    quiet: Annotated[Quiet, After("fresh")] = False,
    config: Config = None,
    **options: Any,  # noqa: ANN401 - those of `AuditOptions`, as the command line has them
) -> None:
    """Draw how well each attack tells members from non-members at every noise level, under every mask.

    Writes sweep.csv and sweep.png and prints the best levels. An attack with levels of its own is swept over those:
    sima:levels=10,20,40. One that has no score for a single level is left out. The same command again resumes.
    """
    del config  # ConfiguredCommand has read it
    from privaudit.auditing.sweep import CSV, PICTURE, SUFFIX, run_sweep
    from privaudit.tasks.sweep_plot import plot_sweep
    from privaudit.tasks.sweep_summary import print_sweep

    with options_together():
        folder = out or default_folder(options["target"], SUFFIX)
        chosen = AuditOptions.parse(**options, drop=drop, out=folder)
    with StageProgress(quiet=quiet) as progress:
        found = run_sweep(chosen, points, progress)
        plot_sweep(found, chosen.out / PICTURE)
    with to_reader():
        print_sweep(found, [chosen.out / CSV, chosen.out / PICTURE])
