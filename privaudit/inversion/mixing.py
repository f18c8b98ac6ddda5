"""The small least-squares problem of Anderson acceleration, batched over images, in float64."""

from __future__ import annotations

import torch
from torch import Tensor


def mixing_coefficients(differences: Tensor, residuals: Tensor, regularisation: float) -> Tensor:
    """Coefficients gamma that minimise ||r - sum_j gamma_j d_j||, regularised, one problem per image.

    The Gram matrix of the differences is scaled to a unit diagonal, to which ``regularisation`` is added, so that
    nearly parallel differences do not lead to huge coefficients. A difference of zero gets coefficient 0.

    Args:
        differences: Differences d of consecutive residuals, ``(a, m, *shape)``; zero where an image remembers fewer.
        residuals: Residuals r, ``(a, *shape)``.
        regularisation: Regularisation relative to the unit diagonal, > 0.

    Returns:
        ``(a, m)``, float64.
    """
    columns = differences.flatten(2).double()
    gram = columns @ columns.mT
    lengths = gram.diagonal(dim1=1, dim2=2).sqrt()
    scales = torch.where(lengths > 0, 1 / lengths, torch.zeros_like(lengths))
    # With D = diag(scales), solve (D G D + reg I) g = D d^T r and return D g: G g = d^T r in scaled variables.
    unit = gram * scales[:, :, None] * scales[:, None, :]
    unit = unit + regularisation * torch.eye(unit.shape[1], dtype=unit.dtype, device=unit.device)
    products = (columns @ residuals.flatten(1).double()[:, :, None])[:, :, 0] * scales
    scaled: Tensor = torch.linalg.solve(unit, products[:, :, None])[:, :, 0]
    return scaled * scales


def combine(coefficients: Tensor, differences: Tensor) -> Tensor:
    """sum_j gamma_j d_j, in the dtype of the differences.

    Args:
        coefficients: ``(a, m)``.
        differences: ``(a, m, *shape)``.

    Returns:
        ``(a, *shape)``.
    """
    flat = torch.einsum("am,amk->ak", coefficients.to(differences.dtype), differences.flatten(2))
    return flat.view(len(differences), *differences.shape[2:])


def remember(stored: Tensor | None, difference: Tensor, size: int) -> Tensor:
    """Append a difference, and drop the oldest beyond ``size``.

    Args:
        stored: Earlier differences, ``(a, m, *shape)``, or None.
        difference: New difference, ``(a, *shape)``.
        size: Maximum number of differences.

    Returns:
        ``(a, min(m + 1, size), *shape)``.
    """
    added = difference[:, None]
    return (added if stored is None else torch.cat([stored, added], dim=1))[:, -size:]


def per_image(values: Tensor, like: Tensor) -> Tensor:
    """Reshape ``(a,)`` values to broadcast against ``like``."""
    return values.view(-1, *[1] * (like.ndim - 1))


def lengths(values: Tensor) -> Tensor:
    """Euclidean norm of the values of each image, ``(a,)``."""
    norms: Tensor = torch.linalg.vector_norm(values.flatten(1), dim=1)
    return norms
