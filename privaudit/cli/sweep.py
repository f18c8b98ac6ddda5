"""`privaudit sweep`: AUROC against noise level for each attack under each mask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from privaudit.cli import options, texts
from privaudit.cli.given import options_together
from privaudit.cli.output import to_reader
from privaudit.cli.progress import StageProgress


def sweep(
    target: Annotated[str, typer.Argument(help="Diffusers folder of a latent diffusion model, or a hub id.")],
    members: options.Members = None,
    nonmembers: options.Nonmembers = None,
    points: Annotated[int, typer.Option(help="Levels of a curve, finer where there is less noise.")] = 25,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; of a scan, to use its latents and geometry."),
    ] = None,
    attack: options.Attacks = None,
    drop: options.Drop = 0.4,
    gamma: options.Gamma = 1.0,
    mask_scope: options.MaskScope = "image",
    influence: options.Influence = None,
    geometry_latents: options.GeometryLatents = "inversion",
    attack_latents: options.AttackLatents = "encoder",
    solver: options.Solver = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    batch_size: options.BatchSize = "auto",
    memory: options.Memory = None,
    seed: options.Seed = 0,
    strict: options.Strict = False,
    fresh: options.Fresh = False,
    quiet: options.Quiet = False,
    config: options.Config = None,
) -> None:
    """Draw how well each attack tells members from non-members at every noise level, under every mask.

    Writes sweep.csv and sweep.png and prints the best levels. An attack with levels of its own is swept over those:
    sima:levels=10,20,40. One that has no score for a single level is left out. The same command again resumes.
    """
    del config  # ConfiguredCommand has read it
    from privaudit.auditing.options import AuditOptions
    from privaudit.auditing.sweep import CSV, PICTURE, run_sweep
    from privaudit.geometry.influence import DEFAULT as DEFAULT_ESTIMATOR
    from privaudit.inversion import DEFAULT
    from privaudit.report.sweep_plot import plot_sweep
    from privaudit.report.sweep_summary import print_sweep

    with options_together():
        chosen = AuditOptions(
            target=target,
            members=members,
            nonmembers=nonmembers,
            out=out or Path("privaudit-runs") / f"{Path(target).resolve().name}-sweep",
            attacks=tuple(attack or ()),
            drop=drop,
            gamma=gamma,
            mask_scope=mask_scope,  # type: ignore[arg-type]  # checked by the options, like the next two
            influence=influence or DEFAULT_ESTIMATOR,
            geometry_latents=geometry_latents,  # type: ignore[arg-type]
            attack_latents=attack_latents,  # type: ignore[arg-type]
            solver=solver or DEFAULT,
            device=device,
            dtype=dtype,
            batch_size=texts.batch_size(batch_size),
            memory=memory,
            seed=seed,
            strict=strict,
            fresh=fresh,
        )
    with StageProgress(quiet=quiet) as progress:
        found = run_sweep(chosen, points, progress)
        plot_sweep(found, chosen.out / PICTURE)
    with to_reader():
        print_sweep(found, [chosen.out / CSV, chosen.out / PICTURE])
