"""PIA: the loss at the noise that the model itself predicts for the clean latent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from privaudit.attacks.base import FieldAttack, register
from privaudit.attacks.batch import Batch

DDPM_FIRST_LOG_SNR = 9.2
"""log SNR of the first level of DDPM's linear schedule, log(.9999 / .0001)."""


@register
@dataclass(frozen=True)
class Pia(FieldAttack):
    """||eps_0 - eps_hat(alpha z_0 + sigma eps_0, t, c)||_p^p, eps_0 = eps_hat(z_0, 0, c).

    (Kong et al., ICLR 2024, arXiv:2305.18355; order 4.) The pass for eps_0 serves all levels, and level 0 of SimA. With
    a random eps_0 this would be the loss attack. Preset ``paper`` has the levels that the authors scan for DDPM, ``sd``
    those for Stable Diffusion.

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

    def clean_noise(self, batch: Batch) -> Tensor:
        """eps_0, ``(n, *latent)``."""
        schedule = batch.target.schedule
        _, sigma = schedule.alpha_sigma(0)
        # Level 0 of a flow model has no noise to predict; a level as clean as DDPM's first stands in for it.
        return batch.predict_clean(0 if sigma > 0 else schedule.nearest(DDPM_FIRST_LOG_SNR))

    def error_field(self, batch: Batch, level: int) -> Tensor:
        """eps_0 - eps_hat(alpha z_0 + sigma eps_0, t, c), ``(n, *latent)``."""
        noise = self.clean_noise(batch)
        return noise - batch.predict(batch.noised(level, noise), level)
