"""CLiD: how much of the loss the caption of the image explains."""

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

    (Zhai et al., NeurIPS 2024, arXiv:2405.14800.) A text-to-image model overfits to pairs of image and caption. For a
    member, the full caption c therefore lowers the loss more than reduced captions c*_i do. The authors mix this
    discrepancy with the loss by a weight that they choose on a shadow model; ours is chosen by cross-fitting.

    Differs from the paper: the reduced captions are the first three quarters, half and quarter of the words, and none.
    The two terms are mixed unscaled. The robust scaling of the paper runs over all images, which would make the score
    of one image depend on the others.

    Attributes:
        weights: Candidates for w, in thousandths.
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
        """Require one or more distinct weights, none negative."""
        if not self.weights or min(self.weights) < 0 or len(set(self.weights)) != len(self.weights):
            return [f"expected distinct weights >= 0 for {self.name}, got {self.weights}"]
        return []

    @property
    def candidates(self) -> tuple[float, ...]:
        """The weights."""
        return tuple(float(weight) for weight in self.weights)

    def measure(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Errors with one column per weight."""
        loss = self.losses(batch, masks)
        reduced_losses = [
            self.losses(batch.with_captions(f"first {fraction:g}", captions), masks)
            for fraction, captions in reduce([prompt.caption for prompt in batch.prompts])
        ]
        errors = {}
        for name in masks:
            rise = torch.stack([losses[name] for losses in reduced_losses]).mean(dim=0) - loss[name]
            errors[name] = torch.stack([weight / 1000 * loss[name] - rise for weight in self.weights], dim=1)
        return errors

    def losses(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """L under every mask, ``(n,)``."""
        by_level = [masked_errors(batch.residual(level), masks, 2.0) for level in self.levels]
        return {name: torch.stack([errors[name] for errors in by_level]).mean(dim=0) for name in masks}


def reduce(captions: Sequence[str | None]) -> list[tuple[float, list[str | None]]]:
    """Cut captions to a fraction of their words.

    Returns:
        Fraction and captions, from three quarters to none; the number of words is rounded to the nearest.
    """
    sentences = [(caption or "").split() for caption in captions]
    return [
        # An empty caption becomes None, the null condition.
        (fraction, [" ".join(words[: round(fraction * len(words))]) or None for words in sentences])
        for fraction in (0.75, 0.5, 0.25, 0)
    ]
