"""Local distortion log sqrt(det G(z)): how much the decoder stretches volume around a latent."""

from __future__ import annotations

import torch
from torch import Tensor

from privaudit.geometry.jacobian import Decode, Jacobian
from privaudit.geometry.pullback import dense_jacobian


def exact_distortion(decode: Decode, latents: Tensor) -> Tensor:
    """Compute log sqrt(det G) = sum_i log sigma_i(J_D)   (Rao, Qu, Moyer 2026, arXiv:2511.20592).

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``; small, the Jacobian is dense.

    Returns:
        ``(n,)``, float64; -inf where J_D has not full column rank.
    """
    singular = torch.linalg.svdvals(dense_jacobian(Jacobian(decode, latents)).double())
    distortion: Tensor = singular.log().sum(dim=1)
    return distortion


def distortion_bound(influence: Tensor) -> Tensor:
    """Hadamard's upper bound of the local distortion: log sqrt(det G) <= 1/2 sum_i log G_ii.

    Costs nothing beside the influence; equal to the distortion where G is diagonal. Used to rank images
    into quartiles, for which only the order matters.

    Args:
        influence: ``(n, *latent)``, the diagonal of G or an estimate of it.

    Returns:
        ``(n,)``, float64.
    """
    return 0.5 * influence.double().clamp_min(torch.finfo(torch.float32).tiny).log().flatten(1).sum(dim=1)
