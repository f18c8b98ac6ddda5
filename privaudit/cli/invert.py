"""`privaudit invert`: latents of images, and how good they are."""

from __future__ import annotations

from typing import Any

from privaudit.cli.given import options_together
from privaudit.cli.output import to_reader
from privaudit.cli.progress import StageProgress
from privaudit.cli.signature import Config, Quiet, takes
from privaudit.tasks.invert_options import InvertOptions


@takes(InvertOptions)
def invert(
    *,
    quiet: Quiet = False,
    config: Config = None,
    **options: Any,  # noqa: ANN401 - those of `InvertOptions`, as the command line has them
) -> None:
    """Find latents that decode to given images, without backpropagation.

    Writes latents.safetensors (by sample id), inversion.csv and residuals.png, and prints a summary.
    `privaudit solvers` lists the solvers.
    """
    del config  # ConfiguredCommand has read it
    from privaudit.tasks.inversion_summary import print_inversion
    from privaudit.tasks.inverting import run_inversion
    from privaudit.tasks.residual_plot import plot_residuals

    with options_together():
        chosen = InvertOptions.parse(**options)
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
    from privaudit.report.terminal.console import standard_output

    table = Table("solver", "what it does, where it was published, parameters with their defaults", box=None)
    for name, kind in SOLVERS.items():
        parameters = " ".join(f"{key}={str(value).lower()}" for key, value in asdict(SOLVERS.build(name)).items())
        table.add_row(name, f"{kind.summary}\n[dim]{kind.citation}\n{parameters}[/dim]")
    with to_reader():
        standard_output().print(table)
