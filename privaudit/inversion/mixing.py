"""The small least-squares problem of Anderson acceleration, batched over images, in float64."""

from __future__ import annotations

import torch
from torch import Tensor


def mixing_coefficients(differences: Tensor, residuals: Tensor, regularisation: float) -> Tensor:
    """Coefficients gamma that minimise ||r - sum_j gamma_j d_j||, regularised, one problem per image.

    The Gram matrix of the differences, scaled to a unit diagonal, gets ``regularisation`` on its diagonal, so
    that nearly parallel differences cannot give huge coefficients. A difference of zero gets coefficient 0.

    Args:
        differences: d, ``(a, m, *shape)``: of consecutive residuals, zero where an image remembers fewer.
        residuals: r, ``(a, *shape)``.
        regularisation: Relative to the unit diagonal, > 0.

    Returns:
        ``(a, m)``, float64.
    """
    columns = differences.flatten(2).double()
    gram = columns @ columns.mT
    lengths = gram.diagonal(dim1=1, dim2=2).sqrt()
    scales = torch.where(lengths > 0, 1 / lengths, torch.zeros_like(lengths))
    unit = gram * scales[:, :, None] * scales[:, None, :]
    unit = unit + regularisation * torch.eye(unit.shape[1], dtype=unit.dtype, device=unit.device)
    products = (columns @ residuals.flatten(1).double()[:, :, None])[:, :, 0] * scales
    found: Tensor = torch.linalg.solve(unit, products[:, :, None])[:, :, 0]
    return found * scales


def combine(coefficients: Tensor, differences: Tensor) -> Tensor:
    """sum_j gamma_j d_j, in the type of the differences.

    Args:
        coefficients: ``(a, m)``.
        differences: ``(a, m, *shape)``.

    Returns:
        ``(a, *shape)``.
    """
    flat = torch.einsum("am,amk->ak", coefficients.to(differences.dtype), differences.flatten(2))
    return flat.view(len(differences), *differences.shape[2:])


def remember(stored: Tensor | None, difference: Tensor, size: int) -> Tensor:
    """Append a difference to the last ``size`` ones.

    Args:
        stored: ``(a, m, *shape)`` or None.
        difference: ``(a, *shape)``.
        size: Most to keep.

    Returns:
        ``(a, min(m + 1, size), *shape)``.
    """
    added = difference[:, None]
    return (added if stored is None else torch.cat([stored, added], dim=1))[:, -size:]


def per_image(values: Tensor, like: Tensor) -> Tensor:
    """Give ``(a,)`` values as many axes as ``like`` has, to multiply with it."""
    return values.view(-1, *[1] * (like.ndim - 1))


def lengths(values: Tensor) -> Tensor:
    """Euclidean norm of each image's values, ``(a,)``."""
    found: Tensor = torch.linalg.vector_norm(values.flatten(1), dim=1)
    return found
