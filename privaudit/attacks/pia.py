"""PIA: the loss at the noise that the model itself sees in the clean latent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from privaudit.attacks.base import FieldAttack, register
from privaudit.attacks.batch import Batch

DDPM_FIRST = 9.2
"""log SNR of the first level of DDPM's linear schedule, log(.9999 / .0001)."""


@register
@dataclass(frozen=True)
class Pia(FieldAttack):
    """||eps_0 - eps_hat(alpha z_0 + sigma eps_0, t, c)||_p^p, eps_0 = eps_hat(z_0, 0, c).

    (Kong et al., ICLR 2024, arXiv:2305.18355; order 4.) The pass for eps_0 serves all levels, and SimA's
    level 0. Drawing eps_0 at random instead would be the loss attack. Preset ``paper`` has the levels that the authors
    scan for DDPM, ``sd`` those for Stable Diffusion.

    Attributes:
        order: p of the norm; the authors take 4.
    """

    name: ClassVar[str] = "pia"
    citation: ClassVar[str] = "Kong et al. 2024, arXiv:2305.18355"
    summary: ClassVar[str] = "loss at the model's own noise prediction"
    presets = {"paper": {"levels": tuple(range(10, 310, 10))}, "sd": {"levels": tuple(range(10, 510, 10))}}
    grid = (40, 80, 120, 160, 200, 250, 300, 400)
    log_snr_grid = (5.0, 3.0, 2.0, 1.0, 0.0, -1.0, -2.0)
    order: float = 4.0

    def own_noise(self, batch: Batch) -> Tensor:
        """eps_0, ``(n, *latent)``; on a flow model, without noise at level 0, at a level as clean as DDPM's first."""
        schedule = batch.target.schedule
        _, sigma = schedule.alpha_sigma(0)
        return batch.predict_clean(0 if sigma > 0 else schedule.nearest(DDPM_FIRST))

    def error_field(self, batch: Batch, level: int) -> Tensor:
        """eps_0 - eps_hat(alpha z_0 + sigma eps_0, t, c), ``(n, *latent)``."""
        own = self.own_noise(batch)
        return own - batch.predict(batch.noised(level, own), level)
