"""The mean velocity of a flow model compared with the image itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.attacks.base import FieldAttack, Need, register
from privaudit.attacks.batch import Batch


@register
@dataclass(frozen=True)
class FlowMc(FieldAttack):
    """||z_0 - mean_n v(z_n, t)||^2, z_n = t z_0 + (1 - t) eps_n   (T_mc of Rao and Moyer 2026, arXiv:2603.13421).

    v is the velocity from noise to data, z_0 - eps in training. Its mean over the noise is z_0 for a model that has
    memorised the image. t = 1 - sigma; with our noise prediction v = (z_n - eps_hat) / t.

    The formula is taken from a secondary source. Only the abstract of the paper was available to us. It names this
    Monte Carlo statistic, a variant calibrated by the complexity of the image, and a peak at the midpoint, but gives no
    definitions.

    Attributes:
        order: p of the norm.
        draws: n, noise draws per level.
    """

    name: ClassVar[str] = "flow_mc"
    citation: ClassVar[str] = "Rao and Moyer 2026, arXiv:2603.13421 (formula from a secondary source)"
    summary: ClassVar[str] = "distance to the mean velocity of a flow model"
    needs: ClassVar[tuple[Need, ...]] = ("flow model",)
    presets = {"midpoint": {"levels": (500,)}}
    grid = (200, 350, 500, 650, 800)
    log_snr_grid = (1.0, 0.0, -0.5, -1.0, -2.0, -3.0)
    order: float = 2.0
    draws: int = 4

    def problems(self) -> list[str]:
        """Require at least one draw, and levels at which the velocity is defined."""
        problems = self.at_least(1, "draws")
        if any(level >= 1000 for level in self.levels):
            problems.append(f"expected levels < 1000 for {self.name}, where some signal remains, got {self.levels}")
        return problems

    def error_field(self, batch: Batch, level: int) -> Tensor:
        """z_0 minus the mean velocity, ``(n, *latent)``."""
        signal, _ = batch.target.alpha_sigma(level)
        velocities = [
            (batch.noised(level, batch.noise(level, draw)) - batch.predict_noised(level, draw)) / signal
            for draw in range(self.draws)
        ]
        return batch.latents - torch.stack(velocities).mean(dim=0)
