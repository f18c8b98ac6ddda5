"""The exact influence, from all columns or rows of J."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from privaudit.decoder_geometry.influence.estimator import Estimator, Influence, register
from privaudit.decoder_geometry.jacobian import Jacobian


@register
@dataclass(frozen=True)
class Exact(Estimator):
    """G_ii = ||J e_i||^2 by forward mode, or sum_k (J^T e_k)_i^2 by reverse mode if the image is smaller.

    Attributes:
        chunk: Pairs of image and column (or row) in memory at once.
    """

    name: ClassVar[str] = "exact"
    citation: ClassVar[str] = "Rao, Qu, Moyer, CVPR 2026, arXiv:2511.20592"
    summary: ClassVar[str] = "every column of J: one product per latent dimension (or image value, if fewer)"
    chunk: int = 256

    @property
    def memory(self) -> float:
        """The traced linear map takes several times the memory of a pass."""
        return 12.0

    def problems(self) -> list[str]:
        """Require a chunk of at least 1."""
        return self.at_least(1, "chunk")

    def estimate(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Influence:
        """Compute the diagonal of G (see `Estimator.estimate`)."""
        latents = jacobian.latents
        if jacobian.image_size < jacobian.latent_size:
            products = jacobian.image_size
            values = torch.zeros_like(latents)
            for rows in jacobian.rows(self.chunk):
                values += rows.square().sum(dim=0)
        else:
            products = jacobian.latent_size
            squares = [part.flatten(2).square().sum(dim=2) for part in jacobian.columns(self.chunk)]
            values = torch.cat(squares).T.reshape(latents.shape)
        return Influence(values, torch.zeros_like(values), torch.full((len(values),), products))
