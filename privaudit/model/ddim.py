"""Deterministic diffusion: DDIM sampling, and its inversion from a latent back to noise."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from privaudit.errors import ConfigError
from privaudit.model.condition import Condition
from privaudit.model.target import Target

CLEAN = -1
"""The end of a path, below level 0: no noise at all (alpha = 1, sigma = 0)."""


def ddim_levels(target: Target, steps: int) -> tuple[int, ...]:
    """List the levels of a path from noise to the clean latent, evenly spaced from the noisiest to 0, then `CLEAN`.

    A level without any signal (zero terminal SNR, or level 1000 of a flow model) is left out, because no step can start
    from it. If level 0 has no noise (a flow model), the path ends there.

    Args:
        target: Target with the schedule.
        steps: Denoiser passes, 1 or more.

    Returns:
        ``steps`` + 1 levels, decreasing.

    Raises:
        ConfigError: The schedule has too few levels.
    """
    with_signal = sum(target.alpha_sigma(level)[0] > 0 for level in range(target.schedule.last + 1))
    ends_at_zero = target.alpha_sigma(0) == (1.0, 0.0)
    max_steps = with_signal - ends_at_zero
    if not 1 <= steps <= max_steps:
        raise ConfigError([f"expected 1 to {max_steps} DDIM steps for this target, got {steps}"])
    # `steps` passes visit `steps` + 1 levels. CLEAN is the last of them, unless level 0 is already clean.
    spaced = torch.linspace(with_signal - 1, 0, steps + ends_at_zero, dtype=torch.float64).round().int().tolist()
    return tuple(spaced) if ends_at_zero else (*spaced, CLEAN)


def ddim_step(target: Target, latents: Tensor, start: int, stop: int, condition: Condition | None = None) -> Tensor:
    """Move latents from one noise level to another along the predicted noise, without fresh noise.

    z_b = alpha_b (z_a - sigma_a e) / alpha_a + sigma_b e,  e = eps_hat(z_a, a, c)
    (Eq. 12 with sigma = 0, Song, Meng, Ermon 2021, arXiv:2010.02502.) Towards noise this is DDIM inversion. It uses e
    at a, where an exact inverse of the sampling step would use e at b. At `CLEAN` the denoiser runs at level 0.
    For a flow model e = z_a + (1 - sigma_a) v, and the step is Euler's: z_a + (sigma_b - sigma_a) v.

    Args:
        target: Target with the denoiser and its schedule.
        latents: z_a, ``(n, *latent)``.
        start: Level a, or `CLEAN`.
        stop: Level b, or `CLEAN`.
        condition: Embedded prompts, from `Target.condition`.

    Returns:
        z_b, ``(n, *latent)``.
    """
    return ddim_move(target, latents, target.predict_noise(latents, max(start, 0), condition), start, stop)


def ddim_move(target: Target, latents: Tensor, noise: Tensor, start: int, stop: int) -> Tensor:
    """Take the step of `ddim_step` with a prediction that has been computed before.

    Args:
        target: Target with the schedule.
        latents: z_a, ``(n, *latent)``.
        noise: e, predicted at a, with the same shape.
        start: Level a, or `CLEAN`.
        stop: Level b, or `CLEAN`.

    Returns:
        z_b, ``(n, *latent)``.
    """
    (alpha, sigma), (alpha_stop, sigma_stop) = (_scales(target, level) for level in (start, stop))
    clean = (latents - sigma * noise) / alpha
    return alpha_stop * clean + sigma_stop * noise


def ddim_follow(target: Target, latents: Tensor, levels: Sequence[int], condition: Condition | None = None) -> Tensor:
    """Follow a path of levels, with one denoiser pass per step.

    Args:
        target: Target with the denoiser and its schedule.
        latents: Latents at the first level, ``(n, *latent)``.
        levels: The path, in either direction.
        condition: Embedded prompts, from `Target.condition`.

    Returns:
        Latents at the last level.
    """
    with torch.no_grad():
        for start, stop in pairwise(levels):
            latents = ddim_step(target, latents, start, stop, condition)
    return latents


def ddim_sample(target: Target, noise: Tensor, steps: int = 50, condition: Condition | None = None) -> Tensor:
    """Generate latents from noise; ``target.decode`` turns them into images.

    Args:
        target: The model.
        noise: Standard normal noise, ``(n, *latent)``.
        steps: Denoiser passes.
        condition: Embedded prompts, from `Target.condition`.

    Returns:
        Clean latents, ``(n, *latent)``.
    """
    return ddim_follow(target, noise.to(target.device), ddim_levels(target, steps), condition)


def ddim_invert(target: Target, latents: Tensor, steps: int = 50, condition: Condition | None = None) -> Tensor:
    """Find the noise from which `ddim_sample` would generate some latents.

    Args:
        target: The model.
        latents: Clean latents, ``(n, *latent)``.
        steps: Denoiser passes.
        condition: Embedded prompts, from `Target.condition`.

    Returns:
        The noise, ``(n, *latent)``, up to the error of DDIM inversion (see `ddim_step`).
    """
    return ddim_follow(target, latents.to(target.device), ddim_levels(target, steps)[::-1], condition)


def _scales(target: Target, level: int) -> tuple[float, float]:
    return (1.0, 0.0) if level == CLEAN else target.alpha_sigma(level)
