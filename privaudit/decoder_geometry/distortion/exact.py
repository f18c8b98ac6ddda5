"""The exact distortion, from the dense Jacobian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from privaudit.decoder_geometry.distortion.method import Distortion, Method, register
from privaudit.decoder_geometry.distortion.singular import log_singular, relative_rounding, singular_values
from privaudit.decoder_geometry.jacobian import Jacobian


@register
@dataclass(frozen=True)
class Exact(Method):
    """sum_i log sigma_i(J), from all columns of J (or rows, if the image is smaller than the latent).

    Only for small latents: J of all images of a batch is in memory at once. -inf where J does not have full column
    rank: the image is smaller than the latent, or a singular value is too small to tell from rounding (see
    `relative_rounding`).
    """

    name: ClassVar[str] = "exact"
    citation: ClassVar[str] = "Rao, Qu, Moyer, CVPR 2026, arXiv:2511.20592"
    summary: ClassVar[str] = "all singular values of the dense J: one product per latent dimension; for small latents"

    def compute(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Distortion:
        """Compute the distortion (see `Method.compute`)."""
        values = log_singular(singular_values(jacobian), relative_rounding(jacobian)).sum(dim=1)
        products = min(jacobian.latent_size, jacobian.image_size)
        return Distortion(
            values,
            torch.zeros_like(values),
            torch.full((len(values),), products, device=values.device),
            left_out="nothing",
        )
