"""Probe each image until its kept set is settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.decoder_geometry.influence.estimator import Estimator, Influence, register
from privaudit.decoder_geometry.influence.probes import Probes, squared_products
from privaudit.decoder_geometry.influence.separable import shrink
from privaudit.decoder_geometry.jacobian import Jacobian
from privaudit.decoder_geometry.mask import influence_mask

BISECTIONS = 40
"""Of the exact cut, in `expected_agreement`."""
SURE = 8
"""Standard errors from which a side of the cut is certain."""
VAGUE = 1e4
"""Relative standard error from which a value says nothing."""


@register
@dataclass(frozen=True)
class Adaptive(Estimator):
    """The separable estimate from 2, 4, 8, ... probes, until enough of the kept dimensions are certain to be kept.

    Attributes:
        agreement: Fraction of the kept set that should be right, as estimated by `expected_agreement`.
        drop: Fraction of dimensions that the mask will drop.
        least: Probes before the first look.
        most: Probes at which an image is left as it is.
    """

    name: ClassVar[str] = "adaptive"
    citation: ClassVar[str] = "this project"
    summary: ClassVar[str] = "separable, with as many probes for each image as its kept set needs"
    agreement: float = 0.85
    drop: float = 0.4
    least: int = 2
    most: int = 64

    @property
    def memory(self) -> float:
        """The pass of all images stays while that of the unsettled ones is made."""
        return 3.0

    def problems(self) -> list[str]:
        """Say what is wrong with the parameters."""
        problems = self.at_least(1, "least")
        if self.most < self.least:
            problems.append(f"expected most >= least for {self.name}, got {self.most} < {self.least}")
        if not 0 < self.agreement < 1:
            problems.append(f"expected 0 < agreement < 1 for {self.name}, got {self.agreement}")
        if not 0 < self.drop < 1:
            problems.append(f"expected 0 < drop < 1 for {self.name}, got {self.drop}")
        return problems

    def estimate(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Influence:
        """Estimate the diagonal of G (see `Estimator.estimate`)."""
        probes, device = Probes(sample_ids, seed), jacobian.latents.device
        active = torch.arange(len(jacobian), device=device)
        sums, values = torch.zeros_like(jacobian.latents), torch.zeros_like(jacobian.latents)
        error, products = torch.zeros_like(values), torch.zeros(len(values), dtype=torch.int64)
        done, count = 0, self.least
        while len(active):
            for squares in squared_products(jacobian, probes, count - done):
                sums += squares
            estimate, spread = shrink(sums / count, count, jacobian.channel_axis)
            settled = expected_agreement(Influence(estimate, spread, products), self.drop) >= self.agreement
            settled |= ~torch.isfinite(estimate).flatten(1).all(dim=1)
            if count == self.most:
                settled[:] = True
            values[active[settled]], error[active[settled]] = estimate[settled], spread[settled]
            products[active[settled].cpu()] = count
            if settled.any() and not settled.all():
                jacobian = jacobian.of(~settled)
                probes.keep(torch.nonzero(~settled).flatten().tolist())
            active, sums = active[~settled], sums[~settled]
            done, count = count, min(2 * count, self.most)
        return Influence(values, error, products)


def expected_agreement(influence: Influence, drop: float) -> Tensor:
    """Estimate which fraction of the kept set the exact influence would keep too.

    The logarithm of each exact value is taken as normal around the estimated one, and as the exact cut the one above
    which as many dimensions are expected as are kept: sum_i P(i) = kept, P(i) = Phi((log v_i - cut) / error_i). The
    fraction is the mean of P over the kept dimensions.

    Returns:
        ``(n,)``, from the kept share of all dimensions, which is chance, to 1.
    """
    values = influence.values.flatten(1)
    tiny = torch.finfo(values.dtype).tiny
    kept = influence_mask(values, drop) > 0
    count = kept.sum(dim=1, keepdim=True)
    logs = values.clamp_min(tiny).log()
    error = (influence.standard_error.flatten(1) / values.clamp_min(tiny)).clamp(tiny, VAGUE)
    reach = SURE * error.amax(dim=1, keepdim=True)
    low, high = logs.amin(dim=1, keepdim=True) - reach, logs.amax(dim=1, keepdim=True) + reach
    for _ in range(BISECTIONS):
        cut = (low + high) / 2
        too_many = torch.special.ndtr((logs - cut) / error).sum(dim=1, keepdim=True) > count
        low, high = torch.where(too_many, cut, low), torch.where(too_many, high, cut)
    above = torch.special.ndtr((logs - high) / error)
    return torch.where(kept, above, 0).sum(dim=1) / count.squeeze(1)


def wrong_cut(estimator: Estimator, drop: float) -> list[str]:
    """Say whether an adaptive estimator would settle another cut than that of the mask."""
    if isinstance(estimator, Adaptive) and estimator.drop != drop:
        return [f"expected adaptive:drop={drop:g}, as the masks drop that share, got {estimator.drop:g}"]
    return []
