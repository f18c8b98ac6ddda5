"""Inversion by backpropagation through the decoder: a baseline to compare with."""

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

    An evaluation is a pass through the decoder and one back, with the decoder's activations in memory. The best
    iterate is that of least pixel error; its residual is evaluated once, at the end, so the tolerance stops nothing.

    Attributes:
        rate: Learning rate; the paper takes .1 with the schedule or .01 without.
        schedule: Warm-up and cosine (see `privaudit.inversion.adam.scheduled_rate`) or a fixed rate.
        epsilon: Epsilon of Adam.
        evaluations: Passes through the decoder and back.
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
        """Say what is wrong with the parameters."""
        return positive(self, "rate", "epsilon")

    def step(self, iteration: int, at: Evaluation, memory: Memory) -> tuple[Tensor, Memory]:
        """One Adam step down the gradient."""
        rate = scheduled_rate(self.rate, iteration, self.evaluations) if self.schedule else self.rate
        return adam_step(at.iterates, at.residuals, memory, iteration, rate, self.epsilon)
