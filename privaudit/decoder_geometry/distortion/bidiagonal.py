"""Golub-Kahan bidiagonalisation of a matrix from products alone, for many vectors at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Bidiagonal:
    """The upper bidiagonal B of J V = U B, one for each start; B^T B is the Lanczos matrix of J^T J.

    Attributes:
        diagonal: ``(k, n, steps)``, float64, >= 0.
        above: The diagonal above it, ``(k, n, steps - 1)``, float64, >= 0. Where J has no further directions, the
            rest of both is 0.
        products: With J and J^T that were of use, ``(k, n)``, int64.
    """

    diagonal: Tensor
    above: Tensor
    products: Tensor


def bidiagonalise(
    jvp: Callable[[Tensor], Tensor], vjp: Callable[[Tensor], Tensor], starts: Tensor, steps: int, rounding: float
) -> Bidiagonal:
    """Bidiagonalise J from the right   (Golub, Kahan 1965, doi:10.1137/0702016).

    v_1 is the start; alpha_j u_j = J v_j - beta_j-1 u_j-1, beta_j v_j+1 = J^T u_j - alpha_j v_j, with u and v of unit
    length. Every new v is made orthogonal to all before, twice: with the two terms above alone, rounding brings the
    largest singular values back in as copies. Doing so on the side of the latents is enough (Simon, Zha 2000,
    doi:10.1137/S1064827597327309), so no u but the last is held.

    Args:
        jvp: v to J v, ``(k, n, *latent)`` to ``(k, n, *image)``.
        vjp: u to J^T u.
        starts: ``(k, n, *latent)``, of unit length.
        steps: Rows of B; at most the latent size.
        rounding: Entries of B below this share of the largest are rounding: J has no further directions.

    Returns:
        The bidiagonal matrices.
    """
    vectors, images = [starts.flatten(2)], list[Tensor]()
    scale = starts.new_zeros(starts.shape[:2], dtype=torch.float64)  # largest entry of B so far, at most sigma_1
    diagonal, above, products = [], [], torch.zeros_like(scale, dtype=torch.int64)
    for step in range(steps):
        products += vectors[-1].any(dim=-1)
        pushed = jvp(vectors[-1].view_as(starts))
        alpha, unit = _next(pushed.flatten(2), images, rounding * scale)
        images = [unit]
        diagonal.append(alpha)
        scale = torch.maximum(scale, alpha)
        if step + 1 < steps:
            products += unit.any(dim=-1)
            beta, unit = _next(vjp(unit.view_as(pushed)).flatten(2), vectors, rounding * scale)
            vectors.append(unit)
            above.append(beta)
            scale = torch.maximum(scale, beta)
    empty = scale.new_empty(*scale.shape, 0)
    return Bidiagonal(torch.stack(diagonal, -1), torch.stack(above, -1) if above else empty, products)


def log_quadrature(band: Bidiagonal, floor: float) -> Tensor:
    """v^T log(G^1/2) v by Gauss quadrature: sum_k tau_k^2 log theta_k   (Golub, Meurant 2010, ISBN 9780691143415).

    theta_k are the singular values of B, tau_k the first entries of its right singular vectors.

    Returns:
        ``(k, n)``, float64; -inf where J v = 0, NaN where B is not finite.
    """
    matrix = torch.diag_embed(band.diagonal) + torch.diag_embed(band.above, offset=1)
    good = matrix.isfinite().all(dim=-1).all(dim=-1)
    _, nodes, right = torch.linalg.svd(torch.where(good[..., None, None], matrix, 0))
    weights = right[..., 0].square()
    logs = nodes.clamp_min(floor * nodes[..., :1]).log()
    form = torch.where(weights > 0, weights * logs, 0).sum(dim=-1)  # 0 log 0 = 0
    return torch.where(good, form, math.nan)


def _next(vectors: Tensor, basis: list[Tensor], least: Tensor) -> tuple[Tensor, Tensor]:
    """Length and direction of what is orthogonal to the basis; both 0 where not above the least length."""
    if basis:
        known = torch.stack(basis)
        for _ in range(2):
            vectors = vectors - torch.einsum("jkn,jknm->knm", torch.einsum("jknm,knm->jkn", known, vectors), known)
    length = torch.linalg.vector_norm(vectors, dim=-1, dtype=torch.float64)
    length = torch.where(length <= least, 0, length)
    units = torch.where(length[..., None] > 0, vectors / length[..., None], 0)
    return length, units.to(vectors.dtype)
