"""Noised SimA: the predicted noise averaged over draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.attacks.base import FieldAttack, register
from privaudit.attacks.batch import Batch


@register
@dataclass(frozen=True)
class Epsilon(FieldAttack):
    """||mean_n eps_hat(alpha z_0 + sigma eps_n, t, c)||_p^p   (Rao et al. 2025, arXiv:2509.25003; order 4).

    The average over draws estimates the score of the smoothed data around z_0, where SimA takes it at z_0 itself. The
    draws are those of the loss attack, so both attacks together cost the passes of one.

    For a perfectly memorised image eps_hat = eps in every draw. Its error is then that of the mean of N noise draws,
    1 / sqrt(N) per dimension, which at low noise is larger than the error of an image that the model does not know.
    With few draws, low levels are therefore useful only on models that have memorised their images in part. The level
    is cross-fitted.

    Attributes:
        order: p of the norm; the authors take 4.
        draws: Noise draws per level.
    """

    name: ClassVar[str] = "epsilon"
    citation: ClassVar[str] = "Rao et al. 2025, arXiv:2509.25003"
    summary: ClassVar[str] = "size of the predicted noise, averaged over noised latents"
    grid = (20, 50, 100, 200, 350)
    log_snr_grid = (5.0, 3.0, 1.0, 0.0, -1.0, -2.0, -3.0)
    order: float = 4.0
    draws: int = 4

    def problems(self) -> list[str]:
        """Require at least one draw."""
        return self.at_least(1, "draws")

    def error_field(self, batch: Batch, level: int) -> Tensor:
        """Mean over draws of eps_hat(alpha z_0 + sigma eps, t, c), ``(n, *latent)``."""
        return torch.stack([batch.predict_noised(level, draw) for draw in range(self.draws)]).mean(dim=0)
