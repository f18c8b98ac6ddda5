"""`privaudit geometry`: influence maps and distortion of the decoder around images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from privaudit.cli.option_state import options_together
from privaudit.cli.output import tolerate_closed_stdout
from privaudit.cli.progress import StageProgress
from privaudit.cli.signature import Config, Quiet, takes
from privaudit.tasks.geometry_options import GeometryOptions


@takes(GeometryOptions)
def geometry(
    *,
    quiet: Quiet = False,
    config: Config = None,
    **options: Any,  # noqa: ANN401 - options of `GeometryOptions`
) -> None:
    """Measure how strongly each latent dimension affects an image, and how much the decoder distorts volume there.

    Writes geometry.csv, influence.safetensors (by sample id), one map per image under maps/, distortion.png (one
    violin per set) and extremes.png, and prints a summary. `privaudit estimators` lists the methods of measurement.
    """
    del config  # ConfiguredCommand has read it
    from privaudit.tasks.geometry_maps import MAPS, RESULTS, run_geometry
    from privaudit.tasks.geometry_maps.map_plots import plot_geometry
    from privaudit.tasks.geometry_maps.map_summary import print_geometry

    with options_together():
        chosen = GeometryOptions.parse(**options)
    with StageProgress(quiet=quiet, resumes=False) as progress:
        geometry_map = run_geometry(chosen, progress)
        plot_geometry(geometry_map, progress)
    files = [chosen.out / name for name in RESULTS]
    with tolerate_closed_stdout():
        print_geometry(geometry_map, files + ([chosen.out / MAPS] if geometry_map.drawn else []))


def estimators() -> None:
    """List the influence estimators and the distortion methods, with references and parameters."""
    from privaudit.decoder_geometry import DISTORTIONS, ESTIMATORS
    from privaudit.report.terminal.console import standard_output
    from privaudit.tasks.geometry_maps import BOUND, BOUND_REFERENCE, BOUND_SUMMARY

    influence = {name: _row(kind()) for name, kind in ESTIMATORS.items()}
    distortion = {name: _row(kind()) for name, kind in DISTORTIONS.items()}
    distortion[BOUND] = f"{BOUND_SUMMARY}\n[dim]{BOUND_REFERENCE}[/dim]"
    out = standard_output()
    with tolerate_closed_stdout():
        out.print(_table("--influence", influence))
        out.print()
        out.print(_table("--distortion", dict(sorted(distortion.items()))))


def _table(option: str, rows: Mapping[str, str]) -> Any:  # noqa: ANN401 - rich is imported late
    from rich.table import Table

    table = Table(option, "what it does, reference, parameters with their defaults", box=None)
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def _row(method: Any) -> str:  # noqa: ANN401 - an estimator or a method, imported late
    from dataclasses import asdict

    parameters = " ".join(f"{key}={str(value).lower()}" for key, value in asdict(method).items())
    # A method without parameters gets no empty third line.
    return f"{method.summary}\n[dim]{method.citation}\n{parameters}[/dim]".replace("\n[/dim]", "[/dim]")
