"""`measure_distortion`: the distortion of a batch, by any method, checked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from privaudit.decoder_geometry.distortion.method import DISTORTIONS, Distortion, Method
from privaudit.decoder_geometry.jacobian import Decode, Jacobian
from privaudit.model.target import require_finite

DEFAULT = "exact"
"""Method of `measure_distortion`."""


def measure_distortion(
    decode: Decode,
    latents: Tensor,
    sample_ids: Sequence[str],
    method: Method | str = DEFAULT,
    *,
    seed: int = 0,
    channel_axis: int = 1,
) -> Distortion:
    """Local distortion of the decoder around each latent.

    log sqrt(det G(z)) = sum_i log sigma_i(J_D(z))   (Rao, Qu, Moyer 2026, arXiv:2511.20592)

    Args:
        decode: The decoder, in eval mode.
        latents: ``(n, *latent)``, in the denoiser's scaled units.
        sample_ids: One id per image.
        method: See `DISTORTIONS`; a specification (`privaudit.decoder_geometry.DISTORTIONS`) or a method.
        seed: Seed of the audit.
        channel_axis: Channel axis of the latents, with the batch as axis 0.

    Returns:
        Values, standard errors, costs, and what the values leave out.

    Raises:
        ConfigError: The method does not exist or its parameters are wrong.
        NonFiniteError: A derivative is NaN or infinite; names the sample ids. -inf is no error: J_D is singular there.
    """
    chosen = DISTORTIONS.build(method) if isinstance(method, str) else method
    found = chosen.compute(Jacobian(decode, latents, channel_axis), sample_ids, seed)
    least = torch.finfo(found.values.dtype).min  # in place of -inf; NaN and +inf stay what they are
    require_finite(found.values.clamp_min(least).unsqueeze(1), "derivative of the decoder", sample_ids)
    return found
