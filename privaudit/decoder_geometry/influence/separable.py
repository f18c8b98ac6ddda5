"""A few probes, pooled by assuming that influence is roughly a channel factor times a position factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from privaudit.decoder_geometry.influence.estimator import Estimator, Influence, register
from privaudit.decoder_geometry.influence.probes import mean_square
from privaudit.decoder_geometry.jacobian import Jacobian

SMOOTHING_WIDTH = 0.7
"""Standard deviation of the Gaussian smoothing over positions, in latent positions."""
MIN_RELATIVE_VARIANCE = 0.05
"""Minimum relative variance t^2 of influences around r_c s_p (see `shrink`): few probes cannot tell less from zero."""
FIT_ROUNDS = 6
"""Rounds of fitting r and s alternately."""


@register
@dataclass(frozen=True)
class Separable(Estimator):
    """Hutchinson's estimate, shrunk towards its best fit G_cp = r_c s_p (see `shrink`).

    Decoders are convolutional: the relative influence of a position p is similar for all channels c, that of a channel
    is similar for all positions, and neighbouring positions are alike. Not in the paper.

    Attributes:
        probes: Random cotangents per image.
        rademacher: Whether probes are random signs instead of normal values.
    """

    name: ClassVar[str] = "separable"
    citation: ClassVar[str] = "this project; empirical Bayes shrinkage as in Efron and Morris 1973"
    summary: ClassVar[str] = "few probes, shrunk towards (factor of the channel) x (smooth factor of the position)"
    probes: int = 2
    rademacher: bool = False

    def problems(self) -> list[str]:
        """Require at least one probe."""
        return self.at_least(1, "probes")

    def estimate(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Influence:
        """Estimate the diagonal of G (see `Estimator.estimate`)."""
        values = mean_square(jacobian, sample_ids, seed, self.probes, rademacher=self.rademacher)
        values, error = shrink(values, self.probes, jacobian.channel_axis)
        return Influence(values, error, torch.full((len(values),), self.probes))


def shrink(values: Tensor, probes: int, channel_axis: int = 1) -> tuple[Tensor, Tensor]:
    """Shrink Hutchinson's estimates of an image towards their separable fit.

    1. Fit q_cp ~ r_c s_p alternately: s_p = smoothed mean over channels of q_cp / r_c, then r_c = mean over positions
       of q_cp / s_p.
    2. Given G_cp, the ratio q_cp / (r_c s_p) has mean G_cp / (r_c s_p) and, over K probes, K degrees of freedom. With
       an inverse gamma prior of mean 1 and relative variance t^2, its posterior mean is
       (1 + 1/t^2 + K/2 ratio) / (1 + 1/t^2 + K/2). Here t^2 is the variance of the ratios of the image in excess of
       the 2/K of their probes. If the decoder is not separable, or with many probes, the estimate hardly changes.
    3. The relative variance is the sum of 1 / (1/t^2 + K/2) for the posterior and 2/K sum_p w_p^2 for the fit, where w
       are the smoothing weights. The channels of a position count as one measurement, because their products with one
       probe are correlated. The noise of r_c is ignored: it is small if there are many positions; if there are few,
       the standard error is too small.

    Args:
        values: Means of (J^T v)^2 over the probes, ``(n, *latent)``.
        probes: Number of probes K.
        channel_axis: Channel axis of the latents; all other axes but the first are positions.

    Returns:
        Estimate and its standard error, shaped like ``values``.
    """
    squares = values.movedim(channel_axis, 1)
    if squares.ndim == 2:
        squares = squares.unsqueeze(2)  # one position
    tiny = torch.finfo(values.dtype).tiny
    position_axes = tuple(range(2, squares.ndim))
    channel = torch.ones_like(squares.mean(dim=position_axes, keepdim=True))
    for _ in range(FIT_ROUNDS):
        position = _smooth((squares / channel).mean(dim=1, keepdim=True)).clamp_min(tiny)
        channel = (squares / position).mean(dim=position_axes, keepdim=True)
        # mean 1 over channels: the scale belongs to the position factor
        channel = (channel / channel.mean(dim=1, keepdim=True).clamp_min(tiny)).clamp_min(tiny)
    fit = channel * position
    ratio = squares / fit.clamp_min(tiny)
    total_variance = (ratio - 1).square().mean(dim=(1, *position_axes), keepdim=True)
    # Var(ratio) = t^2 + 2/K (1 + t^2), since the noise of the probes is proportional to the true ratio; solved for t^2
    prior_variance = ((total_variance - 2 / probes) / (1 + 2 / probes)).clamp_min(MIN_RELATIVE_VARIANCE)
    weight = 1 + 1 / prior_variance
    estimate = fit * (weight + probes / 2 * ratio) / (weight + probes / 2)
    variance = 1 / (1 / prior_variance + probes / 2) + 2 / probes * _smoothed_variance(position)
    estimate_and_error = [
        part.view(values.movedim(channel_axis, 1).shape).movedim(1, channel_axis)
        for part in (estimate, estimate * variance.sqrt())
    ]
    return estimate_and_error[0], estimate_and_error[1]


def _smooth(values: Tensor) -> Tensor:
    """Average over positions with Gaussian weights; at the border, only over existing positions."""
    return _blur(values, 1) / _blur(torch.ones_like(values), 1)


def _smoothed_variance(values: Tensor) -> Tensor:
    """Variance that `_smooth` leaves of independent values of variance one."""
    return _blur(torch.ones_like(values), 2) / _blur(torch.ones_like(values), 1).square()


def _blur(values: Tensor, power: int) -> Tensor:
    """Sum ``(n, 1, *axes)`` over neighbours, weighted by a power of Gaussian weights, one axis at a time."""
    reach = round(4 * SMOOTHING_WIDTH)
    steps = torch.arange(-reach, reach + 1, device=values.device, dtype=values.dtype)
    weights = (-0.5 * power * (steps / SMOOTHING_WIDTH).square()).exp().view(1, 1, -1)
    for axis in range(2, values.ndim):
        rows = values.movedim(axis, -1)
        blurred = functional.conv1d(rows.reshape(-1, 1, rows.shape[-1]), weights, padding=reach)
        values = blurred.view(rows.shape).movedim(-1, axis)
    return values
