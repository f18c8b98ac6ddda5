"""`measure_distortion`: the distortion of a batch, by any method, with checks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from privaudit.decoder_geometry.distortion.method import DISTORTIONS, Distortion, Method
from privaudit.decoder_geometry.jacobian import Decode, Jacobian
from privaudit.model.target import require_finite

DEFAULT_METHOD = "exact"
"""Default method of `measure_distortion`."""


def measure_distortion(
    decode: Decode,
    latents: Tensor,
    sample_ids: Sequence[str],
    method: Method | str = DEFAULT_METHOD,
    *,
    seed: int = 0,
    channel_axis: int = 1,
) -> Distortion:
    """Measure the local distortion of the decoder around each latent.

    log sqrt(det G(z)) = sum_i log sigma_i(J_D(z))   (Rao, Qu, Moyer 2026, arXiv:2511.20592)

    Args:
        decode: The decoder, in eval mode.
        latents: ``(n, *latent)``, in the denoiser's scaled units.
        sample_ids: One id per image.
        method: A method, or its specification (see `privaudit.decoder_geometry.DISTORTIONS`).
        seed: Seed of the audit.
        channel_axis: Channel axis of the latents, with the batch as axis 0.

    Returns:
        Values, standard errors, costs, and a phrase that says what the values leave out.

    Raises:
        ConfigError: The method does not exist or its parameters are wrong.
        NonFiniteError: A derivative is NaN or infinite; names the sample ids. -inf is no error: J_D is singular there.
    """
    chosen = DISTORTIONS.build(method) if isinstance(method, str) else method
    distortion = chosen.compute(Jacobian(decode, latents, channel_axis), sample_ids, seed)
    lowest = torch.finfo(distortion.values.dtype).min  # replaces -inf, which is allowed; NaN and +inf are not
    require_finite(distortion.values.clamp_min(lowest).unsqueeze(1), "derivative of the decoder", sample_ids)
    return distortion
