"""What a denoiser's output says about the noise, for each prediction type."""

from __future__ import annotations

from torch import Tensor

from privaudit.errors import TargetError

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


def noise_from_output(prediction_type: str, output: Tensor, noisy: Tensor, alpha: float, sigma: float) -> Tensor:
    """Turn a network's output into the noise it implies in z_t = alpha z_0 + sigma eps.

    epsilon: out.   v = alpha eps - sigma z_0 (Salimans & Ho 2022, arXiv:2202.00512): sigma z_t + alpha out.
    sample: (z_t - alpha out) / sigma, ill-conditioned as sigma goes to 0.

    Args:
        prediction_type: One of `PREDICTION_TYPES`.
        output: The network's output.
        noisy: z_t, same shape.
        alpha: Signal scale.
        sigma: Noise scale.

    Returns:
        The predicted noise, same shape.

    Raises:
        TargetError: The prediction type is not known.
    """
    if prediction_type == "epsilon":
        return output
    if prediction_type == "v_prediction":
        # v = a e - s x, z = a x + s e, a^2 + s^2 = 1  =>  s z + a v = s a x + s^2 e + a^2 e - a s x = e
        return sigma * noisy + alpha * output
    if prediction_type == "sample":
        return (noisy - alpha * output) / sigma
    raise TargetError(f"expected a prediction type of {', '.join(PREDICTION_TYPES)}, got {prediction_type}")
