"""`privaudit invert`: latents of images, and their reconstruction errors."""

from __future__ import annotations

from typing import Any

from privaudit.cli.option_state import options_together
from privaudit.cli.output import tolerate_closed_stdout
from privaudit.cli.progress import StageProgress
from privaudit.cli.signature import Config, Quiet, takes
from privaudit.tasks.invert_options import InvertOptions


@takes(InvertOptions)
def invert(
    *,
    quiet: Quiet = False,
    config: Config = None,
    **options: Any,  # noqa: ANN401 - options of `InvertOptions`
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
        inverted = run_inversion(chosen, progress)
    plot = chosen.out / "residuals.png"
    plot_residuals(
        inverted.inversion,
        f"{len(inverted.images)} images, solver {inverted.solver.name}",
        plot,
        by_pixel=inverted.solver.by_gradient,
    )
    with tolerate_closed_stdout():
        print_inversion(inverted, [chosen.out / "latents.safetensors", chosen.out / "inversion.csv", plot])


def solvers() -> None:
    """List the inversion solvers with references and parameters."""
    from dataclasses import asdict

    from rich.table import Table

    from privaudit.inversion import SOLVERS
    from privaudit.report.terminal.console import standard_output

    table = Table("solver", "what it does, reference, parameters with their defaults", box=None)
    for name, kind in SOLVERS.items():
        parameters = " ".join(f"{key}={str(value).lower()}" for key, value in asdict(SOLVERS.build(name)).items())
        table.add_row(name, f"{kind.summary}\n[dim]{kind.citation}\n{parameters}[/dim]")
    with tolerate_closed_stdout():
        standard_output().print(table)
