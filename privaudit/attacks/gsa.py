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

FLOOR = 1e-12
"""Share of an image's whole gradient below which a tensor's is rounding, as of a bias before a normalisation."""


@register
@dataclass(frozen=True)
class Gsa(LevelAttack):
    """log ||dL/d theta_k||^2 for each tensor of weights k, then a classifier.

    (Pang et al., PoPETs 2025, arXiv:2308.06405.)

    Preset ``1`` (our default) differentiates the mean loss over ten levels, one pass back; ``2`` takes the mean of the
    squared norms over the levels, one pass back each. The masked loss is another function, so that masks are not free
    here: each costs passes back of its own.

    Differs from the paper: the classifier is cross-fitted on the audited images, since an owner knows the members, and
    not trained on shadow models (see `privaudit.evaluation.learned`).

    Attributes:
        each: A gradient for each level.
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
        """One column a tensor of weights."""
        rounds = len(self.levels) if self.each else 1
        batch.cache.note("forward", len(self.levels))
        batch.cache.note("backward", len(self.levels) * len(masks))
        rows: dict[str, list[Tensor]] = {name: [] for name in masks}
        noise = torch.stack([batch.noise(level) for level in self.levels], dim=1)
        noisy = torch.stack(
            [batch.noised(level, own) for level, own in zip(self.levels, noise.unbind(1), strict=True)], dim=1
        )
        condition = batch.condition
        with torch.enable_grad(), differentiable(batch.target.denoiser.module) as weights:
            for image in range(len(noise)):
                own = None if condition is None else condition.rows([image] * len(self.levels))
                predicted = batch.target.predict_noise(noisy[image], list(self.levels), own)
                squares = (noise[image] - predicted).square()
                for place, (name, mask) in enumerate(masks.items()):
                    losses = (squares * mask[image].to(squares)).flatten(1).sum(dim=1)
                    keep = place < len(masks) - 1
                    rows[name].append(self._norms(losses.chunk(rounds), weights, keep=keep))
        return {name: torch.stack(found) for name, found in rows.items()}

    def _norms(self, losses: tuple[Tensor, ...], weights: list[nn.Parameter], *, keep: bool) -> Tensor:
        """Log of the squared gradient norm of each tensor, averaged over the losses, with a floor, ``(tensors,)``."""
        found = []
        for place, loss in enumerate(losses):
            again = keep or place < len(losses) - 1
            gradients = torch.autograd.grad(loss.mean(), weights, retain_graph=again, allow_unused=True)
            squares = [torch.zeros(()) if g is None else g.double().square().sum().cpu() for g in gradients]
            found.append(torch.stack([square.double() for square in squares]))
        mean = torch.stack(found).mean(dim=0)
        return (mean + FLOOR * mean.sum()).log()


@contextmanager
def differentiable(module: nn.Module) -> Generator[list[nn.Parameter]]:
    """Let gradients reach the weights of a frozen network; afterwards it is as frozen as before, whatever happened."""
    weights = list(module.parameters())
    frozen = [weight.requires_grad for weight in weights]
    try:
        for weight in weights:
            weight.requires_grad_(True)
        yield weights
    finally:
        for weight, before in zip(weights, frozen, strict=True):
            weight.requires_grad_(before)
