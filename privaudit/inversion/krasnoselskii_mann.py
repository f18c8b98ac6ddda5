"""Inertial Krasnoselskii-Mann inversion: the forward step with momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from privaudit.inversion.solver import Evaluation, Memory, Solver, positive, register


@register
@dataclass(frozen=True)
class KrasnoselskiiMann(Solver):
    """y_k = z_k + alpha (z_k - z_{k-1});  z_{k+1} = y_k - 2 lambda beta T(y_k).

    (Eq. 10 and 11, Hong et al. 2024, arXiv:2409.18442; after Maulen et al. 2024.) Theorem 2: if T is beta-cocoercive
    and lambda (1 - alpha + 2 alpha^2) < (1 - alpha)^2   (13), z and y converge to the same limit points. Parameters
    outside (13) are rejected unless ``force`` is set.
    Differs from the paper: nothing; its published code has no such solver. The default lam is just inside (13) for the
    default alpha, and beta makes the step 2 lam beta about 1, as in `ForwardStep`.

    Attributes:
        alpha: Inertia, between 0 and 1.
        lam: lambda, the relaxation.
        beta: Assumed cocoercivity; the step is 2 lambda beta.
        force: Whether to run outside the guarantee of Theorem 2.
        evaluations: Maximum number of evaluations of E(D(z)) per image.
        tolerance: Relative residual at which an image has converged and stops.
    """

    name: ClassVar[str] = "krasnoselskii-mann"
    citation: ClassVar[str] = "Hong et al. 2024, arXiv:2409.18442, Theorem 2"
    summary: ClassVar[str] = "fixed-point iteration with momentum"
    alpha: float = 0.3
    lam: float = 0.55
    beta: float = 0.9
    force: bool = False
    evaluations: int = 20
    tolerance: float = 0.01

    def problems(self) -> list[str]:
        """Require positive lam and beta, alpha between 0 and 1, and condition (13) unless ``force`` is set."""
        problems = positive(self, "lam", "beta")
        if not 0 < self.alpha < 1:
            problems.append(f"expected 0 < alpha < 1 for {self.name}, got {self.alpha}")
        if problems or self.force:
            return problems
        limit = (1 - self.alpha) ** 2 / (1 - self.alpha + 2 * self.alpha**2)  # (13), solved for lambda
        if self.lam >= limit:
            problems.append(
                f"expected lam < {limit:.4g} for alpha = {self.alpha:g}, the condition (13) of Theorem 2, "
                f"lam (1 - alpha + 2 alpha^2) < (1 - alpha)^2, got lam = {self.lam:g}; convergence is proven only "
                f"inside it: lower lam or alpha, or add force=true to run without a guarantee"
            )
        return problems

    def step(self, iteration: int, at: Evaluation, memory: Memory) -> tuple[Tensor, Memory]:
        """Step from T(y_k) to y_{k+1}; the memory holds z_k, which is not evaluated itself."""
        current = memory.get("current", at.iterates)  # z_k; y_0 = z_0
        following = at.iterates - 2 * self.lam * self.beta * at.residuals
        return following + self.alpha * (following - current), {"current": following}
