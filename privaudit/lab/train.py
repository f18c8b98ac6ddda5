"""`privaudit lab train`: a small latent diffusion target whose members are known."""

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
from privaudit.lab.starting_point import read_given, write_seen
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
    The same call resumes after an interruption and gives the same weights as an uninterrupted one on the same machine.

    Args:
        images: Folder (or manifest) with more images than members and held-out together.
        out: Folder to write.
        recipe: All parameters.
        base: Target to fine-tune: its autoencoder is kept, its denoiser and text encoders are trained on.
        autoencoder_from: Target whose autoencoder is taken as it is.
        half: Save weights as float16.
        snapshots: Denoiser steps whose averaged model is saved as ``out/snapshots/<step>/``.
        on_step: Progress callback of both trainings.
        on_image: Progress callback of reading the images.

    Returns:
        The folder and its manifests.

    Raises:
        ConfigError: ``out`` holds a training with other parameters, more steps or other images, or another target
            gives what does not fit.
        DataError: There are too few images, or another target gives what has seen a member or a held-out image.
        TargetError: Another target cannot be loaded.
    """
    size = (recipe.resolution, recipe.resolution)
    found = read_set(images, size, on_image=on_image)
    split = split_samples(found.samples, recipe.members, recipe.heldout, recipe.seed)
    given = read_given(recipe, split, base, autoencoder_from)
    claim_folder(out, recipe, split, given.record)
    check_snapshots(out, recipe, snapshots)
    captions = _caption(found.samples, size) if recipe.captioned else {}
    trained = write_manifests(out, split, captions)
    write_seen(out, given)

    def phase(name: str) -> Phase:
        return Phase(name, out / "training", recipe.seed)

    def pixels(samples: tuple[Sample, ...]) -> torch.Tensor:
        return torch.from_numpy(load_images(samples, size))

    autoencoder = given.autoencoder or train_autoencoder(
        pixels(_images(split, recipe.autoencoder_images)), recipe, phase("autoencoder"), on_step
    )
    seen = _images(split, recipe.denoiser_images)
    own = [captions[sample.id] for sample in seen] if captions else []
    family = (
        _continue(recipe, own, given.base, base)
        if base and given.base
        else _build(recipe, own, sorted(captions.values()))
    )

    def save(folder: Path, network: nn.Module) -> None:
        # half through copies: .half() works in place, and the float32 autoencoder serves the next snapshot. Not from
        # their configurations, which give arguments left at their default when a model was built, such as the trained
        # scaling_factor, their default again.
        parts: tuple[Any, Any] = (network, autoencoder)
        network, decoder = (deepcopy(part).half() for part in parts) if half else parts
        save_pipeline(family.pipeline(network, decoder), folder)

    network = train_denoiser(
        pixels(seen),
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


def _build(recipe: LabRecipe, captions: Sequence[str], every: Sequence[str]) -> Family:
    if not recipe.captioned:
        return build_unconditional(recipe)
    # of the captions of all images: else those of held-out images would be spelled out where a member's are words
    tokenizer = build_tokenizer(every, TOKENS)
    return (build_flow if recipe.family == "flow" else build_text)(recipe, tokenizer, captions)


def _continue(recipe: LabRecipe, captions: Sequence[str], base: Target, folder: Path) -> Family:
    if not recipe.captioned:
        return continue_unconditional(base, folder)
    return (continue_flow if recipe.family == "flow" else continue_text)(recipe, base, folder, captions)


def save_pipeline(pipeline: Any, folder: Path) -> None:  # noqa: ANN401 - a diffusers pipeline
    """Save a pipeline; each tokenizer also as ``vocab.json`` and ``merges.txt``, which older versions read."""
    with quiet():  # diffusers warns that a component that is None cannot be saved
        pipeline.save_pretrained(folder, safe_serialization=True)
    for name, part in pipeline.components.items():
        if isinstance(part, CLIPTokenizer):
            tokenizer: Any = part
            tokenizer.backend_tokenizer.model.save(str(folder / name))
