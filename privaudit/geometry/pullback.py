"""The decoder pullback metric G(z) = J_D(z)^T J_D(z), dense, for small latents."""

from __future__ import annotations

import torch
from torch import Tensor

from privaudit.geometry.jacobian import Decode, columns


def dense_jacobian(decode: Decode, latents: Tensor) -> Tensor:
    """J_D(z) of each image, by forward mode, column by column.

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``; keep n x latent size x image size within memory.

    Returns:
        ``(n, image size, latent size)``, both flattened.
    """
    parts = [part.flatten(2) for part in columns(decode, latents)]  # each (columns, n, image size)
    return torch.cat(parts).permute(1, 2, 0)


def pullback_metric(decode: Decode, latents: Tensor) -> Tensor:
    """G(z) = J_D(z)^T J_D(z)   (Rao, Qu, Moyer 2026, arXiv:2511.20592).

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``.

    Returns:
        ``(n, latent size, latent size)``, symmetric, positive semi-definite.
    """
    jacobian = dense_jacobian(decode, latents)
    return jacobian.transpose(1, 2) @ jacobian
