"""The influence estimated from random probes in image space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from privaudit.decoder_geometry.influence.estimator import Estimator, Influence, register
from privaudit.decoder_geometry.influence.probes import mean_square
from privaudit.decoder_geometry.jacobian import Jacobian


@register
@dataclass(frozen=True)
class Hutchinson(Estimator):
    """Infl_i = E_v[(J^T v)_i^2], v with identity covariance in image space.

    Unbiased: E[(J^T v)_i^2] = sum_kl J_ki J_li E[v_k v_l] = sum_k J_ki^2 = G_ii. For normal probes (J^T v)_i is
    normal, so the mean of K squares has the standard error sqrt(2 / K) G_ii; Rademacher probes have a slightly smaller
    one, sqrt(2 (G_ii^2 - sum_k J_ki^4) / K), for which the same bound is reported.
    Differs from the paper: probes are drawn from seed and sample id, and images are batched.

    Attributes:
        probes: Random cotangents per image, K; 8 to 16 in the paper.
        rademacher: Whether probes are random signs instead of normal values.
    """

    name: ClassVar[str] = "hutchinson"
    citation: ClassVar[str] = "Hutchinson 1990; Rao, Qu, Moyer, CVPR 2026, arXiv:2511.20592"
    summary: ClassVar[str] = "mean of (J^T v)^2 over random image-space probes v: unbiased, error sqrt(2 / probes)"
    probes: int = 16
    rademacher: bool = False

    def problems(self) -> list[str]:
        """Require at least one probe."""
        return self.at_least(1, "probes")

    def estimate(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Influence:
        """Estimate the diagonal of G (see `Estimator.estimate`)."""
        values = mean_square(jacobian, sample_ids, seed, self.probes, rademacher=self.rademacher)
        error = values * math.sqrt(2 / self.probes)
        return Influence(values, error, torch.full((len(values),), self.probes))
