"""The unconditional family: diffusers' `UNet2DModel` in an `LDMPipeline`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, LDMPipeline, UNet2DModel
from torch import Tensor, nn

from privaudit.lab.diffusion import build_schedule, noise_latents, read_schedule
from privaudit.lab.family import Family
from privaudit.lab.recipe import LabRecipe
from privaudit.model.target import Target


@dataclass(frozen=True)
class Unconditional(Family):
    """Predicts noise or v from the noisy latent alone.

    Attributes:
        network: Denoiser, trained in place.
        scheduler: Scheduler with noise levels and prediction type.
    """

    network: UNet2DModel
    scheduler: DDPMScheduler

    def loss(self, latents: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error of the predicted noise (or v) at uniform levels."""
        noised = noise_latents(latents, self.scheduler, generator)
        prediction: Tensor = self.network(noised.latents, noised.levels).sample
        return (prediction - noised.prediction).square().mean()

    def pipeline(self, network: nn.Module, autoencoder: Any) -> LDMPipeline:  # noqa: ANN401 - a diffusers model
        """Make an `LDMPipeline`."""
        return LDMPipeline(vqvae=autoencoder, unet=network, scheduler=self.scheduler)


def build_unconditional(recipe: LabRecipe) -> Unconditional:
    """Make an untrained denoiser with two stages and attention in the lower one, and its schedule."""
    width = recipe.denoiser_width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed * 2 + 2)
        network = UNet2DModel(
            sample_size=recipe.resolution // 4,
            in_channels=recipe.latent_channels,
            out_channels=recipe.latent_channels,
            block_out_channels=[width, 2 * width],
            layers_per_block=recipe.denoiser_layers,
            down_block_types=["DownBlock2D", "AttnDownBlock2D"],
            up_block_types=["AttnUpBlock2D", "UpBlock2D"],
            attention_head_dim=8,
        )
    return Unconditional(network, build_schedule(recipe))


def continue_unconditional(base: Target, folder: Path) -> Unconditional:
    """Continue the training of a base that was loaded from a folder: denoiser and schedule."""
    network: Any = base.denoiser.module
    return Unconditional(network, read_schedule(folder))
