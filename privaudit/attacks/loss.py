"""The training loss itself, at fixed levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.attacks.base import FieldAttack, register
from privaudit.attacks.batch import Batch


@register
@dataclass(frozen=True)
class Loss(FieldAttack):
    """||eps - eps_hat(alpha z_0 + sigma eps, t, c)||^2   (Matsumoto et al. 2023, arXiv:2302.03262).

    With several draws the error of a dimension is its root mean square over the draws. At order 2 the score is then the
    mean of the losses of the draws (Carlini et al. 2023, arXiv:2301.13188: t = 100, 5 draws).

    Attributes:
        order: p of the norm; the authors take 2.
        draws: Noise draws per level.
    """

    name: ClassVar[str] = "loss"
    citation: ClassVar[str] = "Matsumoto et al. 2023, arXiv:2302.03262; Carlini et al. 2023, arXiv:2301.13188"
    summary: ClassVar[str] = "denoising loss at noised latents"
    presets = {"matsumoto": {"levels": (350,)}, "carlini": {"levels": (100,), "draws": 5}}
    grid = (20, 50, 100, 200, 350)
    log_snr_grid = (5.0, 3.0, 1.0, 0.0, -1.0, -2.0, -3.0)
    order: float = 2.0
    draws: int = 1

    def problems(self) -> list[str]:
        """Require at least one draw."""
        return self.at_least(1, "draws")

    def error_field(self, batch: Batch, level: int) -> Tensor:
        """Root mean square over draws of eps - eps_hat, ``(n, *latent)``."""
        errors = [batch.residual(level, draw) for draw in range(self.draws)]
        return errors[0] if len(errors) == 1 else torch.stack(errors).square().mean(dim=0).sqrt()
