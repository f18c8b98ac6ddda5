"""Golub-Kahan bidiagonalisation from matrix-vector products, for many starting vectors at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Bidiagonal:
    """The upper bidiagonal matrix B of J V = U B, one per starting vector; B^T B is the Lanczos matrix of J^T J.

    Attributes:
        diagonal: Main diagonal, ``(k, n, steps)``, float64, >= 0.
        above: Superdiagonal, ``(k, n, steps - 1)``, float64, >= 0. Where J has no further directions, the remaining
            entries of both are 0.
        products: Number of products with J and J^T, without those with zero vectors, ``(k, n)``, int64.
    """

    diagonal: Tensor
    above: Tensor
    products: Tensor


def bidiagonalise(
    jvp: Callable[[Tensor], Tensor], vjp: Callable[[Tensor], Tensor], starts: Tensor, steps: int, rounding: float
) -> Bidiagonal:
    """Bidiagonalise J from the right   (Golub, Kahan 1965, doi:10.1137/0702016).

    v_1 is the starting vector; alpha_j u_j = J v_j - beta_j-1 u_j-1, beta_j v_j+1 = J^T u_j - alpha_j v_j, with u and v
    of unit length. Every new v is orthogonalised against all earlier ones, twice: with the recurrence alone, rounding
    reintroduces copies of the largest singular values. Orthogonalising on the latent side is enough (Simon, Zha 2000,
    doi:10.1137/S1064827597327309), so only the last u is kept.

    Args:
        jvp: Computes J v, ``(k, n, *latent)`` to ``(k, n, *image)``.
        vjp: Computes J^T u, ``(k, n, *image)`` to ``(k, n, *latent)``.
        starts: Starting vectors of unit length, ``(k, n, *latent)``.
        steps: Rows of B; at most the latent size.
        rounding: Entries of B below this fraction of the largest are rounding: J has no further directions.

    Returns:
        The bidiagonal matrices.
    """
    vectors, images = [starts.flatten(2)], list[Tensor]()
    scale = starts.new_zeros(starts.shape[:2], dtype=torch.float64)  # largest entry of B so far, at most sigma_1
    diagonal, above, products = [], [], torch.zeros_like(scale, dtype=torch.int64)
    for step in range(steps):
        products += vectors[-1].any(dim=-1)  # a zero vector marks an exhausted start
        pushed = jvp(vectors[-1].view_as(starts))
        alpha, unit = _next_vector(pushed.flatten(2), images, rounding * scale)
        images = [unit]
        diagonal.append(alpha)
        scale = torch.maximum(scale, alpha)
        if step + 1 < steps:
            products += unit.any(dim=-1)
            beta, unit = _next_vector(vjp(unit.view_as(pushed)).flatten(2), vectors, rounding * scale)
            vectors.append(unit)
            above.append(beta)
            scale = torch.maximum(scale, beta)
    empty = scale.new_empty(*scale.shape, 0)
    return Bidiagonal(torch.stack(diagonal, -1), torch.stack(above, -1) if above else empty, products)


def log_quadrature(bidiagonal: Bidiagonal, floor: float) -> Tensor:
    """v^T log(G^1/2) v by Gauss quadrature: sum_k tau_k^2 log theta_k   (Golub, Meurant 2010, ISBN 9780691143415).

    theta_k are the singular values of B, tau_k the first entries of its right singular vectors.

    Args:
        bidiagonal: B for each starting vector v.
        floor: Singular values below this fraction of the largest count as this fraction of the largest.

    Returns:
        ``(k, n)``, float64; -inf where J v = 0, NaN where B is not finite.
    """
    matrix = torch.diag_embed(bidiagonal.diagonal) + torch.diag_embed(bidiagonal.above, offset=1)
    is_finite = matrix.isfinite().all(dim=-1).all(dim=-1)
    _, nodes, right = torch.linalg.svd(torch.where(is_finite[..., None, None], matrix, 0))  # svd fails on NaN
    weights = right[..., 0].square()
    logs = nodes.clamp_min(floor * nodes[..., :1]).log()
    form = torch.where(weights > 0, weights * logs, 0).sum(dim=-1)  # 0 log 0 = 0
    return torch.where(is_finite, form, math.nan)


def _next_vector(vectors: Tensor, basis: list[Tensor], min_length: Tensor) -> tuple[Tensor, Tensor]:
    """Length and direction of the component orthogonal to the basis; both 0 if it is not longer than ``min_length``."""
    if basis:
        earlier = torch.stack(basis)
        for _ in range(2):  # once leaves a rounding error, twice is enough
            along = torch.einsum("jknm,knm->jkn", earlier, vectors)
            vectors = vectors - torch.einsum("jkn,jknm->knm", along, earlier)
    length = torch.linalg.vector_norm(vectors, dim=-1, dtype=torch.float64)
    length = torch.where(length <= min_length, 0, length)
    units = torch.where(length[..., None] > 0, vectors / length[..., None], 0)
    return length, units.to(vectors.dtype)
