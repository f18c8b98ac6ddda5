"""`privaudit invert`: latents of images, and how good they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from privaudit.cli import options, texts
from privaudit.cli.given import options_together
from privaudit.cli.output import to_reader
from privaudit.cli.progress import StageProgress


def invert(
    target: Annotated[str, typer.Argument(help="Diffusers folder of a latent diffusion model, or a hub id.")],
    images: Annotated[Path, typer.Argument(help="Folder or manifest of images.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write.")] = None,
    solver: options.Solver = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Safetensors file of the latents that the images were decoded from, in the denoiser's scaled units, "
            "by sample id, manifest id or file stem: prints the error against them."
        ),
    ] = None,
    cocoercivity: Annotated[
        bool,
        typer.Option(
            "--cocoercivity", help="Check the assumption of the convergence theorems: 600 further evaluations."
        ),
    ] = False,
    device: options.Device = "auto",
    dtype: Annotated[
        str,
        typer.Option(
            help="auto, float32, bfloat16 or float16, of the autoencoder, even if its configuration says float32.",
        ),
    ] = "auto",
    batch_size: options.BatchSize = "auto",
    strict: options.Strict = False,
    quiet: options.Quiet = False,
    config: options.Config = None,
) -> None:
    """Find latents that decode to given images, without backpropagation.

    Writes latents.safetensors (by sample id), inversion.csv and residuals.png, and prints a summary.
    `privaudit solvers` lists the solvers.
    """
    del config  # ConfiguredCommand has read it
    from privaudit.inversion import DEFAULT
    from privaudit.tasks.inversion_summary import print_inversion
    from privaudit.tasks.inverting import InvertOptions, run_inversion
    from privaudit.tasks.residual_plot import plot_residuals

    with options_together():
        chosen = InvertOptions(
            target=target,
            images=images,
            out=out or Path("privaudit-runs") / f"{Path(target).resolve().name}-inversion",
            solver=solver or DEFAULT,
            truth=truth,
            cocoercivity=cocoercivity,
            device=device,
            dtype=dtype,
            batch_size=texts.batch_size(batch_size),
            strict=strict,
        )
    with StageProgress(quiet=quiet, resumes=False) as progress:
        found = run_inversion(chosen, progress)
    plot = chosen.out / "residuals.png"
    plot_residuals(
        found.inversion,
        f"{len(found.images)} images, solver {found.solver.name}",
        plot,
        by_pixel=found.solver.by_gradient,
    )
    with to_reader():
        print_inversion(found, [chosen.out / "latents.safetensors", chosen.out / "inversion.csv", plot])


def solvers() -> None:
    """List the inversion solvers with their parameters and where they were published."""
    from dataclasses import asdict

    from rich.table import Table

    from privaudit.inversion import SOLVERS
    from privaudit.report.console import standard_output

    table = Table("solver", "what it does, where it was published, parameters with their defaults", box=None)
    for name, kind in SOLVERS.items():
        parameters = " ".join(f"{key}={str(value).lower()}" for key, value in asdict(SOLVERS.build(name)).items())
        table.add_row(name, f"{kind.summary}\n[dim]{kind.citation}\n{parameters}[/dim]")
    with to_reader():
        standard_output().print(table)
