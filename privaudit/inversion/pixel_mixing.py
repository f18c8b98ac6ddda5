"""Anderson acceleration whose coefficients minimise the error in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from privaudit.inversion.anderson import Anderson, safeguarded_step
from privaudit.inversion.solver import Evaluation, Memory, register


@register
@dataclass(frozen=True)
class PixelMixing(Anderson):
    """As `Anderson`, but gamma = argmin ||(D(z_k) - x) - sum_j gamma_j dD_j||, and pixels judge the best iterate.

    The combined iterate is the point of the affine hull of the last iterates whose image, if the decoder were
    linear, would be nearest to x; a damped encoder step leads on from there. Ours; no backpropagation either.

    Attributes:
        memory: Differences to remember; one holds a latent twice and an image once.
        rho: Damping: step along the mixed residual.
        regularisation: Regularisation of the Gram matrix, relative to its unit diagonal.
        growth: Pixel error over the least one so far from which an image restarts.
        evaluations: Most evaluations of E(D(z)) per image.
        tolerance: Relative residual at which an image has converged and stops.
    """

    name: ClassVar[str] = "pixel-mixing"
    citation: ClassVar[str] = "privaudit"
    summary: ClassVar[str] = "as anderson, mixed and judged by the error in pixels"
    judge: ClassVar[Literal["latent", "pixel"]] = "pixel"

    def step(self, iteration: int, at: Evaluation, memory: Memory) -> tuple[Tensor, Memory]:
        """Mix by pixels, or go back to the best iterate and take a plain step."""
        return safeguarded_step(self, at, at.reconstruction_errors, memory)
