"""Inversion by backpropagation through the decoder, as a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from privaudit.inversion.adam import adam_step, scheduled_rate
from privaudit.inversion.solver import Evaluation, Memory, Solver, positive, register


@register
@dataclass(frozen=True)
class Gradient(Solver):
    """Adam on ||D(z) - x||^2 from z = E(x)   (the baseline of Hong et al. 2024, arXiv:2409.18442).

    An evaluation is a forward and a backward pass through the decoder, with its activations in memory. The best iterate
    is the one with the smallest pixel error. Its residual is evaluated once, at the end, so the tolerance never stops
    an image early.

    Attributes:
        rate: Learning rate; the paper uses 0.1 with the schedule or 0.01 without.
        schedule: Whether the rate has a warm-up and a cosine (see `privaudit.inversion.adam.scheduled_rate`) or is
            constant.
        epsilon: Epsilon of Adam.
        evaluations: Forward and backward passes through the decoder.
        tolerance: Relative residual at which an image counts as converged.
    """

    name: ClassVar[str] = "gradient"
    citation: ClassVar[str] = "Hong et al. 2024, arXiv:2409.18442, baseline"
    summary: ClassVar[str] = "Adam on the pixel error, by backpropagation, for comparison"
    judge: ClassVar[Literal["latent", "pixel"]] = "pixel"
    by_gradient: ClassVar[bool] = True
    rate: float = 0.1
    schedule: bool = True
    epsilon: float = 1e-8
    evaluations: int = 100
    tolerance: float = 0.01

    def problems(self) -> list[str]:
        """Require a positive rate and epsilon."""
        return positive(self, "rate", "epsilon")

    def step(self, iteration: int, at: Evaluation, memory: Memory) -> tuple[Tensor, Memory]:
        """Take one Adam step down the gradient."""
        rate = scheduled_rate(self.rate, iteration, self.evaluations) if self.schedule else self.rate
        return adam_step(at.iterates, at.residuals, memory, iteration, rate, self.epsilon)
