"""Singular values of J, and which of them can be told from zero despite rounding."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from privaudit.decoder_geometry.jacobian import Jacobian


def singular_values(jacobian: Jacobian) -> Tensor:
    """Compute all singular values of J, from its columns, or from its rows if the image is smaller than the latent.

    Args:
        jacobian: Jacobian at few enough latents that n x latent size x image size values fit into memory.

    Returns:
        ``(n, latent size)``, float64, descending; the last ones are 0 if the image is smaller than the latent. NaN
        where a derivative is not finite.
    """
    by_rows = jacobian.image_size < jacobian.latent_size
    parts = jacobian.rows() if by_rows else jacobian.columns()
    matrices = torch.cat([part.flatten(2) for part in parts]).transpose(
        0, 1
    )  # (n, columns, image) or (n, rows, latent)
    values = torch.stack([guarded_svdvals(matrix) for matrix in matrices])  # one float64 copy at a time
    return torch.nn.functional.pad(values, (0, jacobian.latent_size - values.shape[1]))


def guarded_svdvals(matrices: Tensor) -> Tensor:
    """Compute singular values in float64, descending; NaN for matrices with values that are not finite."""
    is_finite = matrices.isfinite().all(dim=-1).all(dim=-1)
    values = torch.linalg.svdvals(torch.where(is_finite[..., None, None], matrices, 0).double())
    return torch.where(is_finite[..., None], values, math.nan)


def relative_rounding(jacobian: Jacobian) -> float:
    """Fraction of the largest singular value below which singular values are lost in rounding.

    Rounding adds to J a matrix E with nearly independent entries of about eps rms(J). Its largest singular value is
    about eps sqrt(max(rows, columns)) rms(J) <= eps sigma_1 sqrt(max(rows, columns)). (NumPy's `matrix_rank` uses the
    worst case, which has no square root and would be useless for large images. The 8 is a margin for small ones.)

    Returns:
        A number far below 1.
    """
    eps = torch.finfo(jacobian.latents.dtype).eps
    return float(eps * (8 + math.sqrt(max(jacobian.latent_size, jacobian.image_size))))


def log_singular(values: Tensor, rounding: float) -> Tensor:
    """Compute logarithms of singular values; -inf below the rounding, where the logarithm would be that of noise.

    Args:
        values: Singular values, ``(n, k)``, descending.
        rounding: Fraction of the largest that counts as zero (see `relative_rounding`).

    Returns:
        ``(n, k)``.
    """
    return torch.where(values < rounding * values[:, :1], 0, values).log()
