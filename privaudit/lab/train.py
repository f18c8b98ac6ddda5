"""`privaudit lab train` trains a small latent diffusion target whose members are known."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CLIPTokenizer

from privaudit.data import OnImage, Sample, load_images, read_set
from privaudit.lab.captions import caption_images
from privaudit.lab.claim import check_snapshots, claim_folder
from privaudit.lab.family import Family
from privaudit.lab.flow import build_flow, continue_flow
from privaudit.lab.manifests import Trained, write_manifests
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.split import Split, split_samples
from privaudit.lab.starting_point import load_starting_point, write_earlier_images
from privaudit.lab.text import build_text, continue_text
from privaudit.lab.text_encoder import TOKENS
from privaudit.lab.tokenizer import build_tokenizer
from privaudit.lab.train_autoencoder import train_autoencoder
from privaudit.lab.train_denoiser import train_denoiser
from privaudit.lab.training_phase import OnStep, Phase
from privaudit.lab.unconditional import build_unconditional, continue_unconditional
from privaudit.loading import hash_folder
from privaudit.loading.components import quiet
from privaudit.model.target import Target


def train_target(
    images: Path,
    out: Path,
    recipe: LabRecipe,
    *,
    base: Path | None = None,
    autoencoder_from: Path | None = None,
    half: bool = False,
    snapshots: Collection[int] = (),
    on_step: OnStep | None = None,
    on_image: OnImage | None = None,
) -> Trained:
    """Train a target, or resume its training, and save it as a diffusers folder with its splits.

    ``out`` gets ``model_index.json`` and the weights, ``members.csv``, ``heldout.csv``, ``auxiliary.csv``,
    ``lab.json`` (recipe, versions, number of parameters, hash of the target) and ``training/`` (checkpoints, losses).
    After an interruption, the same call resumes the training. On the same machine, the weights are those of an
    uninterrupted training.

    Args:
        images: Folder or manifest with more images than members and held-out images together.
        out: Folder to write.
        recipe: All parameters.
        base: Target to fine-tune. Its autoencoder is reused, and its denoiser and text encoders are trained further.
        autoencoder_from: Target whose autoencoder is reused.
        half: Whether to save the weights as float16.
        snapshots: Denoiser steps after which the averaged model is saved as ``out/snapshots/<step>/``.
        on_step: Progress callback of both trainings.
        on_image: Progress callback of reading the images.

    Returns:
        The folder and its manifests.

    Raises:
        ConfigError: ``out`` holds a training with different parameters, more steps or other images, or the other target
            does not fit the recipe.
        DataError: There are too few images, or a member or a held-out image trained the other target.
        TargetError: The other target cannot be loaded.
    """
    size = (recipe.resolution, recipe.resolution)
    images_read = read_set(images, size, on_image=on_image)
    split = split_samples(images_read.samples, recipe.members, recipe.heldout, recipe.seed)
    start = load_starting_point(recipe, split, base, autoencoder_from)
    claim_folder(out, recipe, split, start.record)
    check_snapshots(out, recipe, snapshots)
    captions = _caption(images_read.samples, size) if recipe.captioned else {}
    trained = write_manifests(out, split, captions)
    write_earlier_images(out, start)

    def phase(name: str) -> Phase:
        return Phase(name, out / "training", recipe.seed)

    def pixels(samples: tuple[Sample, ...]) -> torch.Tensor:
        return torch.from_numpy(load_images(samples, size))

    autoencoder = start.autoencoder or train_autoencoder(
        pixels(_images(split, recipe.autoencoder_images)), recipe, phase("autoencoder"), on_step
    )
    training_set = _images(split, recipe.denoiser_images)
    training_captions = [captions[sample.id] for sample in training_set] if captions else []
    family = (
        _continue(recipe, training_captions, start.base, base)
        if base and start.base
        else _build(recipe, training_captions, sorted(captions.values()))
    )

    def save(folder: Path, network: nn.Module) -> None:
        # .half() works in place, so it gets copies: the float32 autoencoder is needed for the next snapshot. The copies
        # are not rebuilt from their configurations, because that would reset arguments which had their default when the
        # model was built, such as the trained scaling_factor.
        parts: tuple[Any, Any] = (network, autoencoder)
        network, decoder = (deepcopy(part).half() for part in parts) if half else parts
        save_pipeline(family.pipeline(network, decoder), folder)

    network = train_denoiser(
        pixels(training_set),
        autoencoder,
        family,
        recipe,
        phase("denoiser"),
        on_step,
        snapshots,
        lambda step, model: save(out / "snapshots" / str(step), model),
    )
    save(out, network)
    parts = {"autoencoder": autoencoder, **(network if isinstance(network, nn.ModuleDict) else {"unet": network})}
    record = out / "lab.json"
    finished = json.loads(record.read_text()) | {
        "parameters": {name: sum(value.numel() for value in part.parameters()) for name, part in parts.items()},
        "target_hash": hash_folder(out),
    }
    record.write_text(json.dumps(finished, indent=2) + "\n")
    return trained


def _images(split: Split, name: str) -> tuple[Sample, ...]:
    return split.members if name == "members" else split.auxiliary


def _caption(samples: Sequence[Sample], size: tuple[int, int]) -> Mapping[str, str]:
    captions = caption_images(samples, load_images(samples, size))
    return {sample.id: caption for sample, caption in zip(samples, captions, strict=True)}


def _build(recipe: LabRecipe, captions: Sequence[str], all_captions: Sequence[str]) -> Family:
    if not recipe.captioned:
        return build_unconditional(recipe)
    # From the captions of all images. With those of members alone, words of held-out images would be spelled out, and
    # the number of tokens would reveal membership.
    tokenizer = build_tokenizer(all_captions, TOKENS)
    return (build_flow if recipe.family == "flow" else build_text)(recipe, tokenizer, captions)


def _continue(recipe: LabRecipe, captions: Sequence[str], base: Target, folder: Path) -> Family:
    if not recipe.captioned:
        return continue_unconditional(base, folder)
    return (continue_flow if recipe.family == "flow" else continue_text)(recipe, base, folder, captions)


def save_pipeline(pipeline: Any, folder: Path) -> None:  # noqa: ANN401 - a diffusers pipeline
    """Save a pipeline, and each tokenizer also as ``vocab.json`` and ``merges.txt``, which older versions need."""
    with quiet():  # diffusers warns about components that are None
        pipeline.save_pretrained(folder, safe_serialization=True)
    for name, part in pipeline.components.items():
        if isinstance(part, CLIPTokenizer):
            tokenizer: Any = part
            tokenizer.backend_tokenizer.model.save(str(folder / name))
