"""`estimate_influence`: the influence of a batch, by any estimator, with checks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from privaudit.decoder_geometry.decoder_checks import check_decoder
from privaudit.decoder_geometry.influence.estimator import ESTIMATORS, Estimator, Influence
from privaudit.decoder_geometry.jacobian import DEFAULT_PAIRS_PER_PASS, Decode, Jacobian
from privaudit.model.target import require_finite

DEFAULT_ESTIMATOR = "separable"
"""Estimator that `privaudit scan` uses by default."""


def estimate_influence(
    decode: Decode,
    latents: Tensor,
    sample_ids: Sequence[str],
    estimator: Estimator | str = DEFAULT_ESTIMATOR,
    *,
    seed: int = 0,
    channel_axis: int = 1,
    at_once: int | None = None,
    check: bool = True,
) -> Influence:
    """Estimate the influence of each latent dimension on the decoded image.

    Infl_i(z) = ||dD/dz_i||^2 = G_ii(z)   (Rao, Qu, Moyer 2026, arXiv:2511.20592)

    Args:
        decode: The decoder, in eval mode.
        latents: ``(n, *latent)``, in the denoiser's scaled units.
        sample_ids: One id per image.
        estimator: An estimator, or its specification (see `privaudit.decoder_geometry.ESTIMATORS`).
        seed: Seed of the audit.
        channel_axis: Channel axis of the latents, with the batch as axis 0.
        at_once: Maximum pairs of image and vector per pass that fit into memory; by default only the device sets the
            number (`DEFAULT_PAIRS_PER_PASS`).
        check: Check the decoder first (`check_decoder`); in a long run, only the first batch needs it.

    Returns:
        Values, standard errors and costs; all empty without latents.

    Raises:
        ConfigError: The estimator does not exist or its parameters are wrong.
        DataError: The latents do not match their ids.
        TargetError: The decoder is not a differentiable function of each latent alone.
        NonFiniteError: A derivative is NaN or infinite; names the sample ids.
    """
    chosen = ESTIMATORS.build(estimator) if isinstance(estimator, str) else estimator
    if check:
        check_decoder(decode, latents, sample_ids)
    if not len(latents):
        return Influence(torch.zeros_like(latents), torch.zeros_like(latents), torch.zeros(0, dtype=torch.int64))
    pairs_per_pass = DEFAULT_PAIRS_PER_PASS.get(latents.device.type, 1)
    if at_once is not None:
        pairs_per_pass = min(pairs_per_pass, at_once)
    jacobian = Jacobian(decode, latents, channel_axis, pairs_per_pass)
    influence = chosen.estimate(jacobian, sample_ids, seed)
    require_finite(influence.values, "derivative of the decoder", sample_ids)
    return influence
