"""Converts the output of a denoiser to a noise prediction, for each prediction type."""

from __future__ import annotations

from torch import Tensor

from privaudit.errors import TargetError

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
"""Prediction types of diffusion models."""
FLOW = "flow"
"""Prediction type of flow models, the velocity."""


def noise_from_output(
    prediction_type: str, output: Tensor, noisy: Tensor, alpha: float | Tensor, sigma: float | Tensor
) -> Tensor:
    """Turn the output of a network into the noise that it implies in z_t = alpha z_0 + sigma eps.

    epsilon: out.   v = alpha eps - sigma z_0 (Salimans & Ho 2022, arXiv:2202.00512): sigma z_t + alpha out.
    sample: (z_t - alpha out) / sigma, ill-conditioned as sigma goes to 0.
    flow: out = eps - z_0 in z = (1 - sigma) z_0 + sigma eps (Esser et al. 2024, arXiv:2403.03206): z + alpha out.

    Args:
        prediction_type: One of `PREDICTION_TYPES`, or `FLOW`.
        output: Output of the network.
        noisy: z_t, same shape.
        alpha: Signal scale: one for all images, or one per image, followed by axes of length 1.
        sigma: Noise scale, in the same form.

    Returns:
        The predicted noise, same shape.

    Raises:
        TargetError: The prediction type is unknown.
    """
    if prediction_type == "epsilon":
        return output
    if prediction_type == "v_prediction":
        # v = a e - s x, z = a x + s e, a^2 + s^2 = 1  =>  s z + a v = s a x + s^2 e + a^2 e - a s x = e
        return sigma * noisy + alpha * output
    if prediction_type == "sample":
        return (noisy - alpha * output) / sigma
    if prediction_type == FLOW:
        # z = (1 - s) x + s e, out = e - x, alpha = 1 - s  =>  z + (1 - s) out = e
        return noisy + alpha * output
    raise TargetError(f"expected a prediction type of {', '.join((*PREDICTION_TYPES, FLOW))}, got {prediction_type}")
