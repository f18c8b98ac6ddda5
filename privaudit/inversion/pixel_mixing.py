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
    """`Anderson` with gamma = argmin ||(D(z_k) - x) - sum_j gamma_j dD_j||, and the best iterate judged by pixels.

    If the decoder were linear, the combined iterate would be the point in the affine hull of the last iterates whose
    image is nearest to x. A damped encoder step continues from there. Ours; also without backpropagation.

    Attributes:
        memory: Maximum number of remembered differences; each holds a latent twice and an image once.
        rho: Damping: step along the mixed residual.
        regularisation: Regularisation of the Gram matrix, relative to its unit diagonal.
        growth: Ratio of the pixel error to the smallest one so far at which an image restarts.
        evaluations: Maximum number of evaluations of E(D(z)) per image.
        tolerance: Relative residual at which an image has converged and stops.
    """

    name: ClassVar[str] = "pixel-mixing"
    citation: ClassVar[str] = "privaudit"
    summary: ClassVar[str] = "like anderson, but mixed and judged by the pixel error"
    judge: ClassVar[Literal["latent", "pixel"]] = "pixel"

    def step(self, iteration: int, at: Evaluation, memory: Memory) -> tuple[Tensor, Memory]:
        """Mix by pixels, or return to the best iterate and take a plain step."""
        return safeguarded_step(self, at, at.reconstruction_errors, memory)
