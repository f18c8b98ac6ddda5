"""`privaudit sweep`: AUROC against noise level for each attack under each mask."""

from __future__ import annotations

from typing import Annotated, Any

from privaudit.auditing.sweep_options import SweepOptions
from privaudit.cli.given import options_together
from privaudit.cli.output import to_reader
from privaudit.cli.progress import StageProgress
from privaudit.cli.signature import After, Config, Quiet, takes

OPTIONS = (
    *(
        "target",
        "revision",
        "variant",
        "resolution",
        "overrides",
        "members",
        "nonmembers",
        "points",
        "attacks",
        "drop",
        "gamma",
        "mask_scope",
        "influence",
        "geometry_latents",
    ),
    *("attack_latents", "solver", "device", "dtype", "batch_size", "memory", "seed", "strict", "fresh", "out"),
)


@takes(SweepOptions, OPTIONS)
def sweep(
    *,
    quiet: Annotated[Quiet, After("fresh")] = False,
    config: Config = None,
    **options: Any,  # noqa: ANN401 - those of `SweepOptions`, as the command line has them
) -> None:
    """Draw how well each attack tells members from non-members at every noise level, under every mask.

    Writes sweep.csv and sweep.png and prints the best levels. An attack with levels of its own is swept over those:
    sima:levels=10,20,40. One that has no score for a single level is left out. The same command again resumes.
    """
    del config  # ConfiguredCommand has read it
    from privaudit.auditing.sweep import CSV, PICTURE, run_sweep
    from privaudit.tasks.sweep_plot import plot_sweep
    from privaudit.tasks.sweep_summary import print_sweep

    with options_together():
        chosen = SweepOptions.parse(**options)
    with StageProgress(quiet=quiet) as progress:
        found = run_sweep(chosen, progress)
        plot_sweep(found, chosen.out / PICTURE)
    with to_reader():
        print_sweep(found, [chosen.out / CSV, chosen.out / PICTURE])
