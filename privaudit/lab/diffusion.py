"""The noise of a diffusion model's training: DDPM's schedule, and what the network has to predict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from privaudit.lab.recipe import LabRecipe
from privaudit.loading.components import read_json


@dataclass(frozen=True)
class Noised:
    """A batch at random levels.

    Attributes:
        latents: z_t, ``(n, *latent)``.
        levels: t, ``(n,)``, int64.
        wanted: What the network has to predict, ``(n, *latent)``.
    """

    latents: Tensor
    levels: Tensor
    wanted: Tensor


def build_schedule(recipe: LabRecipe) -> DDPMScheduler:
    """DDPM's linear schedule of 1000 levels (Ho et al. 2020, arXiv:2006.11239)."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        clip_sample=False,
        prediction_type=recipe.prediction_type,
        **({"steps_offset": 1} if recipe.captioned else {}),  # what Stable Diffusion's pipeline expects
    )


def read_schedule(folder: Path) -> DDPMScheduler:
    """Read the schedule of a pipeline as DDPM's, which adds noise the same way whatever the sampler is."""
    return DDPMScheduler.from_config(read_json(folder / "scheduler" / "scheduler_config.json"))


def noise_latents(latents: Tensor, scheduler: DDPMScheduler, generator: torch.Generator) -> Noised:
    """Add noise at uniform levels; the target is the noise or v, as the scheduler's ``prediction_type`` says."""
    noise = torch.randn(latents.shape, generator=generator)
    levels = torch.randint(0, len(scheduler.alphas_cumprod), (len(latents),), generator=generator)
    plain = scheduler.config["prediction_type"] == "epsilon"
    wanted = noise if plain else scheduler.get_velocity(latents, noise, levels)
    return Noised(scheduler.add_noise(latents, noise, levels), levels, wanted)
