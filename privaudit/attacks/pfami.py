"""PFAMI: whether an image is a local minimum of the loss among its crops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.attacks.base import LevelAttack, Need, masked_errors, register
from privaudit.attacks.batch import Batch


@register
@dataclass(frozen=True)
class Pfami(LevelAttack):
    """-mean over t, lambda of (L_t(x'_lambda) - L_t(x)) / L_t(x)   (Fu et al. 2023, arXiv:2308.12143).

    L_t is the loss at one noise draw, the same for the image and its crops. x'_lambda is the central crop with the
    fraction lambda of each side, enlarged again in pixel space and encoded. The loss of a member rises when it is
    cropped. Both losses have the same mask; the ratio is not additive over masks. Preset ``met`` has the ten crops of
    the authors, the default the single crop that they settle on.

    Attributes:
        crops: lambda, in percent.
    """

    name: ClassVar[str] = "pfami"
    citation: ClassVar[str] = "Fu et al. 2023, arXiv:2308.12143"
    summary: ClassVar[str] = "rise of the loss when the image is cropped"
    needs: ClassVar[tuple[Need, ...]] = ("images",)
    additive: ClassVar[bool] = False
    presets = {"met": {"crops": (95, 92, 89, 86, 84, 81, 78, 75, 73, 70)}}
    grid = tuple(range(0, 500, 50))
    log_snr_grid = (6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.0, -0.5, -1.0)
    crops: tuple[int, ...] = (81,)

    def problems(self) -> list[str]:
        """Require one or more crops, each smaller than the image."""
        if not self.crops or any(not 0 < crop < 100 for crop in self.crops):
            return [f"expected one or more crops of 1 to 99 percent for {self.name}, got {self.crops}"]
        return []

    def measure(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Minus the mean relative rise of the loss, in one column."""
        crops = [batch.crop(crop / 100) for crop in self.crops]
        falls: dict[str, list[Tensor]] = {name: [] for name in masks}
        for level in self.levels:
            full = masked_errors(batch.residual(level), masks, 2.0)
            for crop in crops:
                cropped = masked_errors(crop.residual(level), masks, 2.0)
                for name in masks:
                    falls[name].append(1.0 - cropped[name] / full[name])  # -(L(x') - L(x)) / L(x)
        return {name: torch.stack(values).mean(dim=0)[:, None] for name, values in falls.items()}
