"""PIAN: PIA with its noise rescaled to the size of standard normal noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from privaudit.attacks.base import register
from privaudit.attacks.batch import Batch
from privaudit.attacks.pia import Pia


@register
@dataclass(frozen=True)
class Pian(Pia):
    """PIA with eps_0 <- eps_0 * size / mean|eps_0|   (Kong et al., ICLR 2024, arXiv:2305.18355; order 4).

    The mean runs over an image's latent. Standard normal noise has mean|eps| = sqrt(2 / pi), which the authors' code
    takes (preset ``code``, our default); others take sqrt(pi / 2) (preset ``eq``).

    Attributes:
        size: Mean absolute value of eps_0 after rescaling.
    """

    name: ClassVar[str] = "pian"
    summary: ClassVar[str] = "PIA with noise of normal size"
    presets = {"code": {"size": math.sqrt(2 / math.pi)}, "eq": {"size": math.sqrt(math.pi / 2)}}
    size: float = math.sqrt(2 / math.pi)

    def problems(self) -> list[str]:
        """Require a positive size."""
        return [] if self.size > 0 else [f"expected size > 0 for {self.name}, got {self.size}"]

    def clean_noise(self, batch: Batch) -> Tensor:
        """eps_0 rescaled, ``(n, *latent)``."""
        noise = super().clean_noise(batch)
        mean = noise.abs().flatten(1).mean(dim=1)
        return noise * (self.size / mean).view(-1, *[1] * (noise.ndim - 1))
