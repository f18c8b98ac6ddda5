"""Forward-step inversion: z <- z - rho T(z)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from privaudit.errors import ConfigError
from privaudit.inversion.base import Inversion, iterate, register
from privaudit.target import Target


@register("forward-step")
@dataclass(frozen=True)
class ForwardStep:
    """z_{k+1} = z_k - rho (E(D(z_k)) - E(x))   (Eq. 8, Hong et al. 2024, arXiv:2409.18442).

    Converges for 0 < rho < 2 beta where T is beta-cocoercive (Theorem 1); an encoder that inverts its
    decoder exactly would give beta = 1, and rho = 1 would then converge in one step.
    Differs from the published code: E is the posterior mean, not a sample; the best iterate is returned.

    Attributes:
        rho: Step size.
        evaluations: Evaluations of E(D(z)).
        tolerance: Relative residual at which an image counts as converged.
    """

    rho: float = 1.0
    evaluations: int = 5
    tolerance: float = 0.02

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises:
            ConfigError: A parameter is not positive.
        """
        if self.rho <= 0 or self.evaluations < 1:
            raise ConfigError([f"expected rho > 0 and evaluations >= 1, got {self.rho} and {self.evaluations}"])

    def __call__(self, target: Target, images: Tensor) -> Inversion:
        """Invert a batch.

        Args:
            target: Gives E and D.
            images: ``(n, 3, h, w)`` in [-1, 1].

        Returns:
            Latents ``(n, *latent)`` with their residuals.
        """

        def update(_: int, latents: Tensor, gap: Tensor) -> Tensor:
            return latents - self.rho * gap

        return iterate(target, images, update, self.evaluations, self.tolerance)
