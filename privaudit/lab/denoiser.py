"""Train the lab's denoiser: a diffusers `UNet2DModel`, on the latents of the members."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DModel, VQModel
from diffusers.training_utils import EMAModel
from torch import Tensor

from privaudit.lab.autoencoder import encode_posterior
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.stage import OnStep, Stage, run_stage


def build_denoiser(recipe: LabRecipe) -> UNet2DModel:
    """Make an untrained denoiser with two stages and attention in the lower one."""
    width = recipe.denoiser_width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed * 2 + 2)
        return UNet2DModel(
            sample_size=recipe.resolution // 4,
            in_channels=recipe.latent_channels,
            out_channels=recipe.latent_channels,
            block_out_channels=[width, 2 * width],
            layers_per_block=recipe.denoiser_layers,
            down_block_types=["DownBlock2D", "AttnDownBlock2D"],
            up_block_types=["AttnUpBlock2D", "UpBlock2D"],
            attention_head_dim=8,
        )


def build_schedule(recipe: LabRecipe) -> DDPMScheduler:
    """DDPM's linear schedule of 1000 levels (Ho et al. 2020, arXiv:2006.11239)."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        clip_sample=False,
        prediction_type=recipe.prediction_type,
    )


def train_denoiser(
    images: Tensor,
    autoencoder: AutoencoderKL | VQModel,
    recipe: LabRecipe,
    stage: Stage,
    on_step: OnStep | None = None,
    snapshots: Collection[int] = (),
    on_snapshot: Callable[[int, UNet2DModel], None] | None = None,
) -> UNet2DModel:
    """Train on the mean squared error of the noise (or of v) at uniform levels.

    Latents are posterior samples, as in latent diffusion (Rombach et al. 2022), or those of a VQ model before
    quantisation, scaled by the autoencoder's ``scaling_factor``.

    Args:
        images: ``(n, 3, height, width)``, in [-1, 1]: the members.
        autoencoder: Trained, in eval mode.
        recipe: Widths, steps, rates.
        stage: Where to keep the checkpoint.
        on_step: Progress callback.
        snapshots: Steps after which ``on_snapshot`` gets the averaged model.
        on_snapshot: Called with (step, model in eval mode); must not keep the model.

    Returns:
        The denoiser with its averaged weights, in eval mode.
    """
    model, schedule = build_denoiser(recipe).train(), build_schedule(recipe)
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.denoiser_rate, weight_decay=0.0)
    average = EMAModel(model.parameters(), decay=recipe.ema_decay, use_ema_warmup=False)
    views = [images, images.flip(-1)] if recipe.flip else [images]
    encoded = [encode_posterior(autoencoder, view) for view in views]
    means = torch.stack([view.mean for view in encoded]).clone()
    deviations = torch.stack([view.deviation for view in encoded]).clone()
    scale = float(autoencoder.config["scaling_factor"])

    def averaged() -> UNet2DModel:
        copy = build_denoiser(recipe)
        copy.load_state_dict(model.state_dict())
        if recipe.ema_decay > 0:
            average.copy_to(copy.parameters())
        return copy.eval().requires_grad_(False)

    def train_step(step: int) -> Tensor:
        generator = stage.generator(step)
        index = stage.batch(step, recipe.denoiser_batch, len(images))
        view = torch.randint(0, len(views), index.shape, generator=generator)
        mean, deviation = means[view, index], deviations[view, index]
        latents = scale * (mean + deviation * torch.randn(mean.shape, generator=generator))
        noise = torch.randn(latents.shape, generator=generator)
        levels = torch.randint(0, len(schedule.alphas_cumprod), index.shape, generator=generator)
        wanted = noise if recipe.prediction_type == "epsilon" else schedule.get_velocity(latents, noise, levels)
        found = model(schedule.add_noise(latents, noise, levels), levels).sample
        loss: Tensor = (found - wanted).square().mean()
        for group in optimiser.param_groups:
            group["lr"] = recipe.denoiser_rate * min(1.0, (step + 1) / max(1, recipe.warmup))
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        average.step(model.parameters())
        if on_snapshot is not None and step + 1 in snapshots:
            on_snapshot(step + 1, averaged())
        return loss.detach()

    parts = {"model": model, "optimiser": optimiser, "average": average}
    run_stage(stage, parts, recipe.denoiser_steps, train_step, on_step)
    return averaged()
