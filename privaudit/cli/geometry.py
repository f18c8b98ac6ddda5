"""`privaudit geometry`: influence maps and distortion of the decoder around images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from privaudit.cli import options, texts
from privaudit.cli.given import options_together
from privaudit.cli.output import to_reader
from privaudit.cli.progress import StageProgress
from privaudit.errors import ConfigError


def map_count(text: str) -> int | None:
    """Read ``--maps``.

    Args:
        text: ``all`` or a number.

    Returns:
        The number; None for ``all``.

    Raises:
        ConfigError: It is neither.
    """
    if text != "all" and not (text.isascii() and text.isdigit()):
        raise ConfigError([f"expected --maps all or a number, got {text}"])
    return int(text) if text != "all" else None


def geometry(
    target: Annotated[str, typer.Argument(help="Diffusers folder of a latent diffusion model, or a hub id.")],
    images: Annotated[list[Path], typer.Argument(help="Folders or manifests of images, one a set: members held-out.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write.")] = None,
    geometry_latents: options.GeometryLatents = "inversion",
    solver: options.Solver = None,
    influence: options.Influence = None,
    distortion: Annotated[
        str | None,
        typer.Option(
            help="Method of measuring the distortion, with parameters if wanted: bound, exact, truncated:k=20. "
            "privaudit estimators lists them.",
        ),
    ] = None,
    drop: options.Drop = 0.4,
    maps: Annotated[
        str,
        typer.Option(metavar="all|N", callback=texts.checked(map_count), help="Images to draw, the extremes first."),
    ] = "100",
    device: options.Device = "auto",
    dtype: Annotated[
        str,
        typer.Option(
            help="auto, float32, bfloat16 or float16, of the autoencoder, even if its configuration says float32.",
        ),
    ] = "auto",
    batch_size: options.BatchSize = "auto",
    seed: options.Seed = 0,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
    config: options.Config = None,
) -> None:
    """Draw how strongly each latent dimension shows in an image, and how much the decoder stretches space there.

    Writes geometry.csv, influence.safetensors (by sample id), a map of each image under maps/, distortion.png (a
    violin for each set) and extremes.png, and prints a summary. `privaudit estimators` lists how it can be measured.
    """
    del config  # ConfiguredCommand has read it
    from privaudit.geometry.influence import DEFAULT as DEFAULT_INFLUENCE
    from privaudit.inversion import DEFAULT as DEFAULT_SOLVER
    from privaudit.tasks.geometry_maps import BOUND, MAPS, RESULTS, GeometryOptions, run_geometry
    from privaudit.tasks.geometry_maps.map_plots import plot_geometry
    from privaudit.tasks.geometry_maps.map_summary import print_geometry

    with options_together():
        chosen = GeometryOptions(
            target=target,
            images=tuple(images),
            out=out or Path("privaudit-runs") / f"{Path(target).resolve().name}-geometry",
            geometry_latents=geometry_latents,  # type: ignore[arg-type]  # checked by the options
            solver=solver or DEFAULT_SOLVER,
            influence=influence or DEFAULT_INFLUENCE,
            distortion=distortion or BOUND,
            drop=drop,
            maps=map_count(maps),
            device=device,
            dtype=dtype,
            batch_size=texts.batch_size(batch_size),
            seed=seed,
            strict=strict,
        )
    with StageProgress(quiet=quiet, resumes=False) as progress:
        found = run_geometry(chosen, progress)
        plot_geometry(found, progress)
    files = [chosen.out / name for name in RESULTS]
    with to_reader():
        print_geometry(found, files + ([chosen.out / MAPS] if found.drawn else []))


def estimators() -> None:
    """List the estimators of influence and the methods of distortion, with their parameters and where published."""
    from privaudit.geometry import DISTORTIONS, ESTIMATORS
    from privaudit.report.console import standard_output
    from privaudit.tasks.geometry_maps import BOUND, BOUND_REFERENCE, BOUND_SUMMARY

    influence = {name: _row(kind()) for name, kind in ESTIMATORS.items()}
    distortion = {name: _row(kind()) for name, kind in DISTORTIONS.items()}
    distortion[BOUND] = f"{BOUND_SUMMARY}\n[dim]{BOUND_REFERENCE}[/dim]"
    out = standard_output()
    with to_reader():
        out.print(_table("--influence", influence))
        out.print()
        out.print(_table("--distortion", dict(sorted(distortion.items()))))


def _table(option: str, rows: Mapping[str, str]) -> Any:  # noqa: ANN401 - rich is imported late
    from rich.table import Table

    table = Table(option, "what it does, where it was published, parameters with their defaults", box=None)
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def _row(made: Any) -> str:  # noqa: ANN401 - an estimator or a method, imported late
    from dataclasses import asdict

    parameters = " ".join(f"{key}={str(value).lower()}" for key, value in asdict(made).items())
    return f"{made.summary}\n[dim]{made.citation}\n{parameters}[/dim]".replace("\n[/dim]", "[/dim]")
