"""`privaudit origin`: did these images come out of this model?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from privaudit.cli import options, texts
from privaudit.cli.given import options_together
from privaudit.cli.output import to_reader
from privaudit.cli.progress import StageProgress


def origin(
    target: Annotated[str, typer.Argument(help="Diffusers folder of a latent diffusion model, or a hub id.")],
    images: Annotated[Path, typer.Argument(help="Folder or manifest of the images in question.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write.")] = None,
    generated: Annotated[int, typer.Option(help="Images that the model generates to compare with.")] = 200,
    steps: Annotated[int, typer.Option(help="DDIM steps of a generation.")] = 50,
    prompt: Annotated[str | None, typer.Option(help="Caption of the generations; without it, none.")] = None,
    solver: options.Solver = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    batch_size: options.BatchSize = "auto",
    seed: options.Seed = 0,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
    config: options.Config = None,
) -> None:
    """Say whether images came out of a model: inversion explains its own generations almost exactly.

    Generates images of its own to compare with, and writes origin.csv with a p-value for each image.
    """
    del config  # ConfiguredCommand has read it
    from privaudit.tasks.origin_summary import print_origin
    from privaudit.tasks.origin_test import SOLVER, OriginOptions, run_origin

    with options_together():
        chosen = OriginOptions(
            target=target,
            images=images,
            out=out or Path("privaudit-runs") / f"{Path(target).resolve().name}-origin",
            generated=generated,
            steps=steps,
            prompt=prompt,
            solver=solver or SOLVER,
            seed=seed,
            device=device,
            dtype=dtype,
            batch_size=texts.batch_size(batch_size),
            strict=strict,
        )
    with StageProgress(quiet=quiet, resumes=False) as progress:
        found = run_origin(chosen, progress)
    with to_reader():
        print_origin(found)
