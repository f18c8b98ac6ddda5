"""SimA: the size of the predicted noise at the clean latent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from privaudit.attacks.base import FieldAttack, register
from privaudit.attacks.batch import Batch


@register
@dataclass(frozen=True)
class Sima(FieldAttack):
    """||eps_hat(z_0, t, c)||_p^p, no noise added   (Rao et al. 2025, arXiv:2509.25003; order 4).

    At a training latent the learnt score is near zero, since the denoiser fits a peak of the density there. On flow
    models z_0 is scaled to the power of its level (see `Batch.predict_clean`), which is the attack on the equivalent
    variance-preserving model. Presets ``sd`` and ``ddpm`` have the levels that the authors scan for Stable Diffusion
    and for DDPM.

    Attributes:
        order: p of the norm; the authors take 4.
    """

    name: ClassVar[str] = "sima"
    citation: ClassVar[str] = "Rao et al. 2025, arXiv:2509.25003"
    summary: ClassVar[str] = "size of the predicted noise at the clean latent"
    presets = {"sd": {"levels": tuple(range(0, 200, 10))}, "ddpm": {"levels": tuple(range(0, 310, 10))}}
    grid = (0, 20, 40, 60, 80, 100, 140, 180, 240, 300)
    log_snr_grid = (8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0, -1.0, -2.0)
    order: float = 4.0

    def error_field(self, batch: Batch, level: int) -> Tensor:
        """eps_hat(z_0, t, c), ``(n, *latent)``."""
        return batch.predict_clean(level)
