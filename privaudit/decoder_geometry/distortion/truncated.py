"""The distortion along the directions with the largest singular values, by randomised subspace iteration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.decoder_geometry.distortion.method import Distortion, Method, register
from privaudit.decoder_geometry.distortion.singular import (
    guarded_svdvals,
    log_singular,
    relative_rounding,
    singular_values,
)
from privaudit.decoder_geometry.jacobian import Jacobian
from privaudit.model.noise import generator_for


@register
@dataclass(frozen=True)
class Truncated(Method):
    """sum_i log sigma_i(J) over the k largest singular values.

    Start from a random orthonormal P with l = k + oversampling columns in latent space, and alternate Q = orth(J P),
    P = orth(J^T Q), ``power`` + 1 times (Halko, Martinsson, Tropp 2011, arXiv:0909.4061, Algorithm 4.4, started on the
    latent side). The singular values of J^T Q are those of J restricted to the subspace, so they never exceed those of
    J, and each half step raises them. This takes 2 l (power + 1) products.

    Differs from the paper: if J has at most as many columns (or rows) as that number of products, all of them are
    computed, which costs no more and is exact. -inf where fewer than k singular values of J exceed rounding.

    The standard error is what the last half step, from J P to J^T Q, added. Further half steps would add less and less,
    so the remaining error is about as large.

    Attributes:
        k: Number of singular values.
        oversampling: Extra columns of the subspace.
        power: Number of power iterations.
    """

    name: ClassVar[str] = "truncated"
    citation: ClassVar[str] = "Rao, Qu, Moyer, CVPR 2026, arXiv:2511.20592; Halko et al. 2011, arXiv:0909.4061"
    summary: ClassVar[str] = "the k largest singular values, by randomised subspace iteration"
    k: int = 20
    oversampling: int = 30
    power: int = 2

    def problems(self) -> list[str]:
        """Require a positive k, and no negative oversampling or power."""
        return [*self.at_least(1, "k"), *self.at_least(0, "oversampling", "power")]

    def compute(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Distortion:
        """Compute the truncated distortion (see `Method.compute`)."""
        size, rounding = jacobian.latent_size, relative_rounding(jacobian)
        count = min(self.k, size)
        left_out = "nothing" if count == size else f"all but the {count} largest of {size} singular values"
        subspace = self.k + self.oversampling
        products, dense = 2 * subspace * (self.power + 1), min(size, jacobian.image_size)
        if dense <= products:  # always so if the subspace would be the whole space
            values = log_singular(singular_values(jacobian)[:, :count], rounding).sum(dim=1)
            products, error = dense, torch.zeros_like(values)
        else:
            previous, final = self._iterate(jacobian, _start(jacobian, subspace, sample_ids, seed))
            values = log_singular(final[:, :count], rounding).sum(dim=1)
            before = log_singular(previous[:, :count], rounding).sum(dim=1)
            error = (values - before).abs().nan_to_num(0)  # NaN where both are -inf
            left_out += ", and what a random subspace misses of these"
        return Distortion(values, error, torch.full((len(values),), products, device=values.device), left_out)

    def _iterate(self, jacobian: Jacobian, basis: Tensor) -> tuple[Tensor, Tensor]:
        """Singular values of J in the last two subspaces, ``(n, l)`` each, from a first ``basis``, ``(n, size, l)``."""
        for remaining in range(self.power, -1, -1):
            pushed = _columns(jacobian.jvp(_vectors(basis, jacobian.latents.shape)))
            images = torch.linalg.qr(pushed)[0]
            cotangents = _vectors(images, torch.Size([len(jacobian), *jacobian.image_shape]))
            pulled = _columns(jacobian.vjp(cotangents))
            if remaining:
                basis = torch.linalg.qr(pulled)[0]
        return guarded_svdvals(pushed), guarded_svdvals(pulled)


def _start(jacobian: Jacobian, count: int, sample_ids: Sequence[str], seed: int) -> Tensor:
    """Random orthonormal columns for each image, ``(n, size, count)``."""
    shape = (jacobian.latent_size, count)
    drawn = [
        torch.randn(shape, generator=generator_for(seed, key, "subspace"), dtype=torch.float32, device="cpu")
        for key in sample_ids
    ]
    basis: Tensor = torch.linalg.qr(torch.stack(drawn).to(jacobian.latents))[0]
    return basis


def _vectors(columns: Tensor, shape: torch.Size) -> Tensor:
    """Reshape ``(n, size, l)`` to ``(l, n, *shape)``."""
    return columns.permute(2, 0, 1).reshape(-1, *shape)


def _columns(vectors: Tensor) -> Tensor:
    """Reshape ``(l, n, ...)`` to ``(n, size, l)``."""
    return vectors.flatten(2).permute(1, 2, 0)
