"""Probe each image until its kept set is settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.geometry.influence.estimator import Estimator, Influence, register
from privaudit.geometry.influence.probes import Probes, squared_products
from privaudit.geometry.influence.separable import shrink
from privaudit.geometry.jacobian import Jacobian
from privaudit.geometry.mask import influence_mask


@register
@dataclass(frozen=True)
class Adaptive(Estimator):
    """The separable estimate from 2, 4, 8, ... probes, until enough of the kept dimensions are certain to be kept.

    Attributes:
        agreement: Share of the kept set that should be right, as estimated by `expected_agreement`.
        drop: Share of dimensions that the mask will drop.
        least: Probes before the first look.
        most: Probes at which an image is left as it is.
    """

    name: ClassVar[str] = "adaptive"
    reference: ClassVar[str] = "this project"
    summary: ClassVar[str] = "separable, with as many probes for each image as its kept set needs"
    agreement: float = 0.85
    drop: float = 0.4
    least: int = 2
    most: int = 64

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
    """Estimate which share of the kept set the exact influence would keep too.

    The logarithm of each estimate is taken as normal around the exact one: a dimension at the distance d from the cut,
    in standard errors, is on the wrong side with probability Phi(-d). What is kept by mistake pushes as many out, so
    half of the expected mistakes, over the size of the kept set, is lost.

    Args:
        influence: With standard errors.
        drop: Share of dimensions that the mask drops.

    Returns:
        ``(n,)``, from about 0.5 to 1.
    """
    values = influence.values.flatten(1)
    tiny = torch.finfo(values.dtype).tiny
    kept = influence_mask(values, drop) > 0
    least = torch.where(kept, values, torch.inf).amin(dim=1, keepdim=True)
    most = torch.where(kept, 0, values).amax(dim=1, keepdim=True)
    cut = (least.clamp_min(tiny).log() + most.clamp_min(tiny).log()) / 2
    relative = (influence.standard_error.flatten(1) / values.clamp_min(tiny)).clamp_min(tiny)
    distance = (values.clamp_min(tiny).log() - cut).abs() / relative
    mistakes = torch.special.ndtr(-distance).sum(dim=1)
    share: Tensor = 1 - mistakes / 2 / kept.sum(dim=1)
    return share
