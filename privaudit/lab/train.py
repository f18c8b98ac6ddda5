"""`privaudit lab train`: a small latent diffusion target whose members are known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from diffusers import AutoencoderKL, LDMPipeline, UNet2DModel, VQModel

import privaudit
from privaudit.data import OnImage, Sample, load_images, read_set
from privaudit.errors import ConfigError
from privaudit.lab.autoencoder import train_autoencoder
from privaudit.lab.denoiser import build_schedule, train_denoiser
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.split import Split, split_samples
from privaudit.lab.stage import OnStep, Stage
from privaudit.loading import hash_folder

RESUMABLE = frozenset({"denoiser_steps"})
"""Parameters that a resumed training may change: more steps only continue."""


@dataclass(frozen=True)
class Trained:
    """What `train_target` wrote.

    Attributes:
        folder: A diffusers folder that `privaudit scan` takes.
        members: Manifest of the members (columns path, id).
        heldout: Manifest of the held-out images.
        auxiliary: Manifest of the other images, which train the autoencoder unless the recipe says members.
    """

    folder: Path
    members: Path
    heldout: Path
    auxiliary: Path


def train_target(
    images: Path,
    out: Path,
    recipe: LabRecipe,
    *,
    half: bool = False,
    snapshots: Collection[int] = (),
    on_step: OnStep | None = None,
    on_image: OnImage | None = None,
) -> Trained:
    """Train a target, or resume its training, and save it as a diffusers folder with its splits.

    ``out`` gets ``model_index.json`` and the weights, ``members.csv``, ``heldout.csv``, ``auxiliary.csv``,
    ``lab.json`` (recipe, versions, hash of the target) and ``training/`` (checkpoints, losses). The same
    call resumes after an interruption and gives the same weights as an uninterrupted one on the same machine.

    Args:
        images: Folder (or manifest) with more images than members and held-out together.
        out: Folder to write.
        recipe: All parameters.
        half: Save weights as float16.
        snapshots: Denoiser steps whose averaged model is saved as ``out/snapshots/<step>/``.
        on_step: Progress callback of both trainings.
        on_image: Progress callback of reading the images.

    Returns:
        The folder and its manifests.

    Raises:
        ConfigError: ``out`` holds a training with other parameters, more steps or other images.
        DataError: There are too few images.
    """
    size = (recipe.resolution, recipe.resolution)
    found = read_set(images, size, on_image=on_image)
    split = split_samples(found.samples, recipe.members, recipe.heldout, recipe.seed)
    _claim(out, recipe, split)
    _check_snapshots(out, recipe, snapshots)
    trained = _write_manifests(out, split)

    def stage(name: str) -> Stage:
        return Stage(name, out / "training", recipe.seed)

    def pixels(samples: tuple[Sample, ...]) -> torch.Tensor:
        return torch.from_numpy(load_images(samples, size))

    seen = split.members if recipe.autoencoder_images == "members" else split.auxiliary
    autoencoder = train_autoencoder(pixels(seen), recipe, stage("autoencoder"), on_step)

    def save(folder: Path, denoiser: UNet2DModel) -> None:
        _save(folder, autoencoder, denoiser, recipe, half=half)

    denoiser = train_denoiser(
        pixels(split.members),
        autoencoder,
        recipe,
        stage("denoiser"),
        on_step,
        snapshots,
        lambda step, model: save(out / "snapshots" / str(step), model),
    )
    save(out, denoiser)
    record = out / "lab.json"
    finished = {**json.loads(record.read_text()), "target_hash": hash_folder(out)}
    record.write_text(json.dumps(finished, indent=2) + "\n")
    return trained


def _claim(out: Path, recipe: LabRecipe, split: Split) -> None:
    record, images = out / "lab.json", _hash_split(split)
    if record.exists():
        saved = json.loads(record.read_text())
        wanted = asdict(recipe)
        earlier = asdict(LabRecipe()) | saved["recipe"]  # a parameter that is younger than the folder had its default
        problems = [
            f"{out} holds a training with {name} = {earlier[name]}, not {wanted[name]}"
            for name in wanted
            if name not in RESUMABLE and earlier[name] != wanted[name]
        ]
        if recipe.denoiser_steps < earlier["denoiser_steps"]:
            problems.append(
                f"{out} holds a training of {earlier['denoiser_steps']} denoiser_steps, "
                f"more than {recipe.denoiser_steps}"
            )
        if saved.get("images", images) != images:  # else the manifests would name images it was not trained on
            problems.append(f"{out} holds a training on other images")
        if problems:
            raise ConfigError([*problems, "pass the same parameters to resume it, or another --out"])
    out.mkdir(parents=True, exist_ok=True)
    versions = {"privaudit": privaudit.__version__, "torch": str(torch.__version__)}
    record.write_text(json.dumps({"recipe": asdict(recipe), "images": images, "versions": versions}, indent=2) + "\n")


def _check_snapshots(out: Path, recipe: LabRecipe, snapshots: Collection[int]) -> None:
    losses = out / "training" / "denoiser-loss.csv"
    trained = len(pd.read_csv(losses)) if losses.is_file() else 0
    problems = []
    for step in sorted(snapshots):
        if not 0 < step <= recipe.denoiser_steps:
            problems.append(f"expected snapshots from 1 to {recipe.denoiser_steps} denoiser steps, got {step}")
        elif step <= trained and not (out / "snapshots" / str(step)).is_dir():
            problems.append(f"expected snapshots after step {trained}, where the training in {out} stands, got {step}")
    if problems:
        raise ConfigError(problems)


def _hash_split(split: Split) -> str:
    parts = (split.members, split.heldout, split.auxiliary)
    ids = [sorted(sample.id for sample in part) for part in parts]
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:32]


def _write_manifests(out: Path, split: Split) -> Trained:
    paths = {}
    for name in ("members", "heldout", "auxiliary"):
        samples: tuple[Sample, ...] = getattr(split, name)
        paths[name] = out / f"{name}.csv"
        rows = [(str(sample.path.resolve()), sample.id) for sample in samples]
        pd.DataFrame(rows, columns=["path", "id"]).to_csv(paths[name], index=False)
    return Trained(out, paths["members"], paths["heldout"], paths["auxiliary"])


def _save(
    folder: Path, autoencoder: AutoencoderKL | VQModel, denoiser: UNet2DModel, recipe: LabRecipe, *, half: bool
) -> None:
    pipeline = LDMPipeline(vqvae=autoencoder, unet=denoiser, scheduler=build_schedule(recipe))
    if half:
        # through copies: .half() works in place, and the float32 autoencoder serves the next snapshot
        pipeline = LDMPipeline(
            vqvae=_half_copy(autoencoder), unet=_half_copy(denoiser), scheduler=build_schedule(recipe)
        )
    pipeline.save_pretrained(folder, safe_serialization=True)


def _half_copy(model: Any) -> Any:  # noqa: ANN401 - a diffusers model
    # Not from_config: it gives arguments left at their default when the model was built, such as the trained
    # scaling_factor, their default again.
    return deepcopy(model).half()
