"""SimA: the size of the predicted noise at the clean latent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from privaudit.attacks.base import Attack, Batch, register


@register
@dataclass(frozen=True)
class Sima(Attack):
    """||eps_hat(z_0, t, c)||_p^p, no noise added   (Rao et al. 2025, arXiv:2509.25003; order 4).

    At a training latent the learnt score is near zero, since the denoiser fits a peak there.

    Attributes:
        order: p of the norm; the authors take 4.
        levels: The authors scan 0, 10, ... 190 (Stable Diffusion) and 0 ... 300 (DDPM); ours is a coarser
            grid over both.
    """

    name: ClassVar[str] = "sima"
    reference: ClassVar[str] = "Rao et al. 2025, arXiv:2509.25003"
    summary: ClassVar[str] = "size of the predicted noise at the clean latent"
    order: float = 4.0
    levels: tuple[int, ...] = (0, 20, 40, 60, 80, 100, 140, 180, 240, 300)

    @property
    def cost(self) -> int:
        """One pass a level."""
        return len(self.levels)

    def error_field(self, batch: Batch, level: int) -> Tensor:
        """eps_hat(z_0, t, c), ``(n, *latent)``."""
        return batch.predict_clean(level)
