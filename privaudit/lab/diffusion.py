"""Noise for the training of a diffusion model: DDPM's schedule, and the regression target of the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from privaudit.lab.recipe import LabRecipe
from privaudit.loading.json_files import read_json


@dataclass(frozen=True)
class Noised:
    """A batch at random levels.

    Attributes:
        latents: Noised latents z_t, ``(n, *latent)``.
        levels: Levels t, ``(n,)``, int64.
        prediction: Prediction that the network is trained to make, noise or v, ``(n, *latent)``.
    """

    latents: Tensor
    levels: Tensor
    prediction: Tensor


def build_schedule(recipe: LabRecipe) -> DDPMScheduler:
    """DDPM's linear schedule of 1000 levels (Ho et al. 2020, arXiv:2006.11239)."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        clip_sample=False,
        prediction_type=recipe.prediction_type,
        **({"steps_offset": 1} if recipe.captioned else {}),  # the pipeline of Stable Diffusion expects this offset
    )


def read_schedule(folder: Path) -> DDPMScheduler:
    """Read the schedule of a pipeline as a DDPM schedule, which adds the same noise whatever the sampler is."""
    return DDPMScheduler.from_config(read_json(folder / "scheduler" / "scheduler_config.json"))


def noise_latents(latents: Tensor, scheduler: DDPMScheduler, generator: torch.Generator) -> Noised:
    """Add noise at uniformly drawn levels; ``prediction_type`` of the scheduler decides between noise and v."""
    noise = torch.randn(latents.shape, generator=generator)
    levels = torch.randint(0, len(scheduler.alphas_cumprod), (len(latents),), generator=generator)
    predicts_noise = scheduler.config["prediction_type"] == "epsilon"
    prediction = noise if predicts_noise else scheduler.get_velocity(latents, noise, levels)
    return Noised(scheduler.add_noise(latents, noise, levels), levels, prediction)
