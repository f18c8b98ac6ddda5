"""Slow, literal transcriptions of what the package computes fast."""

from __future__ import annotations

import torch
from torch import Tensor

from privaudit.noise import normal_for
from privaudit.target import Target


def jacobian(decode, latent: Tensor) -> Tensor:
    """Dense J of one image by reverse mode, ``(pixels, dimensions)``."""
    found = torch.func.jacrev(lambda z: decode(z[None])[0].flatten())(latent)
    return found.reshape(found.shape[0], -1)


def sima_error(target: Target, latent: Tensor, level: int, order: float, mask: Tensor) -> float:
    predicted = target.predict_noise(latent[None], level, None)[0]
    return sum(float(m) * abs(float(e)) ** order for e, m in zip(predicted.flatten(), mask.flatten(), strict=True))


def loss_error(
    target: Target, latent: Tensor, sample_id: str, seed: int, level: int, draws: int, mask: Tensor
) -> float:
    alpha, sigma = target.alpha_sigma(level)
    total = 0.0
    for draw in range(draws):
        noise = normal_for(seed, [sample_id], latent.shape, "noise", level, draw)[0]
        predicted = target.predict_noise((alpha * latent + sigma * noise)[None], level, None)[0]
        for e, p, m in zip(noise.flatten(), predicted.flatten(), mask.flatten(), strict=True):
            total += float(m) * (float(e) - float(p)) ** 2
    return total / draws


def pia_error(target: Target, latent: Tensor, level: int, order: float, mask: Tensor) -> float:
    alpha, sigma = target.alpha_sigma(level)
    own = target.predict_noise(latent[None], 0, None)[0]
    predicted = target.predict_noise((alpha * latent + sigma * own)[None], level, None)[0]
    return sum(
        float(m) * abs(float(e) - float(p)) ** order
        for e, p, m in zip(own.flatten(), predicted.flatten(), mask.flatten(), strict=True)
    )
