"""The dominant directions of J exactly, the rest from random probes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.decoder_geometry.influence.estimator import Estimator, Influence, register
from privaudit.decoder_geometry.influence.probes import MAX_PROBES_AT_ONCE, Probes
from privaudit.decoder_geometry.jacobian import Jacobian
from privaudit.model.noise import generator_for


@register
@dataclass(frozen=True)
class Deflated(Estimator):
    """With U an orthonormal basis of J W, W random: G_ii = ||U^T J e_i||^2 + E_v[(J^T (I - U U^T) v)_i^2].

    The first term is exact (J^T u for each column u). The second is Hutchinson's estimate for the complement of U. So
    the estimate is unbiased, with a relative standard error of sqrt(2 / probes) in the second term alone. This helps
    if a few singular values of J carry most of the energy, which is not the case for the decoders that we measured.

    Attributes:
        rank: Number of columns of U; each costs one product with J and one with J^T.
        probes: Random cotangents per image for the complement of U.
    """

    name: ClassVar[str] = "deflated"
    citation: ClassVar[str] = "in the manner of Hutch++, Meyer, Musco, Musco, Woodruff 2021, arXiv:2010.09649"
    summary: ClassVar[str] = "a low-rank part of J exactly, random probes for the rest: unbiased"
    rank: int = 8
    probes: int = 8

    @property
    def memory(self) -> float:
        """Several copies of the basis are held in image space."""
        return 4.0 + self.rank / 16

    def problems(self) -> list[str]:
        """Require a rank and a number of probes of at least 1."""
        return self.at_least(1, "rank", "probes")

    def estimate(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Influence:
        """Estimate the diagonal of G (see `Estimator.estimate`)."""
        rank = min(self.rank, jacobian.latent_size, jacobian.image_size)
        basis = _range_of(jacobian, rank, sample_ids, seed)
        captured = jacobian.vjp(basis).square().sum(dim=0)
        probes, rest = Probes(sample_ids, seed), torch.zeros_like(jacobian.latents)
        for start in range(0, self.probes, MAX_PROBES_AT_ONCE):
            vectors = probes.draw(min(MAX_PROBES_AT_ONCE, self.probes - start), jacobian)
            # project the probes onto the complement of U: v - U U^T v
            inside = torch.einsum("rnp,knp->rkn", basis.flatten(2), vectors.flatten(2))
            vectors -= torch.einsum("rnp,rkn->knp", basis.flatten(2), inside).view_as(vectors)
            rest += jacobian.vjp(vectors).square().sum(dim=0) / self.probes
        products = torch.full((len(rest),), 2 * rank + self.probes)
        return Influence(captured + rest, rest * math.sqrt(2 / self.probes), products)


def _range_of(jacobian: Jacobian, rank: int, sample_ids: Sequence[str], seed: int) -> Tensor:
    """Orthonormal basis of the range of J W for a random W, ``(rank, n, *image)``."""
    latents = jacobian.latents
    drawn = [
        torch.randn(
            rank,
            *latents.shape[1:],
            generator=generator_for(seed, key, "deflation"),
            dtype=torch.float32,
            device="cpu",
        )
        for key in sample_ids
    ]
    images = jacobian.jvp(torch.stack(drawn, dim=1).to(latents))
    columns = images.flatten(2).permute(1, 2, 0)
    basis: Tensor = torch.linalg.qr(columns)[0].permute(2, 0, 1).reshape(images.shape)
    return basis
