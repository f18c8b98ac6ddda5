"""Singular values of J, and which of them rounding lets tell from zero."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from privaudit.decoder_geometry.jacobian import Jacobian


def singular_values(jacobian: Jacobian) -> Tensor:
    """All singular values of J, from its columns, or from its rows if the image is the smaller one.

    Args:
        jacobian: Jacobian at latents so few that n x latent size x image size fits into memory.

    Returns:
        ``(n, latent size)``, float64, descending: where the image is smaller than the latent, the last ones are 0.
        NaN where a derivative is not finite.
    """
    by_rows = jacobian.image_size < jacobian.latent_size
    parts = jacobian.rows() if by_rows else jacobian.columns()
    matrices = torch.cat([part.flatten(2) for part in parts]).transpose(0, 1)  # (n, rows or columns, the other)
    found = torch.stack([guarded_svdvals(matrix) for matrix in matrices])  # one float64 copy at a time
    return torch.nn.functional.pad(found, (0, jacobian.latent_size - found.shape[1]))


def guarded_svdvals(matrices: Tensor) -> Tensor:
    """Singular values in float64, descending; NaN for matrices with values that are not finite."""
    good = matrices.isfinite().all(dim=-1).all(dim=-1)
    values = torch.linalg.svdvals(torch.where(good[..., None, None], matrices, 0).double())
    return torch.where(good[..., None], values, math.nan)


def relative_rounding(jacobian: Jacobian) -> float:
    """The share of the largest singular value below which rounding hides singular values.

    Rounding adds to J a matrix E with entries of about eps rms(J), independent as it were, whose largest singular
    value is about eps sqrt(max(rows, columns)) rms(J) <= eps sigma_1 sqrt(max(rows, columns)). (NumPy's
    `matrix_rank` takes the same without the root, the worst case, which large images would make useless. The 8 is for
    small ones.)

    Returns:
        A number far below 1.
    """
    eps = torch.finfo(jacobian.latents.dtype).eps
    return float(eps * (8 + math.sqrt(max(jacobian.latent_size, jacobian.image_size))))


def log_singular(values: Tensor, rounding: float) -> Tensor:
    """Logarithms of singular values; -inf below the rounding, since that of noise would be an invented number.

    Args:
        values: ``(n, k)``, the largest first.
        rounding: See `relative_rounding`.

    Returns:
        ``(n, k)``.
    """
    return torch.where(values < rounding * values[:, :1], 0, values).log()
