"""An image compared with its mirror images, which are equally difficult and were not trained on."""

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

    The error of SimA, relative to that of the image's mirror images. A mirror image has the same colours, edges and
    detail. What makes an image hard for every model therefore cancels, and what remains is that the model was trained
    on this one. The image is flipped, not its latent, and the mask is flipped with it.

    A model that was also trained on mirror images knows one of the flips; the other one remains informative. PFAMI
    compares with crops for the same reason, but a crop is a different image with a different difficulty.

    Attributes:
        order: p of the norm.
        horizontal: Whether to compare with left and right exchanged.
        vertical: Whether to compare with top and bottom exchanged.
        turned: Whether to compare with the image rotated by 180 degrees.
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
        """Require at least one flip and a positive order."""
        problems = [] if self.flips else [f"expected at least one flip for {self.name}, got none"]
        return problems if self.order > 0 else [*problems, f"expected order > 0 for {self.name}, got {self.order}"]

    @property
    def flips(self) -> dict[str, tuple[int, ...]]:
        """Axes that each flip reverses, by name; the same for images and latents."""
        axes_of = {"horizontal": (-1,), "vertical": (-2,), "turned": (-2, -1)}
        return {name: axes for name, axes in axes_of.items() if getattr(self, name)}

    @property
    def candidates(self) -> tuple[float, ...]:
        """The levels."""
        return tuple(float(level) for level in self.levels)

    def measure(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Errors with one column per level."""
        image = self._logs(batch, masks)
        flipped = []
        for flip, axes in self.flips.items():
            # A mask belongs to places in the image, so it moves with them.
            flipped_masks = {name: mask.flip(axes) for name, mask in masks.items()}
            flipped.append(self._logs(batch.with_images(flip, _flip(axes)), flipped_masks))
        return {name: image[name] - torch.stack([logs[name] for logs in flipped]).mean(dim=0) for name in masks}

    def _logs(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Log error energy, ``(n, levels)``."""
        by_level = [masked_errors(batch.predict_clean(level), masks, self.order) for level in self.levels]
        tiny = torch.finfo(torch.float64).tiny  # a prediction of exactly zero still has a finite log
        return {name: torch.stack([errors[name] for errors in by_level], dim=1).clamp_min(tiny).log() for name in masks}


def _flip(axes: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    return lambda images: images.flip(axes)
