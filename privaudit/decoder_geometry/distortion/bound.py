"""Hadamard's bound of the distortion, which costs nothing in addition to the influence."""

from __future__ import annotations

import torch
from torch import Tensor


def distortion_bound(influence: Tensor) -> Tensor:
    """Hadamard's upper bound of the local distortion: log sqrt(det G) <= 1/2 sum_i log G_ii.

    Costs nothing in addition to the influence; equal to the distortion where G is diagonal. Used to rank images
    into quartiles, for which only the order matters.

    Args:
        influence: ``(n, *latent)``, the diagonal of G or an estimate of it.

    Returns:
        ``(n,)``, float64.
    """
    return 0.5 * influence.double().clamp_min(torch.finfo(torch.float32).tiny).log().flatten(1).sum(dim=1)
