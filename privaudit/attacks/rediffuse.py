"""ReDiffuse: the distance to the average of an image's variations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.attacks.base import FieldAttack, register
from privaudit.attacks.batch import Batch
from privaudit.model.ddim import CLEAN


@register
@dataclass(frozen=True)
class Rediffuse(FieldAttack):
    """||z_0 - mean_n Denoise(Noise_t(z_0))||^2   (Li et al. 2024, arXiv:2405.20771; t = 200, n = 10).

    A variation is what an image-to-image interface returns: the image noised to level t, then denoised in deterministic
    steps of k levels. The attack needs no other access. The pass of the first step is shared with the loss attack at
    the same draw.

    Differs from the paper: the distance is taken between latents and not between images, so that masks apply.

    Attributes:
        order: p of the norm; the square ranks images like the norm of the authors.
        step: k, levels per step; the authors take 100.
        draws: n, variations per image.
    """

    name: ClassVar[str] = "rediffuse"
    citation: ClassVar[str] = "Li et al. 2024, arXiv:2405.20771"
    summary: ClassVar[str] = "distance to the mean of the model's variations"
    presets = {"paper": {"levels": (200,)}}
    grid = (200,)
    log_snr_grid = (0.0,)
    order: float = 2.0
    step: int = 100
    draws: int = 10

    def problems(self) -> list[str]:
        """Require at least one draw and one level per step."""
        return self.at_least(1, "draws", "step")

    def error_field(self, batch: Batch, level: int) -> Tensor:
        """z_0 minus the mean of its variations, ``(n, *latent)``."""
        return batch.latents - torch.stack([self.vary(batch, level, draw) for draw in range(self.draws)]).mean(dim=0)

    def vary(self, batch: Batch, level: int, draw: int) -> Tensor:
        """Noise to a level and denoise in steps of k, ``(n, *latent)``."""
        start, latents = level, batch.noised(level, batch.noise(level, draw))
        while start > 0:
            # The last step ends at the clean latent itself; level 0 of a diffusion model still has noise.
            stop = start - self.step if start > self.step else CLEAN
            # The first pass has a name, under which other attacks share it; later ones depend on the path.
            noise = batch.predict_noised(level, draw) if start == level else batch.predict(latents, start)
            latents = batch.step(latents, noise, start, stop)
            start = stop
        return latents
