"""Forward-step inversion: z <- z - rho T(z)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from privaudit.inversion.solver import Evaluation, Memory, Solver, positive, register


@register
@dataclass(frozen=True)
class ForwardStep(Solver):
    """z_{k+1} = z_k - rho (E(D(z_k)) - E(x))   (Eq. 8, Hong et al. 2024, arXiv:2409.18442).

    Converges for 0 < rho < 2 beta if T is beta-cocoercive (Theorem 1). For an encoder that inverts its decoder exactly,
    beta = 1, and rho = 1 converges in one step.
    Differs from the published code: E is the posterior mean, not a sample; the best iterate is returned.

    Attributes:
        rho: Step size.
        evaluations: Maximum number of evaluations of E(D(z)) per image.
        tolerance: Relative residual at which an image has converged and stops.
    """

    name: ClassVar[str] = "forward-step"
    citation: ClassVar[str] = "Hong et al. 2024, arXiv:2409.18442, Theorem 1"
    summary: ClassVar[str] = "fixed-point iteration, no momentum"
    rho: float = 1.0
    evaluations: int = 20
    tolerance: float = 0.01

    def problems(self) -> list[str]:
        """Require a positive step size."""
        return positive(self, "rho")

    def step(self, iteration: int, at: Evaluation, memory: Memory) -> tuple[Tensor, Memory]:
        """Take one forward step; the memory stays empty."""
        return at.iterates - self.rho * at.residuals, memory
