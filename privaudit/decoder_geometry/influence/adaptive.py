"""Probes each image until the set of dimensions that its mask keeps is settled."""

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
"""Bisection steps that find the cut in `expected_agreement`."""
CERTAIN_ERRORS = 8
"""Distance from the cut, in standard errors, at which the side of a value is certain."""
MAX_RELATIVE_ERROR = 1e4
"""Upper limit of the relative standard error, at which a value carries no information."""


@register
@dataclass(frozen=True)
class Adaptive(Estimator):
    """The separable estimate, with probes doubled until the set of kept dimensions of an image is expected to be right.

    Attributes:
        agreement: Fraction of the kept set that should agree with the exact one, as estimated by `expected_agreement`.
        drop: Fraction of dimensions that the mask will drop.
        least: Minimum number of probes per image.
        most: Maximum number of probes per image.
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
        """The decoder pass of all images stays in memory while that of the unsettled ones is added."""
        return 3.0

    def problems(self) -> list[str]:
        """Require fractions between 0 and 1, and a maximum of probes not below the minimum."""
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
        active = torch.arange(len(jacobian), device=device)  # positions of the images that are not settled
        sums, values = torch.zeros_like(jacobian.latents), torch.zeros_like(jacobian.latents)
        error, products = torch.zeros_like(values), torch.zeros(len(values), dtype=torch.int64)
        done, count = 0, self.least
        while len(active):
            for squares in squared_products(jacobian, probes, count - done):
                sums += squares
            estimate, spread = shrink(sums / count, count, jacobian.channel_axis)
            settled = expected_agreement(Influence(estimate, spread, products), self.drop) >= self.agreement
            settled |= ~torch.isfinite(estimate).flatten(1).all(dim=1)  # more probes cannot help; callers refuse them
            if count == self.most:
                settled[:] = True
            values[active[settled]], error[active[settled]] = estimate[settled], spread[settled]
            products[active[settled].cpu()] = count
            if settled.any() and not settled.all():
                jacobian = jacobian.subset(~settled)
                probes.select(torch.nonzero(~settled).flatten().tolist())
            active, sums = active[~settled], sums[~settled]
            done, count = count, min(2 * count, self.most)
        return Influence(values, error, products)


def expected_agreement(influence: Influence, drop: float) -> Tensor:
    """Estimate the fraction of the kept set that the exact influence would also keep.

    The logarithm of each exact value is modelled as normal around the estimated one. The exact cut is taken to be the
    one with as many dimensions expected above it as are kept: sum_i P(i) = number kept, where
    P(i) = Phi((log v_i - cut) / error_i). The result is the mean of P over the kept dimensions.

    Args:
        influence: Estimates and standard errors.
        drop: Fraction of dimensions that the mask drops.

    Returns:
        ``(n,)``, from the kept fraction of all dimensions, which is chance, to 1.
    """
    values = influence.values.flatten(1)
    tiny = torch.finfo(values.dtype).tiny
    is_kept = influence_mask(values, drop) > 0
    count = is_kept.sum(dim=1, keepdim=True)
    logs = values.clamp_min(tiny).log()
    # the error of a logarithm is the relative error
    error = (influence.standard_error.flatten(1) / values.clamp_min(tiny)).clamp(tiny, MAX_RELATIVE_ERROR)
    reach = CERTAIN_ERRORS * error.amax(dim=1, keepdim=True)
    low, high = logs.amin(dim=1, keepdim=True) - reach, logs.amax(dim=1, keepdim=True) + reach
    for _ in range(BISECTIONS):
        cut = (low + high) / 2
        too_many = torch.special.ndtr((logs - cut) / error).sum(dim=1, keepdim=True) > count
        low, high = torch.where(too_many, cut, low), torch.where(too_many, high, cut)
    above = torch.special.ndtr((logs - high) / error)
    return torch.where(is_kept, above, 0).sum(dim=1) / count.squeeze(1)


def wrong_cut(estimator: Estimator, drop: float) -> list[str]:
    """Return a problem if an adaptive estimator settles a different cut than that of the masks."""
    if isinstance(estimator, Adaptive) and estimator.drop != drop:
        return [f"expected adaptive:drop={drop:g}, as the masks drop that fraction, got {estimator.drop:g}"]
    return []
