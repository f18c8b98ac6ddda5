"""Hadamard's bound of the distortion, which follows from the influence at no extra cost."""

from __future__ import annotations

import torch
from torch import Tensor


def distortion_bound(influence: Tensor) -> Tensor:
    """Hadamard's upper bound of the local distortion: log sqrt(det G) <= 1/2 sum_i log G_ii.

    Needs no more than the influence, and equals the distortion where G is diagonal. It is used to divide images into
    quartiles, for which only their order matters.

    Args:
        influence: ``(n, *latent)``, the diagonal of G or an estimate of it.

    Returns:
        ``(n,)``, float64.
    """
    return 0.5 * influence.double().clamp_min(torch.finfo(torch.float32).tiny).log().flatten(1).sum(dim=1)
