"""Trains the autoencoder of a lab target, a diffusers `AutoencoderKL` or `VQModel`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, VQModel
from torch import Tensor

from privaudit.lab.recipe import LabRecipe
from privaudit.lab.training_phase import OnStep, Phase, Stateful, run_phase
from privaudit.lab.vq import Codebook, build_vq


@dataclass(frozen=True)
class Posterior:
    """Distribution of the latents of some images, in the autoencoder's unscaled units.

    Attributes:
        mean: Mean, ``(n, channels, h, w)``; for a VQ model, the latents before quantisation.
        deviation: Standard deviation, same shape; zero for a VQ model.
    """

    mean: Tensor
    deviation: Tensor


def build_autoencoder(recipe: LabRecipe) -> AutoencoderKL | VQModel:
    """Make an untrained autoencoder that downsamples each side by 4."""
    width = recipe.autoencoder_width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed * 2 + 1)
        if recipe.autoencoder == "vq":
            return build_vq(recipe)
        return AutoencoderKL(
            down_block_types=["DownEncoderBlock2D"] * 3,
            up_block_types=["UpDecoderBlock2D"] * 3,
            block_out_channels=[width, 2 * width, 2 * width],
            layers_per_block=1,
            latent_channels=recipe.latent_channels,
            sample_size=recipe.resolution,
            norm_num_groups=8,
        )


def train_autoencoder(
    images: Tensor, recipe: LabRecipe, phase: Phase, on_step: OnStep | None = None
) -> AutoencoderKL | VQModel:
    """Train on squared error and KL or codebook loss, with the eight symmetries of the square as augmentation.

    The loss is ||D(z) - x||^2 + kl_weight * KL(q(z|x) || N(0, I)) with z ~ q(z|x), or ||D(e) - x||^2 + codebook loss,
    where e are the codes nearest to the encoder output (`Codebook.quantise`). All terms are summed over an image and
    averaged over the batch. The learning rate decreases linearly over the second half.

    Args:
        images: Training images, ``(n, 3, height, width)``, in [-1, 1].
        recipe: Recipe with widths, steps and rates.
        phase: Phase, with the place of the checkpoint.
        on_step: Progress callback.

    Returns:
        The autoencoder in eval mode, with ``scaling_factor`` = 1 / std of the training latents.
    """
    model = build_autoencoder(recipe).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.autoencoder_rate, weight_decay=1e-4)
    half = recipe.autoencoder_steps / 2
    codebook = Codebook(model) if recipe.autoencoder == "vq" else None

    def train_step(step: int) -> Tensor:
        generator = phase.generator(step)
        batch = _symmetry(images[phase.batch(step, recipe.autoencoder_batch, len(images))], generator)
        # Warm-up, a constant rate up to half of the steps, then a linear decrease to 2 %.
        rate = min(1.0, (step + 1) / max(1, recipe.warmup), max(0.02, (recipe.autoencoder_steps - step) / half))
        for group in optimiser.param_groups:
            group["lr"] = recipe.autoencoder_rate * rate
        if codebook is None:
            posterior = model.encode(batch).latent_dist
            error = _squared_error(model.decode(posterior.sample(generator)).sample, batch)
            loss = error + recipe.kl_weight * posterior.kl().mean()
        else:
            quantised = codebook.quantise(model.encode(batch).latents, step, generator)
            error = _squared_error(model.decode(quantised.latents, force_not_quantize=True).sample, batch)
            loss = error + quantised.loss
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0)  # high, because the loss is a sum over each image
        optimiser.step()
        return error.detach() / batch[0].numel()  # per value, so that resolutions can be compared

    parts: dict[str, Stateful] = {"model": model, "optimiser": optimiser}
    run_phase(
        phase,
        parts if codebook is None else parts | {"codebook": codebook},
        recipe.autoencoder_steps,
        train_step,
        on_step,
    )
    model.eval().requires_grad_(False)
    model.register_to_config(scaling_factor=round(1.0 / float(encode_posterior(model, images).mean.std()), 6))
    return model


def encode_posterior(autoencoder: AutoencoderKL | VQModel, images: Tensor) -> Posterior:
    """Encode images, 64 at a time, without gradients.

    Args:
        autoencoder: Autoencoder in eval mode.
        images: ``(n, 3, height, width)``, in [-1, 1].

    Returns:
        Mean and deviation, unscaled.
    """
    with torch.inference_mode():
        encoded = [autoencoder.encode(part) for part in torch.split(images, 64)]
        if isinstance(autoencoder, VQModel):
            mean = torch.cat([part.latents for part in encoded])
            return Posterior(mean, torch.zeros_like(mean))
        parts = [part.latent_dist for part in encoded]
        return Posterior(torch.cat([part.mean for part in parts]), torch.cat([part.std for part in parts]))


def _squared_error(decoded: Tensor, batch: Tensor) -> Tensor:
    return (decoded - batch).square().flatten(1).sum(1).mean()


def _symmetry(batch: Tensor, generator: torch.Generator) -> Tensor:
    flip, mirror, turn = torch.randint(0, 2, (3,), generator=generator).bool().tolist()
    batch = batch.flip(-2) if flip else batch
    batch = batch.flip(-1) if mirror else batch
    return batch.transpose(-2, -1) if turn else batch
