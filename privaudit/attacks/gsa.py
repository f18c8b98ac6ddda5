"""GSA: the size of the loss's gradient in each tensor of weights."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from privaudit.attacks.base import LevelAttack, Need, register
from privaudit.attacks.batch import Batch

MIN_GRADIENT_FRACTION = 1e-12
"""Fraction of the squared gradient of all tensors below which the gradient of one is rounding error.

The gradient of a bias before a normalisation, for example, is zero in exact arithmetic.
"""


@register
@dataclass(frozen=True)
class Gsa(LevelAttack):
    """log ||dL/d theta_k||^2 for each tensor of weights k, then a classifier.

    (Pang et al., PoPETs 2025, arXiv:2308.06405.)

    Preset ``1`` (our default) differentiates the mean loss over ten levels, in one backward pass. Preset ``2`` takes
    the mean of the squared norms over the levels, in one backward pass per level. A masked loss is a different
    function, so masks are not free here: each needs backward passes of its own.

    Differs from the paper: the classifier is cross-fitted on the audited images, because an owner knows the members. It
    is not trained on shadow models (see `privaudit.evaluation.learned`).

    Attributes:
        each: Whether every level has a gradient of its own.
    """

    name: ClassVar[str] = "gsa"
    citation: ClassVar[str] = "Pang et al. 2025, arXiv:2308.06405"
    summary: ClassVar[str] = "gradient norms of the loss by weight tensor, classified"
    needs: ClassVar[tuple[Need, ...]] = ("gradients",)
    learned: ClassVar[bool] = True
    additive: ClassVar[bool] = False
    presets = {"1": {}, "2": {"each": True}}
    grid = tuple(range(99, 1000, 100))
    log_snr_grid = (5.0, 4.0, 3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0, -4.0)
    each: bool = False

    def measure(self, batch: Batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Features with one column per weight tensor."""
        rounds = len(self.levels) if self.each else 1
        batch.cache.note("forward", len(self.levels))
        batch.cache.note("backward", len(self.levels) * len(masks))
        rows: dict[str, list[Tensor]] = {name: [] for name in masks}
        noise = torch.stack([batch.noise(level) for level in self.levels], dim=1)
        noisy = torch.stack(
            [batch.noised(level, drawn) for level, drawn in zip(self.levels, noise.unbind(1), strict=True)], dim=1
        )
        condition = batch.condition
        with torch.enable_grad(), differentiable(batch.target.denoiser.module) as weights:
            # Image by image, all levels at once: the gradient of a batch would be the sum over its images.
            for image in range(len(noise)):
                repeated = None if condition is None else condition.rows([image] * len(self.levels))
                predicted = batch.target.predict_noise(noisy[image], list(self.levels), repeated)
                squares = (noise[image] - predicted).square()
                for place, (name, mask) in enumerate(masks.items()):
                    losses = (squares * mask[image].to(squares)).flatten(1).sum(dim=1)
                    # All masks differentiate one forward pass; its graph is freed after the last mask.
                    keep_graph = place < len(masks) - 1
                    rows[name].append(self._norms(losses.chunk(rounds), weights, keep_graph=keep_graph))
        return {name: torch.stack(features) for name, features in rows.items()}

    def _norms(self, losses: tuple[Tensor, ...], weights: list[nn.Parameter], *, keep_graph: bool) -> Tensor:
        """Log of the squared gradient norm of each tensor, averaged over the losses, with a floor, ``(tensors,)``."""
        norms = []
        for place, loss in enumerate(losses):
            retain = keep_graph or place < len(losses) - 1
            gradients = torch.autograd.grad(loss.mean(), weights, retain_graph=retain, allow_unused=True)
            squares = [torch.zeros(()) if g is None else g.double().square().sum().cpu() for g in gradients]
            norms.append(torch.stack([square.double() for square in squares]))
        mean = torch.stack(norms).mean(dim=0)
        # The floor keeps the log finite for unused tensors, and rounding errors from becoming a feature.
        return (mean + MIN_GRADIENT_FRACTION * mean.sum()).log()


@contextmanager
def differentiable(module: nn.Module) -> Generator[list[nn.Parameter]]:
    """Let gradients reach the weights of a frozen network, and freeze it again afterwards, even after an error."""
    weights = list(module.parameters())
    frozen = [weight.requires_grad for weight in weights]
    try:
        for weight in weights:
            weight.requires_grad_(True)
        yield weights
    finally:
        for weight, before in zip(weights, frozen, strict=True):
            weight.requires_grad_(before)
