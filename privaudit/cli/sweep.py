"""`privaudit sweep`: AUROC against noise level for each attack under each mask."""

from __future__ import annotations

from typing import Annotated, Any

from privaudit.auditing.sweep_options import SweepOptions
from privaudit.cli.option_state import options_together
from privaudit.cli.output import tolerate_closed_stdout
from privaudit.cli.progress import StageProgress
from privaudit.cli.signature import After, Config, Quiet, takes

OPTIONS = (
    *(
        "target",
        "checkpoints",
        "base",
        "ema",
        "revision",
        "variant",
        "lora",
        "components",
        "embeddings",
        "config_from",
        "offload",
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
    **options: Any,  # noqa: ANN401 - options of `SweepOptions`
) -> None:
    """Measure how well each attack tells members from non-members at every noise level, under every mask.

    Writes sweep.csv and sweep.png and prints the best levels. An attack with levels in its specification, such as
    sima:levels=10,20,40, is swept over those. One without a score per level is left out. The same command resumes an
    interrupted sweep.

    With --checkpoints, TARGET is the output folder of a training: every checkpoint is audited without a mask, and
    checkpoints.csv and checkpoints.png have the leak against the training step.
    """
    del config  # ConfiguredCommand has read it
    with options_together():
        chosen = SweepOptions.parse(**options)
    if chosen.checkpoints:
        _checkpoints(chosen, quiet=quiet)
        return
    from privaudit.auditing.sweep import CSV, PICTURE, run_sweep
    from privaudit.tasks.sweep_plot import plot_sweep
    from privaudit.tasks.sweep_summary import print_sweep

    with StageProgress(quiet=quiet) as progress:
        result = run_sweep(chosen, progress)
        plot_sweep(result, chosen.out / PICTURE)
    with tolerate_closed_stdout():
        print_sweep(result, [chosen.out / CSV, chosen.out / PICTURE])


def _checkpoints(chosen: SweepOptions, *, quiet: bool) -> None:
    from privaudit.auditing.checkpoint_sweep import CSV, PICTURE, run_checkpoint_sweep
    from privaudit.tasks.checkpoint_plot import plot_checkpoints
    from privaudit.tasks.checkpoint_summary import print_checkpoints

    with StageProgress(quiet=quiet) as progress:
        result = run_checkpoint_sweep(chosen, progress)
        plot_checkpoints(result, chosen.out / PICTURE)
    with tolerate_closed_stdout():
        print_checkpoints(result, [chosen.out / CSV, chosen.out / PICTURE])
