"""`privaudit lab train` trains a small latent diffusion target whose members are known."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from privaudit.data import OnImage, Sample, load_images, read_set
from privaudit.data.listing import require_files
from privaudit.lab.captions import caption_images
from privaudit.lab.claim import check_snapshots, claim_folder, snapshot_folder
from privaudit.lab.class_conditional import build_class_conditional, continue_class_conditional
from privaudit.lab.family import Family
from privaudit.lab.flow import build_flow, continue_flow
from privaudit.lab.low_rank import add_lora
from privaudit.lab.manifests import Prompts, Trained, write_manifests
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
from privaudit.loading.hashes import hash_files
from privaudit.loading.weight_files import DIFFUSERS_LORA
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

    ``out`` gets ``model_index.json`` and the weights (or those of a LoRA alone), ``members.csv``, ``heldout.csv``,
    ``auxiliary.csv``, ``lab.json`` (recipe, versions, number of parameters, hash of the target) and ``training/``
    (checkpoints, losses).
    After an interruption, the same call resumes the training. On the same machine, the weights are those of an
    uninterrupted training.

    Args:
        images: Folder or manifest with more images than members and held-out images together.
        out: Folder to write.
        recipe: All parameters.
        base: Target to fine-tune. Its autoencoder is reused, and its denoiser and text encoders are trained further.
        autoencoder_from: Target whose autoencoder is reused.
        half: Whether to save the weights as float16.
        snapshots: Denoiser steps after which the averaged model is saved as ``out/snapshots/<step>/``, or a LoRA as
            ``out/checkpoint-<step>/``.
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
    require_files(images_read.samples, images)
    split = split_samples(images_read.samples, recipe.members, recipe.heldout, recipe.seed)
    start = load_starting_point(recipe, split, base, autoencoder_from)
    claim_folder(out, recipe, split, start.record)
    check_snapshots(out, recipe, snapshots)
    prompts = _prompts(images_read.samples, recipe)
    trained = write_manifests(out, split, prompts)
    write_earlier_images(out, start)

    def phase(name: str) -> Phase:
        return Phase(name, out / "training", recipe.seed)

    def pixels(samples: tuple[Sample, ...]) -> torch.Tensor:
        return torch.from_numpy(load_images(samples, size))

    autoencoder = start.autoencoder or train_autoencoder(
        pixels(_images(split, recipe.autoencoder_images)), recipe, phase("autoencoder"), on_step
    )
    training_set = _images(split, recipe.denoiser_images)
    family = make_family(recipe, training_set, prompts, start.base, base)

    def save(folder: Path, network: nn.Module) -> None:
        # .half() works in place, so it gets copies: the float32 autoencoder is needed for the next snapshot. The copies
        # are not rebuilt from their configurations, because that would reset arguments which had their default when the
        # model was built, such as the trained scaling_factor.
        parts: tuple[Any, Any] = (network, autoencoder)
        network, decoder = (deepcopy(part).half() for part in parts) if half else parts
        family.save(network, decoder, folder)

    network = train_denoiser(
        pixels(training_set),
        autoencoder,
        family,
        recipe,
        phase("denoiser"),
        on_step,
        snapshots,
        lambda step, model: save(snapshot_folder(out, recipe, step), model),
    )
    save(out, network)
    parts = {"autoencoder": autoencoder, **(network if isinstance(network, nn.ModuleDict) else {"unet": network})}
    record = out / "lab.json"
    finished = json.loads(record.read_text()) | {
        "parameters": {name: sum(value.numel() for value in part.parameters()) for name, part in parts.items()},
        "target_hash": hash_files(out / DIFFUSERS_LORA) if recipe.lora_rank else hash_folder(out),
    }
    record.write_text(json.dumps(finished, indent=2) + "\n")
    return replace(trained, model=f"{base} --lora {out / DIFFUSERS_LORA}") if recipe.lora_rank else trained


def _images(split: Split, name: str) -> tuple[Sample, ...]:
    return split.members if name == "members" else split.auxiliary


def _prompts(samples: Sequence[Sample], recipe: LabRecipe) -> Prompts:
    """Caption or class of every image, by the column of the manifests and the id of the image."""
    if recipe.family == "class":
        classes = {folder: number for number, folder in enumerate(sorted({sample.path.parent for sample in samples}))}
        return {"class_label": {sample.id: classes[sample.path.parent] for sample in samples}}
    if not recipe.captioned:
        return {}
    captions = caption_images(samples, load_images(samples, (recipe.resolution, recipe.resolution)))
    return {"caption": {sample.id: caption for sample, caption in zip(samples, captions, strict=True)}}


def make_family(
    recipe: LabRecipe, samples: Sequence[Sample], prompts: Prompts, base: Target | None, folder: Path | None
) -> Family:
    """Build the networks of a recipe, or take those of a base, with the prompts of the training images.

    Args:
        recipe: Recipe.
        samples: Training images.
        prompts: Captions or classes of all images.
        base: Base of a fine-tune.
        folder: Its folder.

    Returns:
        The family.
    """
    if recipe.family == "class":
        labels = prompts["class_label"]
        chosen, classes = [int(labels[sample.id]) for sample in samples], len(set(labels.values()))
        if base is None or folder is None:
            return build_class_conditional(recipe, chosen, classes)
        return continue_class_conditional(recipe, base, folder, chosen, classes)
    if not recipe.captioned:
        return build_unconditional(recipe) if base is None or folder is None else continue_unconditional(base, folder)
    captions = {key: str(text) for key, text in prompts["caption"].items()}
    texts = [captions[sample.id] for sample in samples]
    if base is None or folder is None:
        # From the captions of all images. With those of members alone, words of held-out images would be spelled out,
        # and the number of tokens would reveal membership.
        tokenizer = build_tokenizer(sorted(captions.values()), TOKENS)
        return (build_flow if recipe.family == "flow" else build_text)(recipe, tokenizer, texts)
    family = (continue_flow if recipe.family == "flow" else continue_text)(recipe, base, folder, texts)
    return add_lora(family, recipe.lora_rank, recipe.seed) if recipe.lora_rank else family
