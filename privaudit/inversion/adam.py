"""Adam on the fixed-point residual, which the paper uses in practice, with its learning-rate schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.inversion.solver import Evaluation, Memory, Solver, positive, register


@register
@dataclass(frozen=True)
class Adam(Solver):
    """Adam (Kingma & Ba 2015) with T(z) in place of the gradient   (Hong et al. 2024, arXiv:2409.18442).

    Differs from the published code: E is the posterior mean, not a sample; the best iterate is returned.

    Attributes:
        rate: Peak learning rate.
        epsilon: Epsilon of Adam; the paper uses 1e-4 in 16 bits.
        evaluations: Maximum number of evaluations of E(D(z)) per image; the schedule spans at most 100 of them.
        tolerance: Relative residual at which an image has converged and stops.
    """

    name: ClassVar[str] = "adam"
    citation: ClassVar[str] = "Hong et al. 2024, arXiv:2409.18442"
    summary: ClassVar[str] = "the paper's practical choice, scheduled"
    rate: float = 0.01
    epsilon: float = 1e-8
    evaluations: int = 100
    tolerance: float = 0.01

    def problems(self) -> list[str]:
        """Require a positive rate and epsilon."""
        return positive(self, "rate", "epsilon")

    def step(self, iteration: int, at: Evaluation, memory: Memory) -> tuple[Tensor, Memory]:
        """Take one Adam step along T(z)."""
        rate = scheduled_rate(self.rate, iteration, self.evaluations)
        return adam_step(at.iterates, at.residuals, memory, iteration, rate, self.epsilon)


BETAS = (0.9, 0.999)
"""Decay rates of Adam's mean and mean square, as in the paper."""


def adam_step(
    iterates: Tensor, gradients: Tensor, memory: Memory, iteration: int, rate: float, epsilon: float
) -> tuple[Tensor, Memory]:
    """Take a step of Adam with bias correction, independently for each image.

    Args:
        iterates: ``(a, *latent)``.
        gradients: Gradients, or residuals in their place, same shape.
        memory: ``mean`` and ``square`` of the previous step; empty at first.
        iteration: Number of the iteration, from 0.
        rate: Learning rate of this step.
        epsilon: Added to the root of the mean square.

    Returns:
        The next iterates and the next memory.
    """
    mean = BETAS[0] * memory.get("mean", torch.zeros_like(iterates)) + (1 - BETAS[0]) * gradients
    square = BETAS[1] * memory.get("square", torch.zeros_like(iterates)) + (1 - BETAS[1]) * gradients.square()
    direction = mean / (1 - BETAS[0] ** (iteration + 1))
    magnitude = (square / (1 - BETAS[1] ** (iteration + 1))).sqrt()
    return iterates - rate * direction / (magnitude + epsilon), {"mean": mean, "square": square}


def scheduled_rate(peak: float, iteration: int, iterations: int) -> float:
    """Cosine schedule with a linear warm-up over the first tenth, constant after eight tenths.

    The fractions are of all iterations, or of 100 if there are more. (Hong et al. 2024, arXiv:2409.18442.)

    Returns:
        The learning rate.
    """
    length = min(iterations, 100)
    position = min(iteration, math.floor(0.8 * length))
    warmup = max(1, math.ceil(0.1 * length))
    if position < warmup:
        return peak * (position + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (position - warmup) / max(1, length - warmup)))
