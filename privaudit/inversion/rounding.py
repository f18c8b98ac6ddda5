"""The smallest residual that 16-bit arithmetic can resolve."""

from __future__ import annotations

import torch
from torch import Tensor

from privaudit.inversion.mixing import lengths
from privaudit.inversion.problem import Problem


def rounding_floor(problem: Problem, latents: Tensor, rows: Tensor) -> Tensor:
    """Estimate the residual that rounding alone causes: ||E(D(z + d)) - E(D(z))|| / ||E(x)||, |d_i| = u |z_i|.

    u is the rounding unit of the autoencoder's dtype, and the signs of d alternate. The latents therefore move by about
    as much as storing them in that dtype would move them. Ours; costs two evaluations of E(D(z)).

    Args:
        problem: The images.
        latents: Latents at the end of the iteration, ``(a, *latent)``.
        rows: Indices of their images, ``(a,)``.

    Returns:
        ``(a,)``, float32.
    """
    if not len(rows):
        return latents.new_empty(0)
    unit = float(torch.finfo(problem.autoencoder.dtype).eps)
    signs = 1.0 - 2.0 * (torch.arange(latents[0].numel(), device=latents.device) % 2)
    # Signs alternate, because with a single sign the change would be a mere scaling of the latent.
    moved = latents * (1 + unit * signs.view(latents.shape[1:]))
    change = problem.evaluate(moved, rows).residuals - problem.evaluate(latents, rows).residuals
    return lengths(change) / problem.latent_scale[rows]
