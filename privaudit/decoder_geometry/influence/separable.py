"""Few probes, pooled by what influences have in common: a factor for the channel, one for the position."""

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

WIDTH = 0.7
"""Standard deviation of the Gaussian weights over positions, in latent positions."""
LEAST_SPREAD = 0.05
"""Least relative variance of influences around r_c s_p that is assumed: few probes cannot tell it from none."""
ROUNDS = 6
"""Of fitting r and s in turn."""


@register
@dataclass(frozen=True)
class Separable(Estimator):
    """Hutchinson's estimate, shrunk towards its best fit G_cp = r_c s_p (see `shrink`).

    A decoder is convolutional: how strongly a position p shows in the image is much the same for all channels c, and
    how strongly a channel shows much the same for all positions, and neighbours are alike. Not in the paper.

    Attributes:
        probes: Random cotangents an image.
        rademacher: Signs instead of normal values.
    """

    name: ClassVar[str] = "separable"
    citation: ClassVar[str] = "this project; empirical Bayes shrinkage as in Efron and Morris 1973"
    summary: ClassVar[str] = "few probes, shrunk towards (factor of the channel) x (smooth factor of the position)"
    probes: int = 2
    rademacher: bool = False

    def problems(self) -> list[str]:
        """Say what is wrong with the parameters."""
        return self.at_least(1, "probes")

    def estimate(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Influence:
        """Estimate the diagonal of G (see `Estimator.estimate`)."""
        values = mean_square(jacobian, sample_ids, seed, self.probes, rademacher=self.rademacher)
        values, error = shrink(values, self.probes, jacobian.channel_axis)
        return Influence(values, error, torch.full((len(values),), self.probes))


def shrink(values: Tensor, probes: int, channel_axis: int = 1) -> tuple[Tensor, Tensor]:
    """Shrink Hutchinson's estimates of an image towards their separable fit.

    1. Fit q_cp ~ r_c s_p in turn: s_p = smooth mean over channels of q_cp / r_c, then r_c = mean over positions of
       q_cp / s_p.
    2. Given G_cp, the ratio q_cp / (r_c s_p) has the mean G_cp / (r_c s_p) and, over K probes, K degrees of freedom.
       With an inverse gamma prior of mean 1 and relative variance t^2 its posterior mean is
       (1 + 1/t^2 + K/2 ratio) / (1 + 1/t^2 + K/2), where t^2 is what the ratios of the image vary beyond their probes'
       2/K: a decoder that is not separable, or many probes, leave the estimate nearly as it was.
    3. Relative variance: 1 / (1/t^2 + K/2) of the posterior, and 2/K sum_p w_p^2 of the fit, for which the
       channels of a position count as one measurement, because their products with one probe are correlated. The noise
       of r_c is left out: it is small where there are many positions, and the error too small where there are few.

    Args:
        values: Means of (J^T v)^2 over the probes, ``(n, *latent)``.
        probes: K.
        channel_axis: Channel axis of the latents; all other axes but the first are positions.

    Returns:
        Estimate and its standard error, shaped like ``values``.
    """
    squares = values.movedim(channel_axis, 1)
    if squares.ndim == 2:
        squares = squares.unsqueeze(2)  # one position
    tiny = torch.finfo(values.dtype).tiny
    places = tuple(range(2, squares.ndim))
    across = (1, *places)
    channel = torch.ones_like(squares.mean(dim=places, keepdim=True))
    for _ in range(ROUNDS):
        position = _smooth((squares / channel).mean(dim=1, keepdim=True)).clamp_min(tiny)
        channel = (squares / position).mean(dim=places, keepdim=True)
        channel = (channel / channel.mean(dim=1, keepdim=True).clamp_min(tiny)).clamp_min(tiny)
    fit = channel * position
    ratio = squares / fit.clamp_min(tiny)
    spread = (ratio - 1).square().mean(dim=across, keepdim=True)
    spread = ((spread - 2 / probes) / (1 + 2 / probes)).clamp_min(LEAST_SPREAD)
    weight = 1 + 1 / spread
    estimate = fit * (weight + probes / 2 * ratio) / (weight + probes / 2)
    variance = 1 / (1 / spread + probes / 2) + 2 / probes * _noise_share(position)
    back = [
        part.view(values.movedim(channel_axis, 1).shape).movedim(1, channel_axis)
        for part in (estimate, estimate * variance.sqrt())
    ]
    return back[0], back[1]


def _smooth(values: Tensor) -> Tensor:
    """Average over positions with Gaussian weights; at the border only over those that exist."""
    return _blur(values, 1) / _blur(torch.ones_like(values), 1)


def _noise_share(values: Tensor) -> Tensor:
    """Variance of `_smooth` of independent values of variance one."""
    return _blur(torch.ones_like(values), 2) / _blur(torch.ones_like(values), 1).square()


def _blur(values: Tensor, power: int) -> Tensor:
    """Sum ``(n, 1, *axes)`` with Gaussian weights to a power, one axis at a time."""
    reach = round(4 * WIDTH)
    steps = torch.arange(-reach, reach + 1, device=values.device, dtype=values.dtype)
    weights = (-0.5 * power * (steps / WIDTH).square()).exp().view(1, 1, -1)
    for axis in range(2, values.ndim):
        rows = values.movedim(axis, -1)
        blurred = functional.conv1d(rows.reshape(-1, 1, rows.shape[-1]), weights, padding=reach)
        values = blurred.view(rows.shape).movedim(-1, axis)
    return values
