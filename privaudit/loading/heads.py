"""Converts the output of a denoiser to a noise prediction, for each prediction type."""

from __future__ import annotations

from typing import TypeAlias

from torch import Tensor

from privaudit.errors import TargetError

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
"""Prediction types of diffusion models."""
FLOW = "flow"
"""Prediction type of flow models: the velocity from the latent to the noise, eps - z_0."""
REVERSED_FLOW = "reversed_flow"
"""The opposite velocity, from the noise to the latent (Liu et al. 2023, arXiv:2309.06380)."""
FLOW_TYPES = (FLOW, REVERSED_FLOW)
EDM, EDM_V = "edm", "edm_v"
"""Preconditioned networks (Karras et al. 2022, arXiv:2206.00364), and those whose output has the opposite sign."""
EDM_TYPES = (EDM, EDM_V)
EDM_SIGMA_DATA = 0.5
"""Standard deviation of the data that the preconditioning of EDM assumes, the only value in use."""


HEADS_OF_SCHEDULE = (PREDICTION_TYPES, (*FLOW_TYPES, "epsilon", "sample"), EDM_TYPES)
"""Prediction types that one schedule admits: of diffusion, of flow and of EDM models."""


def alternatives(prediction_type: str, *, flow: bool) -> tuple[str, ...]:
    """List the other prediction types that a network with the same schedule could have.

    Args:
        prediction_type: Prediction type as which the network is read.
        flow: Whether the schedule is that of a flow model.

    Returns:
        The others; none for an unknown type.
    """
    groups = [group for group in HEADS_OF_SCHEDULE if prediction_type in group]
    return tuple(head for head in groups[-1 if flow else 0] if head != prediction_type) if groups else ()


Reading: TypeAlias = tuple[str, float, float]
"""How an output is read: prediction type, signal scale and noise scale."""


def reinterpret(noise: Tensor, noisy: Tensor, recorded: Reading, other: Reading) -> Tensor:
    """Convert a noise prediction to what the same network output would mean if it were read in another way.

    Every conversion of `noise_from_output` is linear, eps = f(out, z) = f(0, z) + f(1, 0) out, and can be undone.

    Args:
        noise: Noise predicted under ``recorded``, ``(n, *latent)``.
        noisy: Latent that the network received, same shape.
        recorded: How the output was read; both scales above 0.
        other: Another way; both scales above 0.

    Returns:
        The noise that ``other`` implies, same shape.
    """
    zero = noise.new_zeros(())
    kind, *scales = recorded
    slope = noise_from_output(kind, zero + 1, zero, *scales)
    output = (noise - noise_from_output(kind, zero, noisy, *scales)) / slope
    kind, *scales = other
    return noise_from_output(kind, output, noisy, *scales)


def network_input(prediction_type: str, noisy: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
    """Scale a noisy latent to what the network receives.

    EDM networks receive c_in (z_0 + s eps) with s = sigma / alpha and c_in = 1 / sqrt(s^2 + sigma_data^2), all others
    the latent itself.

    Args:
        prediction_type: Prediction type of the network.
        noisy: z_t = alpha z_0 + sigma eps, ``(n, *latent)``.
        alpha: Signal scale: one for all images, or one per image, followed by axes of length 1.
        sigma: Noise scale, in the same form.

    Returns:
        The input, same shape.
    """
    if prediction_type not in EDM_TYPES:
        return noisy
    # (z / alpha) / sqrt((sigma / alpha)^2 + sigma_data^2), multiplied out
    return noisy / (sigma**2 + (alpha * EDM_SIGMA_DATA) ** 2) ** 0.5


def noise_from_output(
    prediction_type: str, output: Tensor, noisy: Tensor, alpha: float | Tensor, sigma: float | Tensor
) -> Tensor:
    """Turn the output of a network into the noise that it implies in z_t = alpha z_0 + sigma eps.

    epsilon: out.   v = alpha eps - sigma z_0 (Salimans & Ho 2022, arXiv:2202.00512): sigma z_t + alpha out.
    sample: (z_t - alpha out) / sigma, ill-conditioned as sigma goes to 0.
    flow: out = eps - z_0 in z = (1 - sigma) z_0 + sigma eps (Esser et al. 2024, arXiv:2403.03206): z + alpha out.
    reversed_flow: out = z_0 - eps: z - alpha out.
    edm: z_0 = c_skip y + c_out out with y = z_t / alpha = z_0 + s eps, s = sigma / alpha, d = sigma_data,
    c_skip = d^2 / (s^2 + d^2), c_out = s d / sqrt(s^2 + d^2): (y - z_0) / s = s y / (s^2 + d^2) - d out / sqrt(s^2 +
    d^2). edm_v: the same with the opposite sign of out.

    Args:
        prediction_type: One of `PREDICTION_TYPES`, `FLOW_TYPES` or `EDM_TYPES`.
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
    if prediction_type == REVERSED_FLOW:
        return noisy - alpha * output
    if prediction_type in EDM_TYPES:
        # Multiplied out with s = sigma / alpha, so that nothing is divided by a small alpha.
        power = sigma**2 + (alpha * EDM_SIGMA_DATA) ** 2
        sign = 1 if prediction_type == EDM else -1
        return sigma * noisy / power - sign * EDM_SIGMA_DATA * alpha * output / power**0.5
    known = ", ".join((*PREDICTION_TYPES, *FLOW_TYPES, *EDM_TYPES))
    raise TargetError(f"expected a prediction type of {known}, got {prediction_type}")
