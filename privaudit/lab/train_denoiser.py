"""Trains the denoiser of a lab target of any family on the latents of its images."""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import deepcopy

import torch
from diffusers import AutoencoderKL, VQModel
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from privaudit.lab.family import Family
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.train_autoencoder import encode_posterior
from privaudit.lab.training_phase import OnStep, Phase, run_phase
from privaudit.loading.units import read_units


def train_denoiser(
    images: Tensor,
    autoencoder: AutoencoderKL | VQModel,
    family: Family,
    recipe: LabRecipe,
    phase: Phase,
    on_step: OnStep | None = None,
    snapshots: Collection[int] = (),
    on_snapshot: Callable[[int, nn.Module], None] | None = None,
) -> nn.Module:
    """Train the networks of a family with AdamW, and average their weights.

    Latents are posterior samples, as in latent diffusion (Rombach et al. 2022), or those of a VQ model before
    quantisation, scaled as the configuration of the autoencoder says.

    Args:
        images: Training images, ``(n, 3, height, width)``, in [-1, 1].
        autoencoder: Trained autoencoder in eval mode.
        family: Family, with the networks, which are trained in place, and the loss.
        recipe: Recipe with steps and rates.
        phase: Phase, with the place of the checkpoint.
        on_step: Progress callback.
        snapshots: Steps after which ``on_snapshot`` is called.
        on_snapshot: Called with (step, averaged networks in eval mode); must not hold on to the networks.

    Returns:
        The networks with their averaged weights, in eval mode.
    """
    model = family.network.train().requires_grad_(False)
    trained = [values.requires_grad_(True) for values in family.trained(model)]
    optimiser = torch.optim.AdamW(trained, lr=recipe.denoiser_rate, weight_decay=0.0)
    average = EMAModel(trained, decay=recipe.ema_decay, use_ema_warmup=False)
    views = [images, images.flip(-1)] if recipe.flip else [images]
    encoded = [encode_posterior(autoencoder, view) for view in views]
    means = torch.stack([view.mean for view in encoded]).clone()
    deviations = torch.stack([view.deviation for view in encoded]).clone()
    units = read_units(autoencoder, means.device)

    def averaged() -> nn.Module:
        copy = deepcopy(model)
        if recipe.ema_decay > 0:
            average.copy_to(family.trained(copy))
        return copy.eval().requires_grad_(False)

    def train_step(step: int) -> Tensor:
        generator = phase.generator(step)
        index = phase.batch(step, recipe.denoiser_batch, len(images))
        view = torch.randint(0, len(views), index.shape, generator=generator)
        mean, deviation = means[view, index], deviations[view, index]
        # A fresh posterior sample in every step, so that the denoiser is not trained on a fixed set of latents.
        latents = units.scaled(mean + deviation * torch.randn(mean.shape, generator=generator))
        loss = family.loss(latents, index, generator)
        for group in optimiser.param_groups:
            group["lr"] = recipe.denoiser_rate * min(1.0, (step + 1) / max(1, recipe.warmup))
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        average.step(trained)
        if on_snapshot is not None and step + 1 in snapshots:
            on_snapshot(step + 1, averaged())
        return loss.detach()

    parts = {"model": model, "optimiser": optimiser, "average": average}
    run_phase(phase, parts, recipe.denoiser_steps, train_step, on_step)
    return averaged()
