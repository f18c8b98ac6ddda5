"""Mixing of the latent channels that makes their effects on the image about equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from privaudit.decoder_geometry.influence.probes import MAX_PROBES_AT_ONCE, Probes
from privaudit.decoder_geometry.jacobian import Jacobian

MIN_SAMPLES_PER_CHANNEL = 4
"""Minimum number of samples per channel for a covariance of channels that is worth inverting."""


@dataclass(frozen=True)
class Whitening:
    """S = C^(-1/2) at every position, where C is the mean over positions of the channel blocks of G.

    A decoder treats all positions alike, but not all channels: some combinations of channels carry the image, others
    hardly affect it. In J S they are about equal. The choice of S affects only the speed and accuracy of
    log det (S G S), not its meaning.

    Attributes:
        matrices: S, ``(n, channels, channels)``, symmetric and positive definite.
        log_det: Log determinant of S over the whole latent, positions x log det C^(-1/2), ``(n,)``, float64.
        axis: Channel axis of ``(n, *latent)``.
    """

    matrices: Tensor
    log_det: Tensor
    axis: int

    def apply(self, vectors: Tensor) -> Tensor:
        """Return S v for vectors ``(k, n, *latent)``."""
        channels_last = vectors.movedim(self.axis + 1, -1)
        # (k, n, positions, channels); a latent without position axes has one position
        rows = channels_last.flatten(2, -2) if channels_last.ndim > 3 else channels_last.unsqueeze(2)
        return (rows @ self.matrices).view(channels_last.shape).movedim(-1, self.axis + 1)


def measure_whitening(jacobian: Jacobian, probes: int, floor: float, sample_ids: Sequence[str], seed: int) -> Whitening:
    """Estimate C = E_v[mean over positions p of (J^T v)_p (J^T v)_p^T] from normal probes v in image space.

    Args:
        jacobian: Jacobian at the latents of a batch.
        probes: Products with J^T per image. If they give too few samples for the number of channels, S is I.
        floor: Combinations of channels with an effect below this fraction of the largest are not scaled: S would only
            amplify their rounding.
        sample_ids: One id per image.
        seed: Seed of the audit.

    Returns:
        The whitening; S is I where a derivative is not finite.
    """
    axis, count = jacobian.channel_axis, len(jacobian)
    channels = jacobian.latents.shape[axis]
    positions = jacobian.latent_size // channels
    covariance = jacobian.latents.new_zeros(count, channels, channels, dtype=torch.float64)
    stream = Probes(sample_ids, seed)
    for start in range(0, probes, MAX_PROBES_AT_ONCE):
        pulled = jacobian.vjp(stream.draw(min(MAX_PROBES_AT_ONCE, probes - start), jacobian))
        samples = pulled.movedim(axis + 1, 2).flatten(3) if pulled.ndim > 3 else pulled.unsqueeze(3)
        covariance += torch.einsum("kncp,kndp->ncd", samples.double(), samples.double())
    covariance /= max(1, probes * positions)
    usable = covariance.isfinite().all(dim=-1).all(dim=-1) & (probes * positions >= MIN_SAMPLES_PER_CHANNEL * channels)
    identity = torch.eye(channels, dtype=torch.float64, device=covariance.device)
    values, vectors = torch.linalg.eigh(torch.where(usable[:, None, None], covariance, identity))
    largest = values[:, -1:].clamp_min(torch.finfo(torch.float32).tiny)
    # squared, since eigenvalues of C are squared effects
    scales = torch.where(values < floor**2 * largest, largest, values).rsqrt()
    matrices = vectors * scales[:, None] @ vectors.transpose(1, 2)
    return Whitening(matrices.to(jacobian.latents.dtype), positions * scales.log().sum(dim=1), axis)
