"""The training loss itself, at fixed levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.attacks.base import Attack, Batch, register
from privaudit.errors import ConfigError


@register
@dataclass(frozen=True)
class Loss(Attack):
    """||eps - eps_hat(alpha z_0 + sigma eps, t, c)||^2   (Matsumoto et al. 2023, arXiv:2302.03262).

    With several draws the error of a dimension is its root mean square over the draws, so that the
    score at order 2 is the mean of the draws' losses (Carlini et al. 2023, arXiv:2301.13188: t = 100,
    5 draws).

    Attributes:
        order: p of the norm; the authors take 2.
        levels: Matsumoto takes t = 350, Carlini 100; both stand in the grid.
        draws: Noise draws a level.
    """

    name: ClassVar[str] = "loss"
    reference: ClassVar[str] = "Matsumoto et al. 2023, arXiv:2302.03262; Carlini et al. 2023, arXiv:2301.13188"
    summary: ClassVar[str] = "denoising loss at noised latents"
    order: float = 2.0
    levels: tuple[int, ...] = (20, 50, 100, 200, 350)
    draws: int = 1

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises:
            ConfigError: ``draws`` is less than 1.
        """
        super().__post_init__()
        if self.draws < 1:
            raise ConfigError([f"expected draws >= 1 for loss, got {self.draws}"])

    @property
    def cost(self) -> int:
        """One pass a level and draw."""
        return len(self.levels) * self.draws

    def error_field(self, batch: Batch, level: int) -> Tensor:
        """Root mean square over draws of eps - eps_hat, ``(n, *latent)``."""
        errors = []
        for draw in range(self.draws):
            noise = batch.noise(level, draw)
            errors.append(noise - batch.predict(batch.noised(level, noise), level))
        return errors[0] if len(errors) == 1 else torch.stack(errors).square().mean(dim=0).sqrt()
