"""An image against its own mirror images, which are as difficult and were not trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.attacks.base import LevelAttack, Need, masked_errors, register
from privaudit.attacks.batch import Batch


@register
@dataclass(frozen=True)
class Mirror(LevelAttack):
    """log ||eps_hat(E(x), t, c)||_p^p - mean over flips of log ||eps_hat(E(flip x), t, c)||_p^p   (ours).

    The error of SimA, relative to that of the image's mirror images. They have the same colours, edges and detail, so
    that what makes an image hard for every model cancels, and what is left is that this one has been seen. The image is
    flipped, not its latent, and the mask is flipped with it.

    A model that was trained on mirror images as well has seen one of them; then the other flip is left. PFAMI compares
    with crops by the same thought, but a crop is another image of another difficulty.

    Attributes:
        order: p of the norm.
        horizontal: Compare with left and right exchanged.
        vertical: Compare with top and bottom exchanged.
        turned: Compare with the image turned by half a turn.
    """

    name: ClassVar[str] = "mirror"
    citation: ClassVar[str] = "ours"
    summary: ClassVar[str] = "size of the predicted noise, relative to that of the mirrored image"
    needs: ClassVar[tuple[Need, ...]] = ("images",)
    axis: ClassVar[str] = "level"
    additive: ClassVar[bool] = False
    published: ClassVar[bool] = False
    scale = "log"
    presets = {"unflipped": {"horizontal": False}}
    grid = (0, 20, 50, 100, 180)
    log_snr_grid = (5.0, 3.0, 2.0, 1.0, 0.0, -1.0)
    order: float = 2.0
    horizontal: bool = True
    vertical: bool = True
    turned: bool = False

    def problems(self) -> list[str]:
        """At least one flip, and a positive order."""
        problems = [] if self.flips else [f"expected at least one flip for {self.name}, got none"]
        return problems if self.order > 0 else [*problems, f"expected order > 0 for {self.name}, got {self.order}"]

    @property
    def flips(self) -> dict[str, tuple[int, ...]]:
        """Name of each flip, and the axes that it reverses, of images as of latents."""
        known = {"horizontal": (-1,), "vertical": (-2,), "turned": (-2, -1)}
        return {name: axes for name, axes in known.items() if getattr(self, name)}

    @property
    def candidates(self) -> tuple[float, ...]:
        """The levels."""
        return tuple(float(level) for level in self.levels)

    def measure(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One column per level."""
        own = self._logs(batch, masks)
        twins = [
            self._logs(batch.with_images(flip, _flip(axes)), {name: mask.flip(axes) for name, mask in masks.items()})
            for flip, axes in self.flips.items()
        ]
        return {name: own[name] - torch.stack([twin[name] for twin in twins]).mean(dim=0) for name in masks}

    def _logs(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Log error energy, ``(n, levels)``."""
        found = [masked_errors(batch.predict_clean(level), masks, self.order) for level in self.levels]
        tiny = torch.finfo(torch.float64).tiny
        return {name: torch.stack([errors[name] for errors in found], dim=1).clamp_min(tiny).log() for name in masks}


def _flip(axes: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    return lambda images: images.flip(axes)
