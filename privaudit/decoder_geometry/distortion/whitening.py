"""A mixing of latent channels after which all show about equally in the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from privaudit.decoder_geometry.influence.probes import TOGETHER, Probes
from privaudit.decoder_geometry.jacobian import Jacobian

LEAST_SAMPLES = 4
"""Samples a channel from which a covariance of channels is worth inverting."""


@dataclass(frozen=True)
class Whitening:
    """S = C^(-1/2) at every position, with C the mean of the channel blocks of G over positions.

    A decoder treats positions alike and channels not: some combinations of channels carry the image, some hardly
    show. In J S they are about equal. What S is matters only for how fast and how well log det (S G S) is found.

    Attributes:
        matrices: S, ``(n, channels, channels)``, symmetric, positive definite.
        log_det: Log determinant of S over the whole latent, positions x log det C^(-1/2), ``(n,)``, float64.
        axis: Channel axis of ``(n, *latent)``.
    """

    matrices: Tensor
    log_det: Tensor
    axis: int

    def apply(self, vectors: Tensor) -> Tensor:
        """S v for ``(k, n, *latent)``."""
        last = vectors.movedim(self.axis + 1, -1)
        mixed = (last.flatten(2, -2) if last.ndim > 3 else last.unsqueeze(2)) @ self.matrices
        return mixed.view(last.shape).movedim(-1, self.axis + 1)


def measure_whitening(jacobian: Jacobian, probes: int, floor: float, sample_ids: Sequence[str], seed: int) -> Whitening:
    """Measure C = E_v[mean over positions p of (J^T v)_p (J^T v)_p^T], v normal in image space.

    Args:
        jacobian: Jacobian at the latents of a batch.
        probes: Products with J^T an image. Where they give too few samples for the channels, S is I.
        floor: Combinations of channels that show less than this share of the one that shows most are left as they
            are: S would only blow up their rounding.
        sample_ids: One id per image.
        seed: Seed of the audit.

    Returns:
        The mixing; I where a derivative is not finite.
    """
    axis, count = jacobian.channel_axis, len(jacobian)
    channels = jacobian.latents.shape[axis]
    positions = jacobian.latent_size // channels
    covariance = jacobian.latents.new_zeros(count, channels, channels, dtype=torch.float64)
    stream = Probes(sample_ids, seed)
    for start in range(0, probes, TOGETHER):
        pulled = jacobian.vjp(stream.draw(min(TOGETHER, probes - start), jacobian))
        samples = pulled.movedim(axis + 1, 2).flatten(3) if pulled.ndim > 3 else pulled.unsqueeze(3)
        covariance += torch.einsum("kncp,kndp->ncd", samples.double(), samples.double())
    covariance /= max(1, probes * positions)
    usable = covariance.isfinite().all(dim=-1).all(dim=-1) & (probes * positions >= LEAST_SAMPLES * channels)
    identity = torch.eye(channels, dtype=torch.float64, device=covariance.device)
    values, vectors = torch.linalg.eigh(torch.where(usable[:, None, None], covariance, identity))
    largest = values[:, -1:].clamp_min(torch.finfo(torch.float32).tiny)
    scales = torch.where(values < floor**2 * largest, largest, values).rsqrt()
    matrices = vectors * scales[:, None] @ vectors.transpose(1, 2)
    return Whitening(matrices.to(jacobian.latents.dtype), positions * scales.log().sum(dim=1), axis)
