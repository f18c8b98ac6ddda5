"""The class family: `DiTTransformer2DModel` in a `DiTPipeline`; the class of an image is its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, DiTPipeline, DiTTransformer2DModel
from diffusers.models.embeddings import LabelEmbedding
from torch import Tensor, nn

from privaudit.errors import ConfigError
from privaudit.lab.diffusion import build_schedule, noise_latents, read_schedule
from privaudit.lab.family import Family
from privaudit.lab.recipe import LabRecipe
from privaudit.model.target import Target

HEAD_CHANNELS = 32
"""Channels per attention head."""


@dataclass(frozen=True)
class ClassConditional(Family):
    """Predicts noise or v from the noisy latent and a class.

    Attributes:
        network: Transformer, trained in place.
        scheduler: Scheduler with noise levels and prediction type.
        labels: Class of each training image, ``(n,)``, int64.
        drop: Fraction of classes that are replaced by the null class.
    """

    network: DiTTransformer2DModel
    scheduler: DDPMScheduler
    labels: Tensor
    drop: float

    def loss(self, latents: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error of the predicted noise (or v) at uniform levels, under the class or the null class."""
        noised = noise_latents(latents, self.scheduler, generator)
        dropped = torch.rand(len(rows), generator=generator) < self.drop
        null = self.network.config["num_embeds_ada_norm"]
        labels = self.labels[rows].masked_fill(dropped, null)
        prediction: Tensor = self.network(noised.latents, timestep=noised.levels, class_labels=labels).sample
        return (prediction - noised.prediction).square().mean()

    def pipeline(self, network: nn.Module, autoencoder: Any) -> DiTPipeline:  # noqa: ANN401 - a diffusers model
        """Make a `DiTPipeline`."""
        return DiTPipeline(transformer=network, vae=autoencoder, scheduler=self.scheduler)


def build_class_conditional(recipe: LabRecipe, labels: Sequence[int], classes: int) -> ClassConditional:
    """Make an untrained transformer over patches of 2x2 latents, and its schedule."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed * 2 + 2)
        network = DiTTransformer2DModel(
            sample_size=recipe.resolution // 4,
            patch_size=2,
            in_channels=recipe.latent_channels,
            out_channels=recipe.latent_channels,
            num_layers=recipe.denoiser_layers,
            num_attention_heads=recipe.denoiser_width // HEAD_CHANNELS,
            attention_head_dim=HEAD_CHANNELS,
            num_embeds_ada_norm=classes,
        )
    return _family(recipe, network, build_schedule(recipe), labels)


def continue_class_conditional(
    recipe: LabRecipe, base: Target, folder: Path, labels: Sequence[int], classes: int
) -> ClassConditional:
    """Continue the training of a base that was loaded from a folder.

    Returns:
        The family.

    Raises:
        ConfigError: The base has another number of classes than the images have folders.
    """
    network: Any = base.denoiser.module
    known = network.config["num_embeds_ada_norm"]
    if known != classes:
        raise ConfigError([f"expected images in {known} folders, the classes of {folder}, got {classes}"])
    return _family(recipe, network, read_schedule(folder), labels)


def _family(recipe: LabRecipe, network: Any, scheduler: DDPMScheduler, labels: Sequence[int]) -> ClassConditional:  # noqa: ANN401
    for part in network.modules():
        if isinstance(part, LabelEmbedding):
            part.dropout_prob = 0.0  # it drops classes with torch's global generator; `loss` does so with its own
    return ClassConditional(network, scheduler, torch.tensor(list(labels)), recipe.caption_drop)
