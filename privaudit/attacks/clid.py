"""CLiD: how much of the loss an image's own caption explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.attacks.base import LevelAttack, Need, masked_errors, register
from privaudit.attacks.batch import Batch


@register
@dataclass(frozen=True)
class Clid(LevelAttack):
    """w L(c) - mean_i (L(c*_i) - L(c)), L(c) = mean over t of ||eps_hat(z_t, t, c) - eps||^2.

    (Zhai et al., NeurIPS 2024, arXiv:2405.14800.) A text-to-image model overfits to pairs of image and caption, so for
    a member its own caption c lowers the loss more than reduced captions c*_i do. The authors mix the discrepancy with
    the loss, by a weight that they choose on a shadow model; ours is chosen by cross-fitting.

    Differs from the paper: the reduced captions are the first three quarters, half and quarter of the words, and none;
    the two terms are mixed as they are, not after a robust scaling over all images, which would make the score of an
    image depend on the others.

    Attributes:
        weights: w, in thousandths.
    """

    name: ClassVar[str] = "clid"
    citation: ClassVar[str] = "Zhai et al. 2024, arXiv:2405.14800"
    summary: ClassVar[str] = "how much of the loss the image's own caption explains"
    needs: ClassVar[tuple[Need, ...]] = ("captions",)
    axis: ClassVar[str] = "loss weight / 1000"
    presets = {"difference": {"weights": (0,)}}
    grid = (440, 450, 460)
    log_snr_grid = (-1.4, -1.6, -1.8)
    weights: tuple[int, ...] = (0, 10, 30, 100, 300, 1000)

    def problems(self) -> list[str]:
        """One weight or more, none negative."""
        if not self.weights or min(self.weights) < 0 or len(set(self.weights)) != len(self.weights):
            return [f"expected distinct weights >= 0 for {self.name}, got {self.weights}"]
        return []

    @property
    def candidates(self) -> tuple[float, ...]:
        """The weights."""
        return tuple(float(weight) for weight in self.weights)

    def measure(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One column per weight."""
        own = self.losses(batch, masks)
        shortened = [
            (f"first {share:g}", captions) for share, captions in reduce([prompt.caption for prompt in batch.prompts])
        ]
        reduced = [self.losses(batch.with_captions(name, captions), masks) for name, captions in shortened]
        found = {}
        for name in masks:
            rise = torch.stack([losses[name] for losses in reduced]).mean(dim=0) - own[name]
            found[name] = torch.stack([weight / 1000 * own[name] - rise for weight in self.weights], dim=1)
        return found

    def losses(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """L under every mask, ``(n,)``."""
        by_level = [masked_errors(batch.residual(level), masks, 2.0) for level in self.levels]
        return {name: torch.stack([errors[name] for errors in by_level]).mean(dim=0) for name in masks}


def reduce(captions: Sequence[str | None]) -> list[tuple[float, list[str | None]]]:
    """Cut captions to a share of their words.

    Returns:
        Share and captions, from three quarters to none; a share rounds to the nearest number of words.
    """
    words = [(caption or "").split() for caption in captions]
    return [
        (share, [" ".join(own[: round(share * len(own))]) or None for own in words]) for share in (0.75, 0.5, 0.25, 0)
    ]
