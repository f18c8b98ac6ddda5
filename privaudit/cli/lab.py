"""`privaudit lab`: train small targets whose members are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from privaudit.cli.progress import StageProgress

app = typer.Typer(help="Train small targets whose members are known.", no_args_is_help=True)


@app.command()
def train(
    images: Annotated[Path, typer.Option(help="Folder or manifest with more images than members + held-out.")],
    out: Annotated[Path, typer.Option(help="Folder to write; the same command again resumes.")],
    family: Annotated[
        str,
        typer.Option(
            help="unconditional, class (DiT; the class is the folder), text (Stable Diffusion), flow (Stable Diffusion "
            "3), or v: unconditional with --prediction-type v_prediction."
        ),
    ] = "unconditional",
    members: Annotated[int, typer.Option(help="Number of images that train the denoiser.")] = 1100,
    heldout: Annotated[
        int, typer.Option(help="Number of images that train nothing; the rest trains the autoencoder.")
    ] = 1100,
    resolution: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 32,
    latent_channels: Annotated[int, typer.Option(help="Channels of the latent.")] = 4,
    autoencoder: Annotated[str, typer.Option(help="kl (AutoencoderKL) or vq (VQModel).")] = "kl",
    codes: Annotated[int, typer.Option(help="Size of the codebook of vq.")] = 512,
    autoencoder_images: Annotated[
        str, typer.Option(help="auxiliary or members. With members, the decoder geometry itself may reveal membership.")
    ] = "auxiliary",
    autoencoder_width: Annotated[int, typer.Option(help="Channels of the autoencoder's first stage.")] = 32,
    autoencoder_steps: Annotated[int, typer.Option(help="Training steps of the autoencoder.")] = 3000,
    autoencoder_from: Annotated[
        Path | None, typer.Option(help="Take the autoencoder of this target instead of training one.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="Fine-tune this target of the same family, and keep its autoencoder.")
    ] = None,
    denoiser_images: Annotated[
        str,
        typer.Option(
            help="members or auxiliary. With auxiliary, a base trained on neither members nor held-out images."
        ),
    ] = "members",
    denoiser_width: Annotated[
        int, typer.Option(help="Channels of the first stage, or of a transformer's tokens.")
    ] = 64,
    denoiser_layers: Annotated[int, typer.Option(help="Residual blocks per stage, or blocks of a transformer.")] = 1,
    lora_rank: Annotated[
        int, typer.Option(help="Train a LoRA of this rank instead of the weights of --base; for text and flow.")
    ] = 0,
    denoiser_steps: Annotated[int, typer.Option(help="Training steps of the denoiser; more steps leak more.")] = 4500,
    denoiser_batch: Annotated[int, typer.Option("--batch", help="Batch size of the denoiser.")] = 64,
    denoiser_rate: Annotated[float, typer.Option("--rate", help="Learning rate of the denoiser.")] = 2e-4,
    ema_decay: Annotated[
        float, typer.Option(help="Decay of the averaged weights that are saved; 0 saves the weights themselves.")
    ] = 0.999,
    flip: Annotated[bool, typer.Option("--flip", help="Also train on mirrored images, which leaks less.")] = False,
    prediction_type: Annotated[
        str | None, typer.Option(help="epsilon (the default) or v_prediction; always flow for the family flow.")
    ] = None,
    caption_drop: Annotated[float, typer.Option(help="Fraction of captions or classes dropped in training.")] = 0.1,
    snapshot: Annotated[list[int] | None, typer.Option(help="Also save the model after this step; repeatable.")] = None,
    half: Annotated[bool, typer.Option("--half", help="Save weights as float16.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the split, the initial weights and the batches.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on standard error.")] = False,
) -> None:
    """Train an autoencoder on auxiliary images, then a denoiser on the members' latents."""
    arguments = locals()  # before any other local exists; the fields of the recipe have the names of the options
    from dataclasses import asdict, fields

    from privaudit.lab.recipe import LabRecipe, name_family
    from privaudit.lab.train import train_target

    settings = {part.name: arguments[part.name] for part in fields(LabRecipe) if part.name in arguments}
    recipe = LabRecipe(**settings | asdict(name_family(family, prediction_type)))
    with StageProgress(quiet=quiet) as progress:
        trained = train_target(
            images,
            out,
            recipe,
            base=base,
            autoencoder_from=autoencoder_from,
            half=half,
            snapshots=tuple(snapshot or ()),
            on_step=lambda stage, step, total, loss: progress(stage, step, total, f"loss {loss:.4f}"),
            on_image=lambda done, total: progress("images", done, total),
        )
    typer.echo(trained.scan)


@app.command()
def photographs(
    out: Annotated[Path, typer.Option(help="Folder to write, with one subfolder per photograph.")],
) -> None:
    """Unpack the shipped crops of freely licensed photographs, on some of which the demo target was trained."""
    from privaudit.lab.photographs import unpack

    written = unpack(lambda crop: out / crop.source / crop.name)
    typer.echo(f"{written} images in {out}")
