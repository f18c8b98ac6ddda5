"""A target that reads images of another size than its own, as a model trained on aspect-ratio buckets does."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import torch

from privaudit.errors import TargetError
from privaudit.loading.autoencoder import DiffusersAutoencoder
from privaudit.loading.conditioner import PipelineConditioner
from privaudit.loading.decoder_target import same_size
from privaudit.loading.denoiser import PipelineDenoiser
from privaudit.loading.folder import PROBE_SIDE, pixel_step
from privaudit.model.prompt import Prompt
from privaudit.model.target import Target

SOME_PROMPT = Prompt(caption="an image", class_label=0)
"""Prompt of a trial: what it says does not matter, and some models have no null prompt."""


def at_size(target: Target, size: tuple[int, int]) -> Target:
    """Read a target at another image size: the same modules, told another size where they are told one.

    Shape of the latent, conditions on the size (SDXL, PixArt, Hunyuan-DiT, CogView 4) and blank images (inpainting) are
    those of the size. Noise levels do not depend on it.

    Args:
        target: Target of `privaudit.loading.load_target`.
        size: Height and width of the images in pixels.

    Returns:
        The target, which shares all weights; ``target`` itself for its own size.

    Raises:
        TargetError: The model does not take images of this size.
    """
    if size == target.info.image_size:
        return target
    autoencoder, denoiser, conditioner = target.autoencoder, target.denoiser, target.conditioner
    if not isinstance(autoencoder, DiffusersAutoencoder) or not isinstance(denoiser, PipelineDenoiser):
        raise TargetError(f"expected images of {_text(target.info.image_size)} for {target.info.id}, got {_text(size)}")
    family = copy(denoiser.family)
    family.image_size = size
    sized = replace(denoiser, family=family)
    latent_shape = _latent_shape(target.info.id, autoencoder, sized, size)
    if isinstance(conditioner, PipelineConditioner):
        if problems := family.problems(conditioner.pipeline):
            raise TargetError(*(_refusal(target.info.id, size, problem) for problem in problems))
        conditioner = replace(conditioner, family=family)
    info = replace(target.info, sample_shape=(autoencoder.channels, *size), latent_shape=latent_shape)
    return replace(target, info=info, denoiser=sized, conditioner=conditioner)


def try_size(target: Target, size: tuple[int, int]) -> None:
    """Show a blank image of a size to the denoiser once, so that a long run does not stop at the first such image.

    Args:
        target: Target of `privaudit.loading.load_target`; at its own size, nothing is run.
        size: Height and width of the images in pixels.

    Raises:
        TargetError: The model does not take images of this size.
        OutOfMemoryError: The device has no memory for one image.
    """
    if size == target.info.image_size:
        return
    sized = at_size(target, size)
    blank = torch.zeros(1, *sized.info.latent_shape, device=sized.device)
    try:
        with torch.no_grad():
            sized.predict_noise(blank, sized.schedule.last // 2, sized.condition([SOME_PROMPT]))
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, IndexError) as error:  # of whatever a network does with sides it cannot halve
        reason = "its network does not take latents of this shape; pass a larger step, or leave out --buckets"
        raise TargetError(_refusal(target.info.id, size, reason)) from error


def _latent_shape(
    name: str, autoencoder: DiffusersAutoencoder, denoiser: PipelineDenoiser, size: tuple[int, int]
) -> tuple[int, ...]:
    """Measure the shape of the latent of a size that network and autoencoder take."""
    family = denoiser.family
    if family.one_size:
        reason = f"networks of {family.pipeline} are trained on one size; leave out --buckets"
        raise TargetError(_refusal(name, size, reason))
    _, *positions = autoencoder.latent_shape((autoencoder.channels, PROBE_SIDE, PROBE_SIDE))
    step = pixel_step(denoiser.module.config, positions, family)  # type: ignore[arg-type]  # a module of diffusers
    if any(side % step for side in size):
        reason = f"its network takes multiples of {step} pixels; pass a multiple, as in --buckets {step}"
        raise TargetError(_refusal(name, size, reason))
    latent_shape = same_size(autoencoder.without_values(), (autoencoder.channels, *size))
    if latent_shape is None:
        reason = f"{type(autoencoder.module).__name__} does not decode them to their own size; leave out --buckets"
        raise TargetError(_refusal(name, size, reason))
    return latent_shape


def _refusal(name: str, size: tuple[int, int], reason: str) -> str:
    return f"cannot read images of {_text(size)} with {name}: {reason}"


def _text(size: tuple[int, int]) -> str:
    """Height first, as everywhere: ``16x32``."""
    return f"{size[0]}x{size[1]}"
