"""`estimate_influence`: the influence of a batch, by any estimator, checked."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from privaudit.geometry.influence.estimator import Estimator, Influence, make_estimator
from privaudit.geometry.jacobian import Decode, Jacobian
from privaudit.target import require_finite

DEFAULT = "separable"
"""Estimator of `privaudit scan`."""


def estimate_influence(
    decode: Decode,
    latents: Tensor,
    sample_ids: Sequence[str],
    estimator: Estimator | str = DEFAULT,
    *,
    seed: int = 0,
    channel_axis: int = 1,
) -> Influence:
    """Per-dimension influence of the latent on the decoded image.

    Infl_i(z) = ||dD/dz_i||^2 = G_ii(z)   (Rao, Qu, Moyer 2026, arXiv:2511.20592)

    Args:
        decode: The decoder, in eval mode.
        latents: ``(n, *latent)``, in the denoiser's scaled units.
        sample_ids: One id an image.
        estimator: See `ESTIMATORS`; a specification (`make_estimator`) or an estimator.
        seed: Of the audit.
        channel_axis: Of the latents, with the batch as axis 0.

    Returns:
        Values, standard errors and costs.

    Raises:
        ConfigError: The estimator does not exist or its parameters are wrong.
        NonFiniteError: A derivative is NaN or infinite; names the sample ids.
    """
    chosen = make_estimator(estimator) if isinstance(estimator, str) else estimator
    found = chosen.estimate(Jacobian(decode, latents, channel_axis), sample_ids, seed)
    require_finite(found.values, "derivative of the decoder", sample_ids)
    return found
