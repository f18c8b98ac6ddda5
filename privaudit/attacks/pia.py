"""PIA: the loss at the noise that the model itself sees in the clean latent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from privaudit.attacks.base import Attack, Batch, register


@register
@dataclass(frozen=True)
class Pia(Attack):
    """||eps_0 - eps_hat(alpha z_0 + sigma eps_0, t, c)||_p^p, eps_0 = eps_hat(z_0, 0, c).

    (Kong et al., ICLR 2024, arXiv:2305.18355; order 4.) The pass for eps_0 serves all levels, and SimA's
    level 0. Drawing eps_0 at random instead would be the loss attack.

    Attributes:
        order: p of the norm; the authors take 4.
        levels: The authors scan up to 300 (DDPM) or 500 (Stable Diffusion) in steps of 10; ours is a
            coarser grid.
    """

    name: ClassVar[str] = "pia"
    reference: ClassVar[str] = "Kong et al. 2024, arXiv:2305.18355"
    summary: ClassVar[str] = "loss at the model's own noise prediction"
    order: float = 4.0
    levels: tuple[int, ...] = (40, 80, 120, 160, 200, 250, 300, 400)

    @property
    def cost(self) -> int:
        """One pass a level, and one for eps_0."""
        return len(self.levels) + 1

    def error_field(self, batch: Batch, level: int) -> Tensor:
        """eps_0 - eps_hat(alpha z_0 + sigma eps_0, t, c), ``(n, *latent)``."""
        own = batch.predict_clean(0)
        return own - batch.predict(batch.noised(level, own), level)
