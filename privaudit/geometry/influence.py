"""Per-dimension influence of the latent on the decoded image: the diagonal of the pullback metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from privaudit.errors import ConfigError
from privaudit.geometry.jacobian import Decode, columns, pull_back
from privaudit.noise import generator_for
from privaudit.target import require_finite


def exact_influence(decode: Decode, latents: Tensor, sample_ids: Sequence[str], *, chunk: int = 256) -> Tensor:
    """Infl_i(z) = ||dD/dz_i||^2 = G_ii(z), column by column   (Rao, Qu, Moyer 2026, arXiv:2511.20592).

    Costs one forward-mode decoder pass an image and latent dimension: for small latents.

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``, in the denoiser's scaled units.
        sample_ids: One id an image, for messages.
        chunk: Pairs of image and dimension in one decoder pass.

    Returns:
        ``(n, *latent)``, >= 0.

    Raises:
        NonFiniteError: A derivative is NaN or infinite; names the sample ids.
    """
    squares = [part.flatten(2).square().sum(dim=2) for part in columns(decode, latents, chunk)]
    influence = torch.cat(squares).T.reshape(latents.shape)
    return require_finite(influence, "derivative of the decoder", sample_ids)


def stochastic_influence(
    decode: Decode, latents: Tensor, sample_ids: Sequence[str], *, probes: int, seed: int = 0, smooth: bool = False
) -> Tensor:
    """Infl_i(z) = E_v[(J_D(z)^T v)_i^2], v ~ N(0, I) in image space   (Rao, Qu, Moyer 2026, arXiv:2511.20592).

    Unbiased: E[(J^T v)_i^2] = sum_k J_ki^2 = G_ii, with relative standard error sqrt(2 / probes).
    Differs from the paper: probes belong to the image (seed and id), images are batched, and ``smooth``
    averages each value with its latent neighbours, which trades a little bias for as much variance as
    four times the probes would remove.

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``, in the denoiser's scaled units.
        sample_ids: One id an image.
        probes: Random cotangents an image.
        seed: Of the audit.
        smooth: Average over neighbours (see `smooth_over_neighbours`).

    Returns:
        ``(n, *latent)``, >= 0.

    Raises:
        ConfigError: ``probes`` is less than 1.
        NonFiniteError: A derivative is NaN or infinite; names the sample ids.
    """
    if probes < 1:
        raise ConfigError([f"expected probes >= 1, got {probes}"])
    generators = [generator_for(seed, key, "probe") for key in sample_ids]

    def cotangents(shape: torch.Size) -> Iterator[Tensor]:
        for _ in range(probes):
            yield torch.stack([
                torch.randn(shape[1:], generator=generator, dtype=torch.float32, device="cpu")
                for generator in generators
            ])

    total = torch.zeros_like(latents)
    for product in pull_back(decode, latents, cotangents):
        total += product.square()
    influence = require_finite(total / probes, "derivative of the decoder", sample_ids)
    return smooth_over_neighbours(influence) if smooth else influence


def smooth_over_neighbours(influence: Tensor) -> Tensor:
    """Average each value with its neighbours at distance one, within its channel.

    The influence of neighbouring latent positions is alike, because the decoder is convolutional.

    Args:
        influence: ``(n, channels, *axes)`` with one to three axes (audio, image, video).

    Returns:
        Same shape; at the border only the neighbours that exist are averaged.

    Raises:
        ConfigError: The latent has no axes to smooth over.
    """
    pools = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
    pool = pools.get(influence.ndim - 2)
    if pool is None:
        raise ConfigError([
            f"expected latents with one to three axes to smooth over, got shape {tuple(influence.shape)}"
        ])
    ones = pool(torch.ones_like(influence), 3, 1, 1)  # zero padding counts in the divisor: divide it out
    smoothed: Tensor = pool(influence, 3, 1, 1) / ones
    return smoothed
