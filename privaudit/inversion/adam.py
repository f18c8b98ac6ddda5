"""Adam on the fixed-point residual, as the paper runs it in practice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from privaudit.errors import ConfigError
from privaudit.inversion.base import Inversion, iterate, register
from privaudit.target import Target


@register("adam")
@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015) fed with T(z) as if it were a gradient   (Hong et al. 2024, arXiv:2409.18442).

    The learning rate follows a cosine with a linear warm-up over the first tenth, and is held after
    eight tenths. Differs from the published code: E is the posterior mean, not a sample; the best
    iterate is returned.

    Attributes:
        rate: Peak learning rate.
        evaluations: Evaluations of E(D(z)); the schedule is stretched over at most 100 of them.
        beta1: Decay of the mean.
        beta2: Decay of the mean square.
        epsilon: 1e-8; the paper takes 1e-4 in 16 bit.
        tolerance: Relative residual at which an image counts as converged.
    """

    rate: float = 0.01
    evaluations: int = 50
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    tolerance: float = 0.02

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises:
            ConfigError: A parameter is out of range.
        """
        if self.rate <= 0 or self.evaluations < 1:
            raise ConfigError([f"expected rate > 0 and evaluations >= 1, got {self.rate} and {self.evaluations}"])

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, from 0."""
        length = min(self.evaluations, 100)
        position = min(step, math.floor(0.8 * length))
        warmup = max(1, math.ceil(0.1 * length))
        if position < warmup:
            return self.rate * (position + 1) / warmup
        return self.rate * 0.5 * (1 + math.cos(math.pi * (position - warmup) / max(1, length - warmup)))

    def __call__(self, target: Target, images: Tensor) -> Inversion:
        """Invert a batch.

        Args:
            target: Gives E and D.
            images: ``(n, 3, h, w)`` in [-1, 1].

        Returns:
            Latents ``(n, *latent)`` with their residuals.
        """
        moments: list[Tensor] = []

        def update(step: int, latents: Tensor, gap: Tensor) -> Tensor:
            if not moments:
                moments.extend((torch.zeros_like(gap), torch.zeros_like(gap)))
            moments[0] = self.beta1 * moments[0] + (1 - self.beta1) * gap
            moments[1] = self.beta2 * moments[1] + (1 - self.beta2) * gap.square()
            mean = moments[0] / (1 - self.beta1 ** (step + 1))
            square = moments[1] / (1 - self.beta2 ** (step + 1))
            return latents - self.rate_at(step) * mean / (square.sqrt() + self.epsilon)

        return iterate(target, images, update, self.evaluations, self.tolerance)
